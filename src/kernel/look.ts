/** Looks at single objects: is this one there, in exactly this state? Cheap; used for idempotence and for repair. */

import { ifThere } from '../errno.js';
import { bare } from '../model/address.js';
import { addressText } from '../model/address-bytes.js';
import type { AddressObject, FdbObject, NeighbourObject, RouteObject } from '../plan/objects.js';
import type { NetlinkSocket } from './netlink.js';
import { namespaceIdentity } from './netns.js';
import { dumpAddresses, parseAddress } from './rtnetlink/address.js';
import { addressOf, prefixOf, prefixText } from './rtnetlink/inet.js';
import type { DumpedLink } from './rtnetlink/link.js';
import {
  type DumpedNeighbour,
  dumpNeighbours,
  getNeighbour,
  isPermanent,
  isSet,
  parseNeighbour,
} from './rtnetlink/neighbour.js';
import { AF_BRIDGE } from './rtnetlink/numbers.js';
import { type DumpedRoute, dumpRoutes, isConnected, parseRoute } from './rtnetlink/route.js';
import { type Session, withSession } from './session.js';

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

/** False where somebody took away the route to the address's subnet, though the link is up. */
export const addressConnected = (session: Session, o: AddressObject): boolean =>
  inLivingNamespace(() => {
    const link = session.link(o.ns, o.link);
    if (!link?.up) return true;
    const routes = routesIn(session.socket(o.ns), prefixOf(o.address).family);
    return isConnected(routes, link.index, o.address);
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
      .filter(isSet)
      .map(parseNeighbour)
      .filter((n) => n.index === index && n.fixed);
    const known = new Set(found.map(({ mac, address }) => `${mac} ${address}`));
    return wanted.every(
      ({ mac, destination }) =>
        known.has(`${mac} `) && (destination === undefined || known.has(`${mac} ${canonical(destination)}`)),
    );
  });

export const fdbPresent = (session: Session, o: FdbObject): boolean => entriesPresent(session, o, [o]);

/** The bridge's entry for its own MAC: what is sent there goes up to the host. */
export const isLocal = ({ index, permanent, mac }: DumpedNeighbour, bridge: DumpedLink): boolean =>
  permanent && index === bridge.index && mac === bridge.mac;

/** Which of these bridges of the host's have lost that entry; those that are not there have lost more. */
export const withoutLocal = (session: Session, names: readonly string[]): readonly string[] => {
  if (names.length === 0) return [];
  const entries = session
    .socket('host')
    .dump(dumpNeighbours(AF_BRIDGE), 'fdb dump')
    .filter(isPermanent)
    .map(parseNeighbour);
  return names.filter((name) => {
    const found = session.link('host', name);
    return found !== undefined && !entries.some((n) => isLocal(n, found));
  });
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
