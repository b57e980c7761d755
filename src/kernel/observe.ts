/**
 * Reads from the kernel what carries our mark: bridges by name, `veth` and eleven digits, other links by their group, the
 * namespaces in our directory, and what is on those links. Foreign links and what is on them are never reported. Nothing is remembered.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defined } from '../defined.js';
import { interfaceKey, interfacesOf } from '../plan/depend.js';
import type {
  AddressObject,
  FdbObject,
  KernelObject,
  LinkObject,
  NeighbourObject,
  Netns,
  NetnsObject,
  RouteObject,
  SysctlObject,
} from '../plan/objects.js';
import { AF } from './ffi.js';
import type { NamedBridge, Sight } from './links/contract.js';
import { recogniseLinks } from './links/index.js';
import { hearsBy, routesIn } from './look.js';
import type { NetlinkSocket } from './netlink.js';
import { isNamespace } from './netns.js';
import { GROUP } from './reaper.js';
import { dumpAddresses, isAutomatic, parseAddress } from './rtnetlink/address.js';
import { sysctlsIn } from './rtnetlink/devconf.js';
import { type DumpedLink, dumpLinks, parseLink } from './rtnetlink/link.js';
import {
  type DumpedNeighbour,
  dumpNeighbours,
  isFixed,
  isPermanent,
  linkOf,
  parseNeighbour,
} from './rtnetlink/neighbour.js';
import { AF_BRIDGE, RTPROT } from './rtnetlink/numbers.js';
import { connectedSubnets, type DumpedRoute, isConnected } from './rtnetlink/route.js';
import { withSession } from './session.js';
import { readDevice } from './wireguard.js';

export interface ObserveParts {
  /** absolute path of the directory with the sandboxes' namespaces */
  readonly namespaces: string;
  readonly bridges: readonly NamedBridge[];
  /** links that bear no mark of ours, as they are wanted (of plugins) or said to be (by a service that makes them) */
  readonly claims: readonly LinkObject[];
  /** whether sysctls of our interfaces are told too: they have no mark, so only who knows what he wants may ask */
  readonly settings: boolean;
  /** is told all links of the host's that were seen, whosever they are */
  readonly onLinks: (links: readonly DumpedLink[]) => void;
}

const NO_OTHERS: ReadonlyMap<string, readonly string[]> = new Map();

type Entries = () => readonly DumpedNeighbour[];

/** All links of one namespace. */
interface Place {
  readonly ns: Netns;
  readonly socket: NetlinkSocket;
  readonly all: readonly DumpedLink[];
}

/** Those of them that are ours, by index. */
interface OwnPlace {
  readonly ns: Netns;
  readonly socket: NetlinkSocket;
  readonly links: ReadonlyMap<number, DumpedLink>;
  /** bridges among the links that are not ours, by name, with the addresses on them that are */
  readonly theirs: ReadonlyMap<string, readonly string[]>;
  /** the host's static FDB entries: bridge ports, and so FDB entries, are the host's alone */
  readonly entries: Entries;
}

const linksOf = (socket: NetlinkSocket): readonly DumpedLink[] =>
  socket.dump(dumpLinks(), 'link dump').map(parseLink);

const namespacesIn = (directory: string): readonly NetnsObject[] =>
  existsSync(directory)
    ? readdirSync(directory)
        .map((name) => join(directory, name))
        .filter(isNamespace)
        .map((path) => ({ kind: 'netns', path }))
    : [];

/** Far ends by the indexes of both: each names the other; indexes repeat between namespaces, so both must agree. */
const farEnds = (places: readonly Place[]): Sight['farEnd'] => {
  const ends = new Map<string, { ns: Netns; link: DumpedLink }>();
  for (const { ns, all } of places)
    for (const link of all) {
      const key = `${link.peer} ${link.index}`;
      if (link.type === 'veth' && !ends.has(key)) ends.set(key, { ns, link });
    }
  return ({ index, peer }) => ends.get(`${index} ${peer}`);
};

/** On the host with what is to be said of the routes to their subnets; a container's are its own affair. */
const addressesOf = (
  { ns, socket, links, theirs }: OwnPlace,
  subnets: ReadonlySet<string>,
): readonly AddressObject[] =>
  socket
    .dump(dumpAddresses(), 'address dump')
    .map(parseAddress)
    .flatMap((a) => {
      const link = links.get(a.index);
      if (!link || isAutomatic(a, link.mac)) return [];
      if (theirs.get(link.name)?.includes(a.address) === false) return [];
      const lacksRoute = ns === 'host' && link.up && !isConnected(subnets, a.index, a.address);
      const state = lacksRoute ? { connected: false as const } : {};
      return [{ kind: 'address' as const, ns, link: link.name, address: a.address, ...state }];
    });

/** What we or somebody by hand added; the kernel's own connected routes and a router's are not objects. */
const routesOf = ({ ns, links }: OwnPlace, routes: readonly DumpedRoute[]): readonly RouteObject[] =>
  routes.flatMap(({ index, plain, protocol, family, destination, via, metric }) => {
    const link = links.get(index);
    if (!link || !plain || protocol !== RTPROT.BOOT) return [];
    return [{ kind: 'route', ns, family, destination, link: link.name, ...defined({ via, metric }) }];
  });

const neighboursOf = ({ ns, socket, links }: OwnPlace): readonly NeighbourObject[] =>
  socket
    .dump(dumpNeighbours(), 'neighbour dump')
    .filter(isPermanent)
    .map(parseNeighbour)
    .flatMap(({ index, address, mac }) => {
      const link = links.get(index);
      return link ? [{ kind: 'neighbour' as const, ns, link: link.name, address, mac }] : [];
    });

