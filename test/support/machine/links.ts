/** How Linux makes, changes and ends interfaces, type by type, and what it takes along. */
import {
  everyInterface,
  type Interface,
  interfaceOf,
  type LinkOf,
  type Namespace,
  namespaceOf,
  type Of,
  refuse,
  type World,
} from './world.js';

type Link = Of<'link'>;

/** IFNAMSIZ without its NUL; the MTUs that Ethernet takes. */
const NAME_BYTES = 15;
const MTU = { least: 68, most: 65_535, ipv6: 1280 } as const;

const checkMac = (mac: string): void => {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) refuse('EINVAL', `mac ${mac}`);
  if (Number.parseInt(mac.slice(0, 2), 16) % 2 === 1) refuse('EADDRNOTAVAIL', `mac ${mac}`);
};

/** An interface of the name, with nothing on it. A name is unique in its namespace. */
export const add = (
  ns: Namespace,
  type: Interface['type'],
  name: string,
  rest: Partial<Interface> = {},
): Interface => {
  if (Buffer.byteLength(name) > NAME_BYTES) refuse('ERANGE', name);
  if (!/^[^\s/:]+$/.test(name) || /^\.\.?$/.test(name)) refuse('EINVAL', name);
  if (ns.interfaces.has(name)) refuse('EEXIST', `interface ${ns.path} ${name}`);
  const { mac = '06:00:00:00:00:fe', mtu = 1500 } = rest;
  checkMac(mac);
  if (mtu < MTU.least || mtu > MTU.most) refuse('EINVAL', `mtu ${mtu}`);
  const link: Interface = {
    ours: true,
    up: false,
    hairpin: false,
    isolated: false,
    mode: '',
    vlan: 0,
    transmit: true,
    ...rest,
    addresses: new Set(),
    neighbours: new Map(),
    fdb: new Set(),
    peers: new Map(),
    sysctls: new Map(),
    type,
    ns,
    name,
    mac,
    mtu,
  };
  ns.routes = ns.routes.filter((route) => route.link.name !== name);
  ns.interfaces.set(name, link);
  return link;
};

/** IPv6 is there where the interface is large enough and nobody switched it off. */
export const hasIpv6 = ({ mtu, sysctls }: Interface): boolean =>
  mtu >= MTU.ipv6 && sysctls.get('net/ipv6/conf/disable_ipv6') !== '1';

const dropRoutes = (link: Interface): void => {
  link.ns.routes = link.ns.routes.filter((route) => route.link !== link);
};

/** Without IPv6 there are neither addresses nor routes of it. */
export const dropIpv6 = (link: Interface): void => {
  for (const address of link.addresses) if (address.includes(':')) link.addresses.delete(address);
  link.ns.routes = link.ns.routes.filter((route) => route.link !== link || route.family === 4);
};

const setUp = (link: Interface, up: boolean): void => {
  if (up && link.type === 'vlan' && !link.lower?.up) refuse('ENETDOWN', link.name);
  if (link.up && !up) {
    dropRoutes(link);
    dropIpv6(link);
  }
  link.up = up;
};

/**
 * The kernel takes its time for a pair: a container's routes by its end stay until that is through, or its name is wanted, and
 * keep others from leading there.
 */
export const settle = (world: World): void => {
  for (const ns of world.namespaces.values())
    ns.routes = ns.routes.filter(({ link }) => ns.interfaces.get(link.name) === link);
};

/** With the other end of a pair, with all that lies on it, and with what it carries; ports of a bridge are free again. */
export const end = (world: World, link: Interface): void => {
  if (!link.ns.interfaces.delete(link.name)) return;
  link.up = false;
  if (link.type !== 'veth') dropRoutes(link);
  if (link.peer) end(world, link.peer);
  for (const other of everyInterface(world)) {
    if (other.lower === link) end(world, other);
    if (other.master === link) {
      delete other.master;
      other.hairpin = false;
      other.isolated = false;
    }
  }
};

const masterOf = (world: World, ns: string, name: string): Partial<Interface> => {
  if (name === '') return {};
  const master = interfaceOf(world, ns, name);
  return master.type === 'bridge' ? { master } : refuse('ELOOP', `master ${name}`);
};

