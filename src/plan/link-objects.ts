/** Interfaces as plain data, a type of the kernel's each. What differs by type is one row of `link-traits.ts`. */

/** `host` or the absolute path of a bind-mounted network namespace. */
export type Netns = 'host' | (string & {});

export interface BridgeLink {
  readonly kind: 'link';
  readonly type: 'bridge';
  readonly ns: Netns;
  /** ≤ 15 bytes */
  readonly name: string;
  readonly mac: string;
  /** bytes, 68–65535 */
  readonly mtu: number;
  readonly up: boolean;
  /** false: one that was there before its network (`Network.adopted`), never made, changed or deleted by us, but raised */
  readonly owned: boolean;
  /**
   * false, only where observed on one of ours: somebody took away the bridge's entry for its own MAC (`bridge fdb flush`),
   * so what is sent to the host is flooded to the ports and never gets there
   */
  readonly local?: false;
}

/** A veth pair; the near end is in `ns`, the peer in `peerNs`. Both are made (and die) together. */
export interface VethLink {
  readonly kind: 'link';
  readonly type: 'veth';
  readonly ns: Netns;
  readonly name: string;
  readonly mtu: number;
  readonly up: boolean;
  /** bridge that the near end is a port of */
  readonly master: string;
  /** hairpin mode of the bridge port */
  readonly hairpin: boolean;
  /** isolated mode of the bridge port */
  readonly isolated: boolean;
  readonly peerNs: Netns;
  readonly peerName: string;
  readonly peerMac: string;
}

/** On top of another interface of the host's; dies with it. */
interface Stacked {
  readonly kind: 'link';
  readonly name: string;
  /** bytes, 68–65535; 0: the parent's, whatever that is */
  readonly mtu: number;
  readonly up: boolean;
  /** name of the interface below, in the host's namespace */
  readonly parent: string;
}

/** A sandbox's interface with a MAC of its own on the parent's wire; made right in its namespace. */
export interface MacvlanLink extends Stacked {
  readonly type: 'macvlan';
  readonly ns: Netns;
  readonly mac: string;
  /** `passthru`: the only one on its parent, whose MAC it takes over */
  readonly mode: 'bridge' | 'private' | 'vepa' | 'passthru';
}

/** A sandbox's interface that shares the parent's MAC; made right in its namespace. */
export interface IpvlanLink extends Stacked {
  readonly type: 'ipvlan';
  readonly ns: Netns;
  /** mode and flag are the parent's: all ipvlan interfaces on it have the same */
  readonly mode: 'l2' | 'l3' | 'l3s';
  readonly flag: 'bridge' | 'private' | 'vepa';
}

/**
 * The link group (IFLA_GROUP) of links we made whose name does not say so: "vdbr". Docker's bridges are called `br-` and
 * twelve digits too, a user may have made `eth0.50`, and theirs are never to be taken for ours.
 */
export const OWN_GROUP = 0x76646272;

/**
 * An 802.1q sub-interface of the host. Where somebody made an interface of this name, that is used as it is, whatever it
 * is: the kernel layer knows ours by their link group.
 */
export interface VlanLink extends Stacked {
  readonly type: 'vlan';
  readonly ns: 'host';
  /** 1–4094 */
  readonly vlan: number;
}

/** An interface of the host that leads nowhere, as parent of networks without one. */
export interface DummyLink {
  readonly kind: 'link';
  readonly type: 'dummy';
  readonly ns: 'host';
  readonly name: string;
  /** bytes; 0: the kernel's default */
  readonly mtu: number;
  readonly up: boolean;
}

/**
 * A link that somebody else made on the host (a plugin), moved into a sandbox under another name. To delete it is to move
 * it back to the host under its own; while it is moved its alias is `viaduct:` and that name.
 */
export interface MovedLink {
  readonly kind: 'link';
  readonly type: 'moved';
  /** the sandbox */
  readonly ns: Netns;
  /** in the sandbox */
  readonly name: string;
  /** on the host */
  readonly source: string;
  /** empty: the one it came with */
  readonly mac: string;
  /** the one it came with */
  readonly mtu: 0;
  readonly up: boolean;
}

/**
 * The host's own interface on an Open vSwitch bridge: an internal port. With the name of its bridge it is the bridge's
 * local port, which comes and goes with the bridge.
 */
export interface OvsLink {
  readonly kind: 'link';
  readonly type: 'ovs';
  readonly ns: Netns;
  readonly name: string;
  readonly bridge: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** VLAN 1–4094 whose untagged member it is; 0: none */
  readonly tag: number;
  /** id of the network, kept in OVSDB as the mark of ours */
  readonly network: string;
}

/**
 * A VXLAN device as port of one of our bridges. It learns nothing and floods nothing: what it sends where, FDB entries say.
 * As a port it answers ARP and ND for neighbours that the bridge knows, so that no question leaves the host.
 */
export interface VxlanLink {
  readonly kind: 'link';
  readonly type: 'vxlan';
  readonly ns: 'host';
  readonly name: string;
  /** bytes of what it carries */
  readonly mtu: number;
  readonly up: boolean;
  /** network identifier, 1–16777215 */
  readonly vni: number;
  /** bare address of this host: what it sends comes from there, and it receives there alone */
  readonly local: string;
  /** UDP port of all hosts */
  readonly port: number;
  /** the bridge; empty, only where observed: none */
  readonly master: string;
  /** false, only where observed: somebody let it learn, or ask the wire */
  readonly quiet?: false;
}

/**
 * The host's WireGuard interface, which encrypted networks' VXLAN devices reach other hosts by. Its private key is not here: a plan
 * is printed and kept, and the kernel layer has the key.
 */
export interface WireguardLink {
  readonly kind: 'link';
  readonly type: 'wireguard';
  readonly ns: 'host';
  readonly name: string;
  /** bytes of what it carries */
  readonly mtu: number;
  readonly up: boolean;
  /** the host's public key, base64 */
  readonly key: string;
  /** UDP port that it listens on */
  readonly port: number;
}

export type LinkObject =
  | BridgeLink
  | VethLink
  | MacvlanLink
  | IpvlanLink
  | VlanLink
  | DummyLink
  | VxlanLink
  | WireguardLink
  | MovedLink
  | OvsLink;
export type LinkType = LinkObject['type'];
export type LinkOf<T extends LinkType> = Extract<LinkObject, { type: T }>;
