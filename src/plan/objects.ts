/**
 * Kernel objects as plain data: what must exist, in one discriminated union. `objectKey` mirrors the kernel's own
 * identity of each; two objects with one key are the same object in two states.
 */
import type { Family } from '../model/network.js';
import type { Protocol } from '../model/port.js';
import type { LinkObject } from './link-objects.js';

export type {
  BridgeLink,
  DummyLink,
  IpvlanLink,
  LinkObject,
  LinkOf,
  LinkType,
  MacvlanLink,
  MovedLink,
  VethLink,
  VlanLink,
} from './link-objects.js';

/** `host` or the absolute path of a bind-mounted network namespace. */
export type Netns = 'host' | (string & {});

/** A named network namespace, bind-mounted at `path`; `lo` is up in it. */
export interface NetnsObject {
  readonly kind: 'netns';
  readonly path: string;
}

export interface AddressObject {
  readonly kind: 'address';
  readonly ns: Netns;
  readonly link: string;
  /** with prefix length; IPv6 is added `nodad` */
  readonly address: string;
}

export interface RouteObject {
  readonly kind: 'route';
  readonly ns: Netns;
  readonly family: Family;
  /** CIDR; `0.0.0.0/0` and `::/0` are the default routes */
  readonly destination: string;
  readonly link: string;
  /** bare address; absent: on-link */
  readonly via?: string;
  readonly metric?: number;
}

export interface NeighbourObject {
  readonly kind: 'neighbour';
  readonly ns: Netns;
  readonly link: string;
  readonly address: string;
  readonly mac: string;
}

/** A forwarding-database entry, for VXLAN devices and static bridge ports. */
export interface FdbObject {
  readonly kind: 'fdb';
  readonly ns: Netns;
  readonly link: string;
  readonly mac: string;
  /** remote VTEP, bare address */
  readonly destination?: string;
}

export interface SysctlObject {
  readonly kind: 'sysctl';
  readonly ns: Netns;
  /** below /proc/sys, with slashes: `net/ipv4/conf/br-4f…/route_localnet` */
  readonly path: string;
  readonly value: string;
}

/** One element of a set or map of our nftables tables (`firewall/ruleset.ts` declares them). */
export interface ElementObject {
  readonly kind: 'element';
  /** the inet table carries layer 3 and up, the bridge table what passes between ports of one bridge */
  readonly family: 'inet' | 'bridge';
  readonly set: string;
  /** one text a field of the set's key; `a-b` in a field of an interval set is a range */
  readonly key: readonly string[];
  /** one text a field of the map's data; absent for sets */
  readonly data?: readonly string[];
  /**
   * true: forbids or confines when present (a network's membership, anti-spoofing), so plans add it before the links it
   * guards and remove it after them. Absent: opens something; added last, removed first. Not part of its state.
   */
  readonly guard?: true;
}

/** Host ports that the daemon holds by binding them: `port … port+count-1`. */
export interface HostPortObject {
  readonly kind: 'hostport';
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly count: number;
  /** where a relay sends what NAT cannot carry (`::1`, IPv6 to an IPv4-only container): bare address and first port */
  readonly target: { readonly address: string; readonly port: number };
}

/**
 * An interface of somebody else's that must be there (`-o parent=eth0`): looked for, never made, changed or deleted. Its
 * key is none of a link's, because it may be one of ours as well (the bridge of another network).
 */
export interface ForeignObject {
  readonly kind: 'foreign';
  readonly ns: 'host';
  readonly name: string;
  /** what the user is told where it is not there */
  readonly missing: string;
}

/** The embedded resolver's sockets in one sandbox, with the redirect from 127.0.0.11:53. */
export interface ResolverObject {
  readonly kind: 'resolver';
  readonly ns: Netns;
  readonly sandboxId: string;
}

export type KernelObject =
  | NetnsObject
  | LinkObject
  | AddressObject
  | RouteObject
  | NeighbourObject
  | FdbObject
  | SysctlObject
  | ElementObject
  | HostPortObject
  | ForeignObject
  | ResolverObject;

export type KernelKind = KernelObject['kind'];

/** Who owns an object. Slices are diffed one by one, never the world. */
export type Slice = 'host' | `network/${string}` | `sandbox/${string}` | `endpoint/${string}`;

/** The kernel's own identity of an object, as one text. */
export const objectKey = (o: KernelObject): string => {
  switch (o.kind) {
    case 'netns':
      return `netns ${o.path}`;
    case 'link':
      return `link ${o.ns} ${o.name}`;
    case 'address':
      return `address ${o.ns} ${o.link} ${o.address}`;
    case 'route':
      return `route ${o.ns} ${o.destination} ${o.metric ?? 0}`;
    case 'neighbour':
      return `neighbour ${o.ns} ${o.link} ${o.address}`;
    case 'fdb':
      return `fdb ${o.ns} ${o.link} ${o.mac} ${o.destination ?? ''}`;
    case 'sysctl':
      return `sysctl ${o.ns} ${o.path}`;
    case 'element':
      return `element ${o.family} ${o.set} ${o.key.join(' . ')}`;
    case 'hostport':
      return `hostport ${o.protocol} ${o.address} ${o.port}+${o.count}`;
    case 'foreign':
      return `foreign ${o.ns} ${o.name}`;
    case 'resolver':
      return `resolver ${o.ns}`;
  }
};
