/** What Linux keeps on interfaces and of a namespace: addresses, routes, neighbours, settings. */
import { dropIpv6, hasIpv6 } from './links.js';
import {
  bare,
  familyOf,
  type Interface,
  interfaceOf,
  isIn,
  namespaceOf,
  type Of,
  prefixOf,
  refuse,
  type World,
} from './world.js';

const linkOf = (world: World, o: { readonly ns: string; readonly link: string }): Interface =>
  interfaceOf(world, o.ns, o.link);

/** IPv6 knows an address by itself, IPv4 by its subnet too. */
const addressKey = (address: string): string => (address.includes(':') ? bare(address) : address);

/** With the last IPv4 address go the interface's IPv4 routes. */
const dropIpv4Routes = (link: Interface): void => {
  if ([...link.addresses].some((address) => familyOf(address) === 4)) return;
  link.ns.routes = link.ns.routes.filter((route) => route.link !== link || route.family === 6);
};

export const ADDRESS = {
  create: (world: World, o: Of<'address'>): void => {
    const link = linkOf(world, o);
    prefixOf(o.address);
    if (familyOf(o.address) === 6 && !hasIpv6(link)) refuse('EACCES', `address ${o.address} on ${o.link}`);
    if ([...link.addresses].some((other) => addressKey(other) === addressKey(o.address)))
      refuse('EEXIST', `address ${o.address} on ${o.link}`);
    link.addresses.add(o.address);
  },
  replace: (): void => {},
  delete: (world: World, o: Of<'address'>): void => {
    const link = linkOf(world, o);
    if (!link.addresses.delete(o.address)) refuse('EADDRNOTAVAIL', `address ${o.address} on ${o.link}`);
    dropIpv4Routes(link);
  },
};

type Route = Of<'route'>;

const sameRoute =
  (o: Route) =>
  (r: { readonly destination: string; readonly metric: number }): boolean =>
    r.destination === o.destination && r.metric === (o.metric ?? 0);

/** A gateway is reached by the subnet of an address, or by a route without one, on the same interface. */
const isReachable = (link: Interface, via: string): boolean =>
  [...link.addresses].some((address) => isIn(address, via)) ||
  link.ns.routes.some((r) => r.link === link && r.via === undefined && isIn(r.destination, via));

const newRoute = (world: World, o: Route) => {
  const link = linkOf(world, o);
  if (!link.up) refuse('ENETDOWN', `route to ${o.destination} by ${o.link}`);
  if (o.via !== undefined && !isReachable(link, o.via))
    refuse(o.family === 4 ? 'ENETUNREACH' : 'EHOSTUNREACH', `route to ${o.destination} via ${o.via}`);
  const { family, destination, via } = o;
  return { family, destination, link, via, metric: o.metric ?? 0 };
};

const withoutRoute = (world: World, o: Route, isIt: (r: { readonly link: Interface }) => boolean): void => {
  const ns = namespaceOf(world, o.ns);
  const found =
    ns.routes.find((r) => sameRoute(o)(r) && isIt(r)) ?? refuse('ESRCH', `route ${o.destination}`);
  ns.routes = ns.routes.filter((r) => r !== found);
};

export const ROUTE = {
  create: (world: World, o: Route): void => {
    const { routes } = namespaceOf(world, o.ns);
    if (routes.some(sameRoute(o))) refuse('EEXIST', `route to ${o.destination}`);
    routes.push(newRoute(world, o));
  },
  replace: (world: World, o: Route): void => {
    const route = newRoute(world, o);
    withoutRoute(world, o, () => true);
    namespaceOf(world, o.ns).routes.push(route);
  },
  delete: (world: World, o: Route): void => withoutRoute(world, o, ({ link }) => link === linkOf(world, o)),
};

