/** Networks as intent: what the user asked for, with every pool and name already decided. */
import type { NetworkId } from './ids.js';

export type Family = 4 | 6;

/** One entry of `IPAM.Config` as the user wrote it (kept verbatim for `inspect`). */
export interface IpamConfig {
  readonly subnet?: string;
  readonly range?: string;
  readonly gateway?: string;
  readonly auxiliary?: Readonly<Record<string, string>>;
}

/** A subnet that the network owns, resolved: all texts canonical, inside one another, of one family. */
export interface Pool {
  readonly family: Family;
  /** CIDR without host bits, e.g. `172.18.0.0/16` */
  readonly subnet: string;
  /** CIDR inside `subnet` from which addresses are taken; absent: the whole subnet */
  readonly range?: string;
  /** bare address; absent only where the driver wants none */
  readonly gateway?: string;
  /** name → bare address, never given out */
  readonly auxiliary: Readonly<Record<string, string>>;
  /** the name by which a third-party IPAM driver knows it; absent: the pool is ours */
  readonly pluginId?: string;
}

/** A bridge that was there before its network, and stays when that goes: what it had of its own then. */
export interface AdoptedBridge {
  /** with prefix length: somebody else's, never ours to add or to take away */
  readonly addresses: readonly string[];
  /** bytes */
  readonly mtu: number;
  /** answers to loopback addresses were routed on it already */
  readonly routeLocalnet: boolean;
}

/** What all hosts of a network that spans several have agreed on. */
export interface Overlay {
  /** VXLAN network identifier, 1–16777215; no other network of the cluster has it */
  readonly vni: number;
  /** UDP port of all hosts */
  readonly port: number;
  /** bytes of what containers send; what carries it is `carrierBytes` larger */
  readonly mtu: number;
  /** nothing of it is ever on the wire but inside WireGuard */
  readonly encrypted?: true;
}

/** Bytes that VXLAN adds between hosts of a family: inner Ethernet, its own header, UDP and IP. */
export const VXLAN_BYTES: Readonly<Record<Family, number>> = { 4: 50, 6: 70 };
/** Bytes that WireGuard adds: its own header and tag (32), UDP and IP. What it carries is IPv6. */
const WIREGUARD_BYTES: Readonly<Record<Family, number>> = { 4: 60, 6: 80 };

/** Bytes that are added to what containers send, between hosts whose addresses are of this family. */
export const carrierBytes = (family: Family, { encrypted }: Pick<Overlay, 'encrypted'>): number =>
  encrypted ? VXLAN_BYTES[6] + WIREGUARD_BYTES[family] : VXLAN_BYTES[family];

export interface Network {
  readonly id: NetworkId;
  readonly name: string;
  /** a built-in driver's name, or a plugin's */
  readonly driver: string;
  readonly scope: 'local' | 'global' | 'swarm';
  /** RFC 3339 with nanoseconds */
  readonly createdAt: string;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly configOnly: boolean;
  /** name of the config-only network this one was made from, or empty */
  readonly configFrom: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipam: {
    /** `default`, `null` (no addresses) or a plugin's name */
    readonly driver: string;
    /** null: none given */
    readonly options: Readonly<Record<string, string>> | null;
    /** the third-party IPAM driver's address space; absent: the pools are ours */
    readonly addressSpace?: string;
    /** as `inspect` shows it: subnets and gateways filled in */
    readonly config: readonly IpamConfig[];
  };
  readonly pools: readonly Pool[];
  /** absent: the bridge is ours, made and deleted with the network */
  readonly adopted?: AdoptedBridge;
  /** present where the network spans the hosts of a cluster, whose store has its addresses */
  readonly overlay?: Overlay;
  /** a swarm's, by which every node answers on the ports that its services publish */
  readonly ingress?: true;
  /** bridge, host, none: cannot be removed */
  readonly predefined: boolean;
}

/**
 * A swarm's, that each node makes for itself when a container of its needs it: the swarm knows its name and what was wished of it,
 * and the node chooses subnets and addresses.
 */
export const isMadeByNodes = ({ scope, overlay }: Pick<Network, 'scope' | 'overlay'>): boolean =>
  scope === 'swarm' && overlay === undefined;

export const PREDEFINED_NETWORKS = ['bridge', 'host', 'none'] as const;

/** Networks that each node has for itself, of which services can use these. */
export const NETWORKS_OF_NODES: readonly string[] = ['bridge', 'host'];

/** Of gateway endpoints. Users make a network of this name where they want other settings. */
export const GATEWAY_NETWORK = 'docker_gwbridge';
