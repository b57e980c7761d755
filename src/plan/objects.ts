/**
 * Kernel objects as plain data: what must exist, in one discriminated union. `objectKey` mirrors the kernel's own
 * identity of each; two objects with one key are the same object in two states.
 */
import type { Family } from '../model/network.js';
import type { Protocol } from '../model/port.js';
import type { LinkObject, Netns } from './link-objects.js';

export type {
  BridgeLink,
  DummyLink,
  IpvlanLink,
  LinkObject,
  LinkOf,
  LinkType,
  MacvlanLink,
  MovedLink,
  Netns,
  OvsLink,
  VethLink,
  VlanLink,
} from './link-objects.js';

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
  /** false, only where observed on the host: somebody took away the route to its subnet that the kernel made with it */
  readonly connected?: false;
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
  /** what to write when it is no longer wanted, for an interface that stays; absent: it is left as it is. Not part of its state. */
  readonly restore?: string;
}

/** One element of a set or map of our nftables tables (`firewall/ruleset.ts` declares them). */
export interface ElementObject {
  readonly kind: 'element';
  /**
   * the inet table carries layer 3 and up, the bridge table what passes between ports of one bridge, the netdev table
   * what single interfaces receive
   */
  readonly family: 'inet' | 'bridge' | 'netdev';
  readonly set: string;
  /** one text a field of the set's key; `a-b` in a field of an interval set is a range */
  readonly key: readonly string[];
  /** one text a field of the map's data; absent for sets */
  readonly data?: readonly string[];
  /**
   * true: forbids or confines when present (a network's membership, anti-spoofing), so plans add it before the links it
   * guards, or before they are up, and remove it after or with them. Absent: opens something; added last, removed first. Not part of its state.
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

/** Whether an interface leaves checksums and segmentation to whoever receives (as by `ethtool -K … tx`). */
export interface OffloadObject {
  readonly kind: 'offload';
  readonly ns: Netns;
  readonly link: string;
  readonly transmit: boolean;
}

/** An Open vSwitch bridge as a switch: what is plugged into it, its flows and the host's interface are objects too. */
export interface OvsBridgeObject {
  readonly kind: 'ovs-bridge';
  readonly name: string;
  readonly datapath: 'system' | 'netdev';
  /** the local port's */
  readonly mac: string;
  /** the local port's, bytes */
  readonly mtu: number;
  /** id of the network, or the bridge's name where networks share it: the mark of ours */
  readonly owner: string;
  /** true: the user named it; where somebody else made it, it is used and never changed nor deleted */
  readonly named: boolean;
}

export interface OvsTunnel {
  readonly type: 'vxlan' | 'gre';
  /** bare address of the peer */
  readonly remote: string;
  /** bare address to send from */
  readonly local?: string;
  /** VNI (24 bits) or GRE key (32 bits) */
  readonly key?: number;
  /** UDP port of the peers (vxlan) */
  readonly port?: number;
}

/** A port of an Open vSwitch bridge other than its internal ones: a container's veth, an uplink, a tunnel. */
export interface OvsPortObject {
  readonly kind: 'ovs-port';
  /** of the interface; for a tunnel, which has no interface of its own, of the port alone */
  readonly name: string;
  readonly bridge: string;
  readonly role: 'endpoint' | 'uplink' | 'tunnel';
  /** 1–4094: what arrives untagged belongs to this VLAN, whose frames leave untagged; absent: no VLAN */
  readonly tag?: number;
  /** VLANs that pass tagged; absent: with a tag none, without one all */
  readonly trunks?: readonly number[];
  /** frames never go from one protected port to another */
  readonly protected: boolean;
  readonly tunnel?: OvsTunnel;
  /** egress shaping by linux-htb, kbit/s */
  readonly shaping?: { readonly max: number; readonly min?: number };
  /** bytes; absent: as the interface has it */
  readonly mtu?: number;
  /** in OVSDB, on port and interface: `viaduct` (the network's id) is the mark of ours */
  readonly externalIds: Readonly<Record<string, string>>;
}

/** An OpenFlow rule. Its identity is bridge, table, priority and match, as OpenFlow has it. */
export interface OvsFlowObject {
  readonly kind: 'ovs-flow';
  readonly bridge: string;
  /** 0–253 */
  readonly table: number;
  /** 0–65535, higher wins */
  readonly priority: number;
  /** 16 hex digits: our mark, and which network or endpoint it is for */
  readonly cookie: string;
  /** field → value as `ovs-ofctl` writes them (`in_port` is a port's name, `10.0.0.0/8`, `0x50/0xfff0`) */
  readonly match: Readonly<Record<string, string>>;
  /** before the action: what is over the limit is dropped */
  readonly meter?: { readonly kbps: number; readonly burst: number };
  /** `NORMAL` is the learning switch with VLANs */
  readonly action: 'NORMAL' | 'drop' | `goto_table:${number}`;
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
  | ResolverObject
  | OffloadObject
  | OvsBridgeObject
  | OvsPortObject
  | OvsFlowObject;

export type KernelKind = KernelObject['kind'];

/** Who owns an object: the host, or a record. Slices are diffed one by one, never the world. */
export type Slice =
  | { readonly kind: 'host' }
  | { readonly kind: 'network' | 'sandbox' | 'endpoint'; readonly id: string };

export const HOST_SLICE: Slice = { kind: 'host' };

/** One text a slice, for maps and sets. */
export const sliceKey = (slice: Slice): string =>
  slice.kind === 'host' ? 'host' : `${slice.kind} ${slice.id}`;

/** Each once, in the order in which they first come. */
export const distinctSlices = (slices: readonly Slice[]): readonly Slice[] => [
  ...new Map(slices.map((slice) => [sliceKey(slice), slice])).values(),
];

/** `arp,in_port=veth…,arp_spa=10.0.0.2` in one order, whatever the order of the fields. */
export const matchText = (match: Readonly<Record<string, string>>): string =>
  Object.keys(match)
    .sort()
    .map((field) => `${field}=${match[field]}`)
    .join(',');

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
    case 'offload':
      return `offload ${o.ns} ${o.link}`;
    case 'ovs-bridge':
      return `ovs-bridge ${o.name}`;
    case 'ovs-port':
      return `ovs-port ${o.name}`;
    case 'ovs-flow':
      return `ovs-flow ${o.bridge} ${o.table} ${o.priority} ${matchText(o.match)}`;
  }
};
