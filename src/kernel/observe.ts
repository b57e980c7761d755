/**
 * Reads from the kernel what carries our mark: bridges by name, `veth` and eleven digits, other links by their group, the
 * namespaces in our directory, and what is on those links. Foreign links and what is on them are never reported. Nothing is remembered.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type {
  AddressObject,
  BridgeLink,
  FdbObject,
  KernelObject,
  MovedLink,
  NeighbourObject,
  Netns,
  NetnsObject,
  OvsLink,
  RouteObject,
  SysctlObject,
  VethLink,
} from '../plan/objects.js';
import { AF } from './ffi.js';
import { marked } from './links/marked.js';
import { aliasOf } from './links/moved.js';
import { OVS_SYSTEM, OVS_TYPES } from './links/ovs.js';
import { isLocal, routesIn } from './look.js';
import type { NetlinkSocket } from './netlink.js';
import { isNamespace } from './netns.js';
import type { OvsInternal } from './ovs/state.js';
import { GROUP } from './reaper.js';
import { dumpAddresses, isAutomatic, parseAddress } from './rtnetlink/address.js';
import { sysctlsIn } from './rtnetlink/devconf.js';
import { type DumpedLink, dumpLinks, OWN_GROUP, parseLink } from './rtnetlink/link.js';
import {
  type DumpedNeighbour,
  dumpNeighbours,
  isPermanent,
  isSet,
  parseNeighbour,
} from './rtnetlink/neighbour.js';
import { AF_BRIDGE, RTPROT } from './rtnetlink/numbers.js';
import { type DumpedRoute, isConnected } from './rtnetlink/route.js';
import { Session } from './session.js';

const OWN_BRIDGE = /^br-[0-9a-f]{12}$/;
const OWN_VETH = /^veth[0-9a-f]{11}$/;
const OWN_OVS = /^ovs-[0-9a-f]{11}$/;

/** A bridge whose name does not show whose it is: `docker0`, `com.docker.network.bridge.name`, `--bridge`. */
export interface NamedBridge {
  readonly name: string;
  readonly owned: boolean;
  /** of somebody else's bridge, those that are ours, with prefix length: all else on it is its owner's */
  readonly addresses?: readonly string[];
}

export interface ObserveParts {
  /** absolute path of the directory with the sandboxes' namespaces */
  readonly namespaces: string;
  readonly bridges: readonly NamedBridge[];
  /** links of others that we move, as they are wanted: a container could give its own ones our alias */
  readonly moved: readonly MovedLink[];
  /** interfaces of ours that Open vSwitch makes, by name */
  readonly internals: ReadonlyMap<string, OvsInternal>;
  /** whether sysctls of our interfaces are told too: they have no mark, so only who knows what he wants may ask */
  readonly settings: boolean;
}

const NO_OTHERS: ReadonlyMap<string, readonly string[]> = new Map();

/** The links of one namespace that are ours, by index. */
interface Place {
  readonly ns: Netns;
  readonly socket: NetlinkSocket;
  readonly links: ReadonlyMap<number, DumpedLink>;
  /** bridges among the links that are not ours, by name, with the addresses on them that are */
  readonly theirs: ReadonlyMap<string, readonly string[]>;
  /** the host's FDB entries that do not age: bridge ports, and so FDB entries, are the host's alone */
  readonly entries: readonly DumpedNeighbour[];
}

/** True for the names that links of ours have on the host. */
export const isOwnName = (name: string, bridges: () => readonly NamedBridge[]): boolean =>
  OWN_BRIDGE.test(name) ||
  OWN_VETH.test(name) ||
  OWN_OVS.test(name) ||
  bridges().some((b) => b.name === name);

/** By name, and where Docker's could have the name too, by the mark they were made with. */
const isOwn = (link: DumpedLink, { bridges, internals }: ObserveParts): boolean => {
  if (OWN_OVS.test(link.name)) return internals.has(link.name) && OVS_TYPES.has(link.type);
  return isOwnName(link.name, () => bridges)
    ? !OWN_BRIDGE.test(link.name) || link.group === OWN_GROUP
    : marked(link, 'host', () => '') !== undefined;
};

const linksOf = (socket: NetlinkSocket): readonly DumpedLink[] =>
  socket.dump(dumpLinks(), 'link dump').map(parseLink);

const namespacesIn = (directory: string): readonly NetnsObject[] =>
  existsSync(directory)
    ? readdirSync(directory)
        .map((name) => join(directory, name))
        .filter(isNamespace)
        .map((path) => ({ kind: 'netns', path }))
    : [];