/** Read at first use: who has nothing of ours on the host is not asked. */
const once = <T>(read: () => T): (() => T) => {
  let known: { readonly value: T } | undefined;
  return () => {
    known ??= { value: read() };
    return known.value;
  };
};

/** What a VXLAN device knows has a destination; what its bridge knows of it has none. Both are one entry. */
const fdbOf = ({ ns, links, entries }: OwnPlace): readonly FdbObject[] => {
  const found = entries().filter(({ index }) => links.has(index));
  const at = ({ index, mac }: DumpedNeighbour): string => `${index} ${mac}`;
  const of = (remote: boolean) => new Set(found.filter((n) => (n.address !== '') === remote).map(at));
  const [remote, bridged] = [of(true), of(false)];
  return found.flatMap((n): readonly FdbObject[] => {
    const link = links.get(n.index)?.name ?? '';
    const entry = { kind: 'fdb', ns, link, mac: n.mac } as const;
    if (n.address === '') return remote.has(at(n)) ? [] : [entry];
    return [{ ...entry, destination: n.address, ...(bridged.has(at(n)) ? {} : { bridged: false }) }];
  });
};

const wireguardPeersOf = ({ links }: OwnPlace): readonly KernelObject[] =>
  [...links.values()].flatMap(({ type, name }) =>
    type === 'wireguard' ? (readDevice(name)?.peers ?? []) : [],
  );

/** As the kernel tells them along with the links: to open a namespace's file for the first time takes 0.1 ms. */
const settingsOf = ({ ns, links }: OwnPlace): readonly SysctlObject[] =>
  [...links.values()].flatMap((link) =>
    sysctlsIn(link).map(({ path, value }) => ({ kind: 'sysctl' as const, ns, path, value })),
  );

const withoutNamed = (
  links: ReadonlyMap<number, DumpedLink>,
  names: ReadonlyMap<string, unknown>,
): ReadonlyMap<number, DumpedLink> => new Map([...links].filter(([, { name }]) => !names.has(name)));

const contents = (whole: OwnPlace, settings: boolean): readonly KernelObject[] => {
  if (whole.links.size === 0) return [];
  const { theirs } = whole;
  const links = theirs.size === 0 ? whole.links : withoutNamed(whole.links, theirs);
  const place = { ...whole, links };
  const routes = [AF.INET, AF.INET6].flatMap((family) => routesIn(place.socket, family));
  return [
    ...(settings ? settingsOf(whole) : []),
    ...addressesOf(whole, connectedSubnets(routes)),
    ...routesOf(place, routes),
    ...neighboursOf(place),
    ...fdbOf(place),
    ...wireguardPeersOf(place),
  ];
};

type Sights = (ns: Netns) => Sight;

/** `entries`: the host's FDB entries. */
const sightsOf = (
  [host, ...sandboxes]: readonly Place[],
  { bridges, claims }: ObserveParts,
  entries: () => readonly Buffer[],
): Sights => {
  const names = new Map(host?.all.map((l) => [l.index, l.name]));
  const named = new Map(bridges.map((b) => [b.name, b]));
  const claimed = new Map(claims.map((o) => [interfaceKey(o.ns, o.name), o]));
  const farEnd = farEnds(sandboxes);
  const hears = once(() => {
    const own = new Set(host?.all.flatMap(({ type, index }) => (type === 'bridge' ? [index] : [])));
    return hearsBy(entries().filter((entry) => own.has(linkOf(entry))));
  });
  return (ns) => ({
    ns,
    hostName: (index) => names.get(index) ?? '',
    farEnd,
    hears: (bridge) => hears()(bridge),
    named: (name) => named.get(name),
    claimed: (name) => claimed.get(interfaceKey(ns, name)),
  });
};

const oursIn = (places: readonly Place[], sights: Sights): readonly LinkObject[] =>
  recogniseLinks(
    places.flatMap(({ ns, all }) => {
      const sight = sights(ns);
      return all.filter((l) => l.group !== GROUP).map((link) => ({ link, sight }));
    }),
  );

/** Everything of ours in namespaces and on interfaces. */
export const observeLinks = (parts: ObserveParts): readonly KernelObject[] =>
  withSession((session) => {
    const sandboxes = namespacesIn(parts.namespaces);
    const places = ['host', ...sandboxes.map(({ path }) => path)].map((ns): Place => {
      const socket = session.socket(ns);
      return { ns, socket, all: linksOf(socket) };
    });
    parts.onLinks(places[0]?.all ?? []);
    const all = once(() => session.socket('host').dump(dumpNeighbours(AF_BRIDGE), 'fdb dump'));
    const entries = once(() => all().filter(isFixed).map(parseNeighbour));
    const found = oursIn(places, sightsOf(places, parts, all));
    const names = new Set(found.flatMap(interfacesOf));
    const theirs = new Map(parts.bridges.filter((b) => !b.owned).map((b) => [b.name, b.addresses ?? []]));
    const own = places.map(({ ns, socket, all }): OwnPlace => {
      const links = new Map(
        all.flatMap((l) => (names.has(interfaceKey(ns, l.name)) ? [[l.index, l] as const] : [])),
      );
      const host = ns === 'host';
      return { ns, socket, links, theirs: host ? theirs : NO_OTHERS, entries: host ? entries : () => [] };
    });
    return [...sandboxes, ...found, ...own.flatMap((place) => contents(place, parts.settings))];
  });
