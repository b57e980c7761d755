/**
 * What the kernel refuses, and with which errno, as pure functions over the objects that are there. A kernel test holds
 * them against the real one.
 */

import { constants } from 'node:os';
import { contains, parseAddress, parsePrefix } from '../../src/model/address.js';
import { hostedBy, interfaceKey, interfacesOf, isMade } from '../../src/plan/depend.js';
import { portAt } from '../../src/plan/kinds/local.js';
import {
  type AddressObject,
  type FdbObject,
  type HostPortObject,
  type KernelObject,
  type LinkObject,
  type MovedLink,
  type NeighbourObject,
  type Netns,
  objectKey,
  type RouteObject,
  type SysctlObject,
  type VethLink,
} from '../../src/plan/objects.js';

/** With one that Node's list does not have. */
export const ERRNO = { ...constants.errno, EXFULL: 54 } as const;

/** IFNAMSIZ without its NUL; BR_MAX_PORTS without the bridge itself; Ethernet's and IPv6's MTU bounds. */
const NAME_BYTES = 15;
const BRIDGE_PORTS = 1023;
const MTU = { min: 68, max: 65535, ipv6: 1280 } as const;

export interface Refusal {
  readonly errno: number;
  readonly why: string;
}
type World = readonly KernelObject[];

const no = (errno: keyof typeof ERRNO, why: string): Refusal => ({ errno: ERRNO[errno], why });

const hasNetns = (world: World, ns: Netns): boolean =>
  ns === 'host' || world.some((o) => o.kind === 'netns' && o.path === ns);

const linkNamed = (world: World, ns: Netns, name: string): LinkObject | undefined =>
  world.find((o): o is LinkObject => o.kind === 'link' && o.ns === ns && o.name === name);

/** The link that has an end of this name in the namespace. */
const interfaceNamed = (world: World, ns: Netns, name: string): LinkObject | undefined =>
  world.find((o): o is LinkObject => o.kind === 'link' && interfacesOf(o).includes(interfaceKey(ns, name)));

/** Why the kernel would not take `o` into `world`; undefined: it would. */
export const refusal = (world: World, o: KernelObject): Refusal | undefined => {
  if ('ns' in o && !hasNetns(world, o.ns)) return no('ENOENT', 'no such namespace');
  switch (o.kind) {
    case 'link':
      return isMade(o) ? linkRefusal(world, o) : foreignRefusal(world, o);
    case 'address':
    case 'route':
    case 'neighbour':
    case 'fdb':
      return onLinkRefusal(world, o);
    case 'wireguardPeer':
      return linkNamed(world, o.ns, o.link)?.type === 'wireguard' ? undefined : no('ENODEV', 'no such link');
    case 'sysctl':
      return sysctlRefusal(world, o);
    case 'hostport':
      return hostPortRefusal(world, o);
    case 'element':
      return portRefusal(world, o);
    case 'foreign':
      return onHost(world, o.name) ? undefined : no('ENODEV', o.missing);
    default:
      return undefined;
  }
};

/** A port's guard is a hook on it. */
const portRefusal = (world: World, o: KernelObject): Refusal | undefined => {
  const port = hostedBy(o);
  const missing =
    port !== undefined && !world.some((d) => d.kind === 'link' && interfacesOf(d).includes(port));
  return missing ? no('ENOENT', 'no such interface') : undefined;
};

const foreignRefusal = (world: World, o: LinkObject): Refusal | undefined =>
  linkNamed(world, o.ns, o.name)?.type === 'bridge' ? undefined : no('ENODEV', 'no such bridge');

const nameRefusal = (name: string): Refusal | undefined => {
  if (Buffer.byteLength(name) > NAME_BYTES) return no('ERANGE', 'name too long');
  return name === '' || name === '.' || name === '..' || /[/:\s]/.test(name)
    ? no('EINVAL', 'bad name')
    : undefined;
};

const macRefusal = (mac: string): Refusal | undefined => {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) return no('EINVAL', 'bad mac');
  const multicast = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
  return multicast || mac === '00:00:00:00:00:00' ? no('EADDRNOTAVAIL', 'not a unicast mac') : undefined;
};

const linkRefusal = (world: World, o: LinkObject): Refusal | undefined =>
  nameRefusal(o.name) ??
  (o.type === 'veth' ? nameRefusal(o.peerName) : undefined) ??
  (o.type === 'veth' ? macRefusal(o.peerMac) : undefined) ??
  ('mac' in o && !(o.type === 'moved' && o.mac === '') ? macRefusal(o.mac) : undefined) ??
  mtuRefusal(o) ??
  ('parent' in o ? stackedRefusal(world, o) : undefined) ??
  (o.type === 'moved' ? movedRefusal(world, o) : undefined) ??
  (o.type === 'veth' ? vethRefusal(world, o) : nameTaken(world, o, o.ns, o.name));

/** 0, of some types, is what the parent or the kernel gives. */
const mtuRefusal = (o: LinkObject): Refusal | undefined => {
  const given = o.type === 'bridge' || o.type === 'veth' || o.mtu > 0;
  return given && (o.mtu < MTU.min || o.mtu > MTU.max) ? no('EINVAL', 'mtu out of bounds') : undefined;
};

/** Is there an interface of this name on the host, ours or somebody else's? */
const onHost = (world: World, name: string): boolean =>
  interfaceNamed(world, 'host', name) !== undefined ||
  world.some((d) => d.kind === 'foreign' && d.name === name);