const bridgeObject = (link: DumpedLink, owned: boolean, entries: readonly DumpedNeighbour[]): BridgeLink => ({
  kind: 'link',
  type: 'bridge',
  ns: 'host',
  name: link.name,
  mac: link.mac,
  mtu: link.mtu,
  up: link.up,
  owned,
  ...(owned && !entries.some((n) => isLocal(n, link)) ? { local: false as const } : {}),
});

const ovsObject = ({ name, mtu, mac, up }: DumpedLink, { bridge, tag, network }: OvsInternal): OvsLink => ({
  kind: 'link',
  type: 'ovs',
  ns: 'host',
  name,
  bridge,
  mac,
  mtu,
  up,
  tag,
  network,
});

interface Far {
  readonly ns: Netns;
  readonly link: DumpedLink;
}

/** A veth whose peer is in no namespace of ours has an empty `peerNs`: it is to be deleted. */
const vethObject = (near: DumpedLink, far: Far | undefined, master: string): VethLink => ({
  kind: 'link',
  type: 'veth',
  ns: 'host',
  name: near.name,
  mtu: near.mtu,
  up: near.up && far?.link.up === true,
  master,
  hairpin: near.hairpin,
  isolated: near.isolated,
  peerNs: far?.ns ?? '',
  peerName: far?.link.name ?? '',
  peerMac: far?.link.mac ?? '',
});

/** Far ends by the indexes of both: each names the other; indexes repeat between namespaces, so both must agree. */
const farEnds = (
  places: readonly { ns: Netns; all: readonly DumpedLink[] }[],
): ((near: DumpedLink) => Far | undefined) => {
  const ends = new Map<string, Far>();
  for (const { ns, all } of places)
    for (const link of all) {
      const key = `${link.peer} ${link.index}`;
      if (link.type === 'veth' && !ends.has(key)) ends.set(key, { ns, link });
    }
  return ({ index, peer }) => ends.get(`${index} ${peer}`);
};

/** On the host with what is to be said of the routes to their subnets; a container's are its own affair. */
const addressesOf = (
  { ns, socket, links, theirs }: Place,
  routes: readonly DumpedRoute[],
): readonly AddressObject[] =>
  socket
    .dump(dumpAddresses(), 'address dump')
    .map(parseAddress)
    .flatMap((a) => {
      const link = links.get(a.index);
      if (!link || isAutomatic(a, link.mac)) return [];
      if (theirs.get(link.name)?.includes(a.address) === false) return [];
      const lacksRoute = ns === 'host' && link.up && !isConnected(routes, a.index, a.address);
      const state = lacksRoute ? { connected: false as const } : {};
      return [{ kind: 'address' as const, ns, link: link.name, address: a.address, ...state }];
    });

/** What we or somebody by hand added; the kernel's own connected routes and a router's are not objects. */
const routesOf = ({ ns, links }: Place, routes: readonly DumpedRoute[]): readonly RouteObject[] =>
  routes.flatMap(({ index, plain, protocol, family, destination, via, metric }) => {
    const link = links.get(index);
    if (!link || !plain || protocol !== RTPROT.BOOT) return [];
    const optional = { ...(via === undefined ? {} : { via }), ...(metric === undefined ? {} : { metric }) };
    return [{ kind: 'route' as const, ns, family, destination, link: link.name, ...optional }];
  });

const neighboursOf = ({ ns, socket, links }: Place): readonly NeighbourObject[] =>
  socket
    .dump(dumpNeighbours(), 'neighbour dump')
    .filter(isPermanent)
    .map(parseNeighbour)
    .flatMap(({ index, address, mac }) => {
      const link = links.get(index);
      return link ? [{ kind: 'neighbour' as const, ns, link: link.name, address, mac }] : [];
    });

const entriesIn = (socket: NetlinkSocket): readonly DumpedNeighbour[] =>
  socket.dump(dumpNeighbours(AF_BRIDGE), 'fdb dump').filter(isSet).map(parseNeighbour);

const fdbOf = ({ ns, links, entries }: Place): readonly FdbObject[] =>
  entries.flatMap(({ index, fixed, address, mac }) => {
    const link = links.get(index);
    if (!link || !fixed) return [];
    return [{ kind: 'fdb' as const, ns, link: link.name, mac, ...(address ? { destination: address } : {}) }];
  });

