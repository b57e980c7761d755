/** Looks at single objects: is this one there, in exactly this state? Cheap; used for idempotence and for repair. */

import { ifThere } from '../errno.js';
import { bare } from '../model/address.js';
import { addressText } from '../model/address-bytes.js';
import type { AddressObject, FdbObject, NeighbourObject, RouteObject } from '../plan/objects.js';
import { AF } from './ffi.js';
import type { NetlinkSocket } from './netlink.js';
import { namespaceIdentity } from './netns.js';
import { dumpAddresses, parseAddress } from './rtnetlink/address.js';
import { addressOf, prefixOf, prefixText } from './rtnetlink/inet.js';
import type { DumpedLink } from './rtnetlink/link.js';
import {
  dumpNeighbours,
  getLocalFdb,
  getNeighbour,
  isFixed,
  isPermanent,
  parseNeighbour,
} from './rtnetlink/neighbour.js';
import { AF_BRIDGE } from './rtnetlink/numbers.js';
import {
  connectedSubnets,
  type DumpedRoute,
  dumpRoutes,
  isConnected,
  parseRoute,
} from './rtnetlink/route.js';
import { type Look, type Session, withSession } from './session.js';

/** The canonical text of an address with or without prefix length. */
const canonical = (address: string): string => {
  if (!address.includes('/')) return addressText(addressOf(address));
  const { bytes, length } = prefixOf(address);
  return prefixText(bytes, length);
};

/** False where the namespace itself is gone. */
const inLivingNamespace = (look: () => boolean): boolean => ifThere(look) ?? false;

/** Runs `look` with the index of the object's link; false where there is none. */
const onLink = (
  session: Session,
  o: { ns: string; link: string },
  look: (index: number) => boolean,
): boolean =>
  inLivingNamespace(() => {
    const index = session.index(o.ns, o.link);
    return index > 0 && look(index);
  });

export const addressPresent = (session: Session, o: AddressObject): boolean =>
  onLink(session, o, (index) => {
    const wanted = canonical(o.address);
    return session
      .socket(o.ns)
      .dump(dumpAddresses(index), `address dump ${o.link}`)
      .map(parseAddress)
      .some((a) => a.index === index && a.address === wanted);
  });

/**
 * Which of these addresses of the host's links are not there, or lack the route to their subnet though the link is up. One look at
 * all: a look for each would read all routes as often.
 */
export const lackingAddresses = (
  session: Session,
  look: Look,
  wanted: readonly AddressObject[],
): readonly AddressObject[] => {
  if (wanted.length === 0) return [];
  const socket = session.socket('host');
  const there = new Set(
    socket
      .dump(dumpAddresses(), 'address dump')
      .map(parseAddress)
      .map(({ index, address }) => `${index} ${address}`),
  );
  const subnets = connectedSubnets([AF.INET, AF.INET6].flatMap((family) => routesIn(socket, family)));
  return wanted.filter(({ link: name, address }) => {
    const link = look.link('host', name);
    if (!link || !there.has(`${link.index} ${canonical(address)}`)) return true;
    return link.up && !isConnected(subnets, link.index, address);
  });
};

/** Routes of the main table. A namespace that never had one has no table either (ENOENT). */
export const routesIn = (socket: NetlinkSocket, family: number): readonly DumpedRoute[] =>
  ifThere(() => socket.dump(dumpRoutes(family), 'route dump').map(parseRoute)) ?? [];

const sameRoute = (o: RouteObject, found: DumpedRoute): boolean =>
  found.plain &&
  found.destination === canonical(o.destination) &&
  found.via === (o.via === undefined ? undefined : canonical(o.via)) &&
  (found.metric ?? 0) === (o.metric ?? 0);

export const routePresent = (session: Session, o: RouteObject): boolean =>
  onLink(session, o, (index) =>
    routesIn(session.socket(o.ns), prefixOf(o.destination).family).some(
      (r) => r.index === index && sameRoute(o, r),
    ),
  );

/** Why a route cannot be: its link is down (Linux says it in three ways). */
const DOWN = new Set([100, 101, 113]);

/** A container took its own interface down: what it leads to then is its own affair, as are its routes when it is up again. */
export const isTakenDown = (session: Session, o: RouteObject, errno: number): boolean =>
  o.ns !== 'host' && DOWN.has(errno) && session.link(o.ns, o.link)?.up === false;

export const neighbourPresent = (session: Session, o: NeighbourObject): boolean =>
  onLink(session, o, (index) => {
    const replies: Buffer[] = [];
    session.socket(o.ns).attempt([getNeighbour(o.address, index)], `neighbour get ${o.address}`, replies);
    const found = replies[0] && parseNeighbour(replies[0]);
    return found?.permanent === true && found.mac === o.mac;
  });

/** Entries of one link, all looked at by one dump. */
export const entriesPresent = (
  session: Session,
  o: { ns: string; link: string },
  wanted: readonly FdbObject[],
): boolean =>
  onLink(session, o, (index) => {
    const found = session
      .socket(o.ns)
      .dump(dumpNeighbours(AF_BRIDGE), `fdb dump ${o.link}`)
      .filter(isFixed)
      .map(parseNeighbour)
      .filter((n) => n.index === index);
    const known = new Set(found.map(({ mac, address }) => `${mac} ${address}`));
    return wanted.every(
      ({ mac, destination }) =>
        known.has(`${mac} `) && (destination === undefined || known.has(`${mac} ${canonical(destination)}`)),
    );
  });

export const fdbPresent = (session: Session, o: FdbObject): boolean => entriesPresent(session, o, [o]);

const placeOf = ({ index, mac }: Pick<DumpedLink, 'index' | 'mac'>): string => `${index} ${mac}`;

/** By these entries: has a bridge the one for its own MAC, by which what is sent there goes up to the host? */
export const hearsBy = (entries: readonly Buffer[]): ((bridge: DumpedLink) => boolean) => {
  const there = new Set(entries.filter(isPermanent).map(parseNeighbour).map(placeOf));
  return (bridge) => there.has(placeOf(bridge));
};

/** Which of these bridges of the host's have lost that entry; those that are not there have lost more. */
export const withoutLocal = (session: Session, look: Look, names: readonly string[]): readonly string[] => {
  const bridges = names.flatMap((name) => look.link('host', name) ?? []);
  const replies: Buffer[] = [];
  // Each is asked about for itself: of the entries of all bridges there are many more.
  const requests = bridges.map(({ mac, index }) => getLocalFdb(mac, index));
  if (requests.length > 0) session.socket('host').attempt(requests, 'fdb get', replies);
  const hears = hearsBy(replies);
  return bridges.filter((bridge) => !hears(bridge)).map(({ name }) => name);
};

/** Bare addresses in the network namespace in which a process stands; none of our own. */
export const processAddresses = (pid: number): readonly string[] => {
  const ns = `/proc/${pid}/ns/net`;
  return withSession((session) => {
    if (namespaceIdentity(ns) === namespaceIdentity('/proc/self/ns/net')) return [];
    const found = session.socket(ns).dump(dumpAddresses(), `address dump of process ${pid}`);
    return found.map((reply) => bare(parseAddress(reply).address));
  });
};