export const NEIGHBOUR = {
  create: (world: World, o: Of<'neighbour'>): void => {
    const { neighbours } = linkOf(world, o);
    if (neighbours.has(o.address)) refuse('EEXIST', `neighbour ${o.address}`);
    neighbours.set(o.address, o.mac);
  },
  replace: (world: World, o: Of<'neighbour'>): void => void linkOf(world, o).neighbours.set(o.address, o.mac),
  delete: (world: World, o: Of<'neighbour'>): void => {
    if (!linkOf(world, o).neighbours.delete(o.address)) refuse('ENOENT', `neighbour ${o.address}`);
  },
};

const entry = (o: Of<'fdb'>): string => `${o.mac} ${o.destination ?? ''}`;
export const FDB = {
  create: (world: World, o: Of<'fdb'>): void => {
    const { fdb, master } = linkOf(world, o);
    if (o.destination === undefined && !master) refuse('EOPNOTSUPP', `fdb of ${o.link}`);
    if (fdb.has(entry(o))) refuse('EEXIST', `fdb ${o.mac}`);
    fdb.add(entry(o));
  },
  /** Elsewhere from now on. */
  replace: (world: World, o: Of<'fdb'>): void => {
    const { fdb } = linkOf(world, o);
    for (const known of fdb) if (known.startsWith(`${o.mac} `)) fdb.delete(known);
    fdb.add(entry(o));
  },
  delete: (world: World, o: Of<'fdb'>): void => {
    if (!linkOf(world, o).fdb.delete(entry(o))) refuse('ENOENT', `fdb ${o.mac}`);
  },
};

type Peer = Of<'wireguardPeer'>;
/** The kernel takes a peer whether it knows it or not, and leaves out one that it does not. */
const putPeer = (world: World, o: Peer): void => {
  const link = linkOf(world, o);
  if (link.type !== 'wireguard') refuse('EOPNOTSUPP', `peer on ${o.link}`);
  link.peers.set(o.key, `${o.address} ${o.port} ${o.inside}`);
};
export const WIREGUARD_PEER = {
  create: putPeer,
  replace: putPeer,
  delete: (world: World, o: Peer): void => void linkOf(world, o).peers.delete(o.key),
};

const OF_INTERFACE = /^(net\/([a-z0-9]+)\/(?:conf|neigh))\/([^/]+)\/([a-z0-9_]+)$/;

/** Whose values the setting is among, and its name there; `all` and `default` are the namespace's. */
const placeOf = (world: World, { ns, path }: Of<'sysctl'>) => {
  const namespace = namespaceOf(world, ns);
  const [, table, stack, name = '', setting] = OF_INTERFACE.exec(path) ?? [];
  if (table === undefined || name === 'all' || name === 'default')
    return { values: namespace.sysctls, name: path };
  const link = namespace.interfaces.get(name) ?? refuse('ENOENT', `sysctl ${path}`);
  if (stack === 'ipv6' && link.mtu < 1280) refuse('ENOENT', `sysctl ${path}`);
  return { values: link.sysctls, name: `${table}/${setting}`, link };
};

/** Values that nobody wrote are the kernel's own: zero, as far as we write any. */
const UNTOLD = '0';

export const readSysctl = (world: World, o: Of<'sysctl'>): string => {
  const { values, name } = placeOf(world, o);
  return values.get(name) ?? UNTOLD;
};

export const writeSysctl = (world: World, o: Of<'sysctl'>, value: string): void => {
  const { values, name, link } = placeOf(world, o);
  if (value === UNTOLD) values.delete(name);
  else values.set(name, value);
  if (link && !hasIpv6(link)) dropIpv6(link);
};

export const OFFLOAD = {
  create: (world: World, o: Of<'offload'>): void => {
    linkOf(world, o).transmit = o.transmit;
  },
  delete: (): void => {},
};

/** Whose it is does not matter, but it must be there. */
export const FOREIGN = {
  create: (world: World, o: Of<'foreign'>): void => void interfaceOf(world, o.ns, o.name),
  replace: (): void => {},
  delete: (): void => {},
};