/** Being plugged into Open vSwitch is said by a port of its own. */
const masterOf = (nameOf: (index: number) => string, { master }: DumpedLink): string => {
  const name = nameOf(master);
  return name === OVS_SYSTEM ? '' : name;
};

/** As the kernel tells them along with the links: to open a namespace's file for the first time takes 0.1 ms. */
const settingsOf = ({ ns, links }: Place): readonly SysctlObject[] =>
  [...links.values()].flatMap((link) =>
    sysctlsIn(link).map(({ path, value }) => ({ kind: 'sysctl' as const, ns, path, value })),
  );

const withoutNamed = (
  links: ReadonlyMap<number, DumpedLink>,
  names: ReadonlyMap<string, unknown>,
): ReadonlyMap<number, DumpedLink> => new Map([...links].filter(([, { name }]) => !names.has(name)));

const contents = (whole: Place, settings: boolean): readonly KernelObject[] => {
  if (whole.links.size === 0) return [];
  const { theirs } = whole;
  const links = theirs.size === 0 ? whole.links : withoutNamed(whole.links, theirs);
  const place = { ...whole, links };
  const routes = [AF.INET, AF.INET6].flatMap((family) => routesIn(place.socket, family));
  return [
    ...(settings ? settingsOf(whole) : []),
    ...addressesOf(whole, routes),
    ...routesOf(place, routes),
    ...neighboursOf(place),
    ...fdbOf(place),
  ];
};

/** Everything of ours in the kernel, without the tables' elements and the daemon's own objects. */
export const observeLinks = (parts: ObserveParts): readonly KernelObject[] => {
  const { namespaces, bridges, internals, moved: wantedMoves, settings } = parts;
  const session = new Session();
  try {
    const sandboxes = namespacesIn(namespaces);
    const host = linksOf(session.socket('host'));
    const places = sandboxes.map(({ path }) => ({ ns: path, all: linksOf(session.socket(path)) }));
    const names = new Map(host.map((l) => [l.index, l.name]));
    const nameOf = (index: number): string => names.get(index) ?? '';
    const ours = host.filter((l) => l.group !== GROUP && isOwn(l, parts));
    const entries = ours.length === 0 ? [] : entriesIn(session.socket('host'));
    const farEnd = farEnds(places);
    const veths = ours
      .filter((l) => l.type === 'veth')
      .map((near) => {
        const far = farEnd(near);
        return { far, object: vethObject(near, far, masterOf(nameOf, near)) };
      });
    const inside = new Map<Netns, Map<number, DumpedLink>>();
    const add = (ns: Netns, link: DumpedLink): void =>
      void inside.set(ns, (inside.get(ns) ?? new Map()).set(link.index, link));
    for (const { far } of veths) if (far) add(far.ns, far.link);
    const stacked = places.flatMap(({ ns, all }) =>
      all.flatMap((link) => {
        const object = marked(link, ns, nameOf);
        if (object) add(ns, link);
        return object ?? [];
      }),
    );
    const moved = places.flatMap(({ ns, all }) =>
      all.flatMap((link) => {
        const wanted = wantedMoves.find(
          (o) => o.ns === ns && o.name === link.name && link.alias === aliasOf(o.source),
        );
        if (wanted) add(ns, link);
        return wanted ? [{ ...wanted, up: link.up, mac: wanted.mac === '' ? '' : link.mac }] : [];
      }),
    );
    return [
      ...sandboxes,
      ...ours
        .filter((l) => l.type === 'bridge')
        .map((l) => bridgeObject(l, bridges.find((b) => b.name === l.name)?.owned ?? true, entries)),
      ...ours.flatMap((l) => marked(l, 'host', nameOf) ?? []),
      ...veths.map((v) => v.object),
      ...stacked,
      ...moved,
      ...ours.flatMap((l) => {
        const internal = internals.get(l.name);
        return internal ? [ovsObject(l, internal)] : [];
      }),
      ...contents(
        {
          ns: 'host',
          socket: session.socket('host'),
          links: new Map(ours.map((l) => [l.index, l])),
          theirs: new Map(bridges.filter((b) => !b.owned).map((b) => [b.name, b.addresses ?? []])),
          entries,
        },
        settings,
      ),
      ...[...inside].flatMap(([ns, links]) =>
        contents({ ns, socket: session.socket(ns), links, theirs: NO_OTHERS, entries: [] }, settings),
      ),
    ];
  } finally {
    session.close();
  }
};
