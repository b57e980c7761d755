/**
 * What dies with what in the kernel: addresses, routes, neighbours, FDB entries and sysctls with their link, everything
 * in a namespace with the namespace. Plans never delete such things one by one: a link delete names them instead.
 */
import { same } from './equal.js';
import { traitsOf } from './link-traits.js';
import type { KernelObject, LinkObject, Netns, OvsPortObject } from './objects.js';

const INTERFACE_SYSCTL = /^net\/[a-z0-9]+\/(?:conf|neigh)\/([^/]+)\//;

/** The interface a sysctl belongs to; undefined: the namespace itself (also for `all` and `default`). */
const sysctlLink = (path: string): string | undefined => {
  const name = INTERFACE_SYSCTL.exec(path)?.[1];
  return name === 'all' || name === 'default' ? undefined : name;
};

/** One interface in one namespace. */
export const interfaceKey = (ns: Netns, name: string): string => `${ns} ${name}`;

/**
 * All in the netdev table is of one interface, the first of its key: it needs that (a chain on what it receives), and
 * goes with it.
 */
export const isPortGuard = (o: KernelObject): boolean => o.kind === 'element' && o.family === 'netdev';

/** The interface an object cannot be without, other than being one. */
export const hostedBy = (o: KernelObject): string | undefined => {
  switch (o.kind) {
    case 'address':
    case 'route':
    case 'neighbour':
    case 'fdb':
    case 'offload':
      return interfaceKey(o.ns, o.link);
    case 'sysctl': {
      const name = sysctlLink(o.path);
      return name === undefined ? undefined : interfaceKey(o.ns, name);
    }
    case 'element':
      return isPortGuard(o) ? interfaceKey('host', o.key[0] ?? '') : undefined;
    default:
      return undefined;
  }
};

/** The interfaces a link is: a veth has two. */
export const interfacesOf = (link: LinkObject): readonly string[] => [
  interfaceKey(link.ns, link.name),
  ...(traitsOf(link).ends?.(link) ?? []).map(({ ns, name }) => interfaceKey(ns, name)),
];

/** The interface that a link lies on and dies with. */
export const lowerOf = (link: LinkObject): string | undefined =>
  'parent' in link ? interfaceKey('host', link.parent) : undefined;

/** The namespace whose end is the object's end without any step of ours. The resolver holds sockets: it is closed. */
export const livesIn = (o: KernelObject): Netns | undefined => {
  switch (o.kind) {
    case 'address':
    case 'route':
    case 'neighbour':
    case 'fdb':
    case 'offload':
    case 'sysctl':
      return o.ns;
    default:
      return undefined;
  }
};

/** An interface of the host that a switch of Open vSwitch has as its port to the outside. */
export const isUplink = (o: KernelObject): o is OvsPortObject => o.kind === 'ovs-port' && o.role === 'uplink';

/** Kept by Open vSwitch, beside the kernel. */
export const inOvs = (o: KernelObject): boolean =>
  o.kind === 'ovs-bridge' ||
  o.kind === 'ovs-port' ||
  o.kind === 'ovs-flow' ||
  (o.kind === 'link' && o.type === 'ovs');

/** A user's own bridge is there before and after us, so nothing on it dies by our hand. */
export const isMade = (link: LinkObject): boolean => link.type !== 'bridge' || link.owned;

/** True where the kernel cannot turn one link into the other: it has to be made anew, with all it carries. */
export const mustRemake = (before: LinkObject, after: LinkObject): boolean =>
  before.type !== after.type || !same(traitsOf(before).fixed(before), traitsOf(after).fixed(after));