/** A parent bears macvlan or ipvlan interfaces, or one passthru; 802.1q sub-interfaces mind none of them. */
const stackedRefusal = (world: World, o: Extract<LinkObject, { parent: string }>): Refusal | undefined => {
  if (!onHost(world, o.parent)) return no('ENODEV', 'no such parent');
  for (const d of world) {
    if (d.kind !== 'link' || !('parent' in d) || d.parent !== o.parent || objectKey(d) === objectKey(o))
      continue;
    if (d.type === 'vlan' && o.type === 'vlan' && d.vlan === o.vlan) return no('EEXIST', 'the VLAN is taken');
    if (d.type === 'vlan' || o.type === 'vlan') continue;
    const alone = [d, o].some((l) => l.type === 'macvlan' && l.mode === 'passthru');
    if (d.type !== o.type) return no('EBUSY', 'the parent has other users');
    if (alone) return no('EINVAL', 'the parent is used in passthru mode');
  }
  return undefined;
};

/** What is moved must be on the host, if it is not in the sandbox already. */
const movedRefusal = (world: World, o: MovedLink): Refusal | undefined =>
  linkNamed(world, o.ns, o.name)?.type === 'moved' || onHost(world, o.source)
    ? undefined
    : no('ENODEV', 'no such interface on the host');

/** The same link in another state is no clash of names here. */
const nameTaken = (world: World, o: LinkObject, ns: Netns, name: string): Refusal | undefined => {
  const holder = interfaceNamed(world, ns, name);
  return holder && objectKey(holder) !== objectKey(o)
    ? no('EEXIST', 'another link has this name')
    : undefined;
};

const vethRefusal = (world: World, o: VethLink): Refusal | undefined => {
  if (!hasNetns(world, o.peerNs)) return no('ENOENT', 'no such namespace');
  if (o.master !== '' && linkNamed(world, o.ns, o.master)?.type !== 'bridge')
    return no('ENODEV', 'no such bridge');
  const ports = world.filter(
    (d) => d.kind === 'link' && d.type === 'veth' && d.ns === o.ns && d.master === o.master,
  );
  const known = ports.some((d) => objectKey(d) === objectKey(o));
  if (o.master !== '' && !known && ports.length >= BRIDGE_PORTS) return no('EXFULL', 'the bridge is full');
  return nameTaken(world, o, o.ns, o.name) ?? nameTaken(world, o, o.peerNs, o.peerName);
};

const onLinkRefusal = (
  world: World,
  o: AddressObject | RouteObject | NeighbourObject | FdbObject,
): Refusal | undefined => {
  const link = interfaceNamed(world, o.ns, o.link);
  if (!link) return no('ENODEV', 'no such link');
  switch (o.kind) {
    case 'address':
      return addressRefusal(o, link);
    case 'route':
      return routeRefusal(world, o, link);
    case 'neighbour':
      return parseAddress(o.address) ? undefined : no('EINVAL', 'not an address');
    case 'fdb': {
      const port = (link.type === 'veth' || link.type === 'vxlan') && link.ns === o.ns && link.master !== '';
      return port ? undefined : no('EOPNOTSUPP', 'not a bridge port');
    }
  }
};

const addressRefusal = (o: AddressObject, link: LinkObject): Refusal | undefined => {
  const prefix = parsePrefix(o.address);
  if (!prefix) return no('EINVAL', 'not an address');
  return prefix.family === 6 && link.mtu < MTU.ipv6 ? no('EINVAL', 'no IPv6 below 1280 bytes') : undefined;
};

const routeRefusal = (world: World, o: RouteObject, link: LinkObject): Refusal | undefined => {
  if (!parsePrefix(o.destination)) return no('EINVAL', 'not a prefix');
  if (!link.up) return no('ENETDOWN', 'the link is down');
  if (o.via === undefined) return undefined;
  const via = parseAddress(o.via);
  if (!via) return no('EINVAL', 'not an address');
  const reachable = world.some((d) => {
    if ((d.kind !== 'address' && d.kind !== 'route') || d.ns !== o.ns || d.link !== o.link) return false;
    if (d.kind === 'route' && (d.via !== undefined || objectKey(d) === objectKey(o))) return false;
    const net = parsePrefix(d.kind === 'address' ? d.address : d.destination);
    return net !== undefined && contains(net, via);
  });
  if (reachable) return undefined;
  return no(o.family === 4 ? 'ENETUNREACH' : 'EHOSTUNREACH', 'gateway not on the link');
};

const sysctlRefusal = (world: World, o: SysctlObject): Refusal | undefined => {
  if (!/^[^/]+(\/[^/]+)+$/.test(o.path) || /(^|\/)\.\.?(\/|$)/.test(o.path))
    return no('EINVAL', 'not a sysctl');
  const host = hostedBy(o);
  const name = host?.slice(host.lastIndexOf(' ') + 1);
  const missing = name !== undefined && name !== 'lo' && !interfaceNamed(world, o.ns, name);
  return missing ? no('ENOENT', 'no such link') : undefined;
};

const unspecified = (address: string): boolean => address === '0.0.0.0' || address === '::';

const numbers = (o: HostPortObject): readonly number[] =>
  Array.from({ length: o.count }, (_, at) => portAt(o, at));

const hostPortRefusal = (world: World, o: HostPortObject): Refusal | undefined => {
  const clash = world.some(
    (d) =>
      d.kind === 'hostport' &&
      objectKey(d) !== objectKey(o) &&
      d.protocol === o.protocol &&
      d.address.includes(':') === o.address.includes(':') &&
      (d.address === o.address || unspecified(d.address) || unspecified(o.address)) &&
      numbers(d).some((port) => numbers(o).includes(port)),
  );
  return clash ? no('EADDRINUSE', 'port is already allocated') : undefined;
};