/** Who takes an interface's packets before the host does: a bridge, or upper interfaces of one kind. */
const takers = (world: World, lower: Interface): readonly string[] => [
  ...(lower.master ? ['bridge'] : []),
  ...everyInterface(world).flatMap(({ lower: on, type, mode }) =>
    on !== lower || type === 'vlan' ? [] : [mode === 'passthru' ? 'passthru' : type],
  ),
];

const stack = (world: World, o: LinkOf<'macvlan'> | LinkOf<'ipvlan'>): void => {
  const lower = interfaceOf(world, 'host', o.parent);
  const others = takers(world, lower);
  if (others.some((other) => other !== o.type && other !== 'passthru')) refuse('EBUSY', o.parent);
  if (others.includes('passthru') || (o.mode === 'passthru' && others.length > 0)) refuse('EINVAL', o.parent);
  const mtu = o.mtu || lower.mtu;
  const mode = o.type === 'macvlan' ? o.mode : `${o.mode} ${o.flag}`;
  const mac = o.type === 'macvlan' ? { mac: o.mac } : { mac: lower.mac };
  if (mtu > lower.mtu) refuse('EINVAL', `mtu ${mtu} on ${lower.name}`);
  add(namespaceOf(world, o.ns), o.type, o.name, { lower, mtu, mode, ...mac });
};

const foreign = (world: World, o: Link): Interface | undefined => {
  const found = namespaceOf(world, o.ns).interfaces.get(o.name);
  return found && !found.ours ? found : undefined;
};

const moved = (world: World, o: LinkOf<'moved'>): void => {
  const link = interfaceOf(world, 'host', o.source);
  const ns = namespaceOf(world, o.ns);
  if (ns.interfaces.has(o.name)) refuse('EEXIST', `interface ${o.ns} ${o.name}`);
  move(link, ns, o.name);
  if (o.mac !== '') checkMac(o.mac);
  link.mac = o.mac || link.mac;
};

/** It arrives down, and without what it had on. */
const move = (link: Interface, ns: Namespace, name: string): void => {
  dropRoutes(link);
  for (const each of [link.addresses, link.neighbours, link.fdb, link.sysctls]) each.clear();
  link.ns.interfaces.delete(link.name);
  Object.assign(link, { ns, name, up: false });
  ns.interfaces.set(name, link);
};

/** What it is known by, and where it listens. */
const own = ({ key, port }: LinkOf<'wireguard'>): Partial<Interface> => ({ mode: `${key} ${port}` });

const MAKE: { readonly [T in Link['type']]: (world: World, o: LinkOf<T>) => void } = {
  bridge: (world, o) => {
    const { mac, mtu } = o;
    if (o.owned) add(namespaceOf(world, o.ns), 'bridge', o.name, { mac, mtu });
    else if (interfaceOf(world, o.ns, o.name).type !== 'bridge') refuse('EOPNOTSUPP', o.name);
  },
  veth: (world, o) => {
    const peerNs = namespaceOf(world, o.peerNs);
    if (peerNs.interfaces.has(o.peerName)) refuse('EEXIST', `interface ${o.peerNs} ${o.peerName}`);
    const { hairpin, isolated, mtu } = o;
    const near = { mtu, hairpin, isolated, ...masterOf(world, o.ns, o.master) };
    const link = add(namespaceOf(world, o.ns), 'veth', o.name, near);
    link.peer = add(peerNs, 'veth', o.peerName, { mtu, mac: o.peerMac, peer: link });
  },
  macvlan: stack,
  ipvlan: stack,
  vlan: (world, o) => {
    const lower = interfaceOf(world, 'host', o.parent);
    const { vlan } = o;
    if (everyInterface(world).some((l) => l.lower === lower && l.type === 'vlan' && l.vlan === vlan))
      refuse('EEXIST', `vlan ${vlan} of ${o.parent}`);
    const mtu = o.mtu || lower.mtu;
    add(namespaceOf(world, o.ns), 'vlan', o.name, { lower, vlan, mtu, mac: lower.mac });
  },
  dummy: (world, o) => void add(namespaceOf(world, o.ns), 'dummy', o.name),
  vxlan: (world, o) => {
    const port = { mtu: o.mtu, ...masterOf(world, o.ns, o.master) };
    add(namespaceOf(world, o.ns), 'vxlan', o.name, port);
  },
  wireguard: (world, o) => void add(namespaceOf(world, o.ns), 'wireguard', o.name, { mtu: o.mtu, ...own(o) }),
  moved,
  ovs: (world, o) => {
    if (!world.switches.has(o.bridge)) refuse('ENODEV', `switch ${o.bridge}`);
    const local = namespaceOf(world, o.ns).interfaces.get(o.bridge);
    const link =
      o.name === o.bridge && local
        ? local
        : add(namespaceOf(world, o.ns), 'ovs', o.name, { mode: o.bridge, mtu: o.mtu });
    Object.assign(link, { mac: o.mac, mtu: o.mtu, vlan: o.tag });
  },
};

/** What no message changes of an interface that is there. */
const fixedOf = (o: Link): string =>
  JSON.stringify([
    o.type,
    o.type === 'veth' && [o.peerNs, o.peerName, o.peerMac],
    'parent' in o && o.parent,
    o.type === 'vlan' && o.vlan,
    o.type === 'vxlan' && [o.vni, o.local, o.port, o.master],
    o.type === 'moved' && o.source,
    o.type === 'ovs' && o.bridge,
    o.type === 'macvlan' && o.mode === 'passthru',
  ]);

const change = (world: World, link: Interface, o: Link, before: Link): void => {
  if (fixedOf(o) !== fixedOf(before)) refuse('EOPNOTSUPP', `${o.type} ${o.name}`);
  const ends = link.peer && o.type === 'veth' ? [link, link.peer] : [link];
  for (const each of ends) {
    if (o.mtu > 0) each.mtu = o.mtu;
    if (!hasIpv6(each)) dropIpv6(each);
  }
  if ('mac' in o && o.mac !== '') link.mac = o.mac;
  if (o.type === 'ovs') link.vlan = o.tag;
  if (o.type === 'macvlan') link.mode = o.mode;
  if (o.type === 'ipvlan') link.mode = `${o.mode} ${o.flag}`;
  if (o.type === 'wireguard') Object.assign(link, own(o));
  if (o.type !== 'veth') return;
  delete link.master;
  Object.assign(link, { hairpin: o.hairpin, isolated: o.isolated }, masterOf(world, o.ns, o.master));
};

const raise = (world: World, o: Link): void => {
  const link = interfaceOf(world, o.ns, o.name);
  if (o.type === 'bridge' && !o.owned) link.up ||= o.up;
  else for (const each of o.type === 'veth' && link.peer ? [link, link.peer] : [link]) setUp(each, o.up);
};

/** Sub-interfaces and dummies of the name that somebody else made are used as they are. */
const takenAsItIs = (world: World, o: Link): boolean =>
  (o.type === 'vlan' || o.type === 'dummy') && foreign(world, o) !== undefined;

export const LINK = {
  create: (world: World, o: Link): void => {
    if (takenAsItIs(world, o)) return;
    MAKE[o.type](world, o as never); // the row of exactly this type
    raise(world, o);
  },
  replace: (world: World, o: Link, before: Link): void => {
    if (takenAsItIs(world, o)) return;
    const link = interfaceOf(world, o.ns, o.name);
    if (o.type !== 'bridge' || o.owned) change(world, link, o, before);
    raise(world, o);
  },
  delete: (world: World, o: Link): void => {
    if (takenAsItIs(world, o) || (o.type === 'bridge' && !o.owned)) return;
    const link = interfaceOf(world, o.ns, o.name);
    if (o.type === 'moved') move(link, namespaceOf(world, 'host'), o.source);
    else if (o.type === 'ovs' && o.name === o.bridge) quiet(link);
    else end(world, link);
  },
};

/** A switch's local port stays with it, as it was before anybody used it. */
const quiet = (link: Interface): void => {
  setUp(link, false);
  link.vlan = 0;
  for (const each of [link.addresses, link.neighbours, link.fdb, link.sysctls]) each.clear();
};
