/**
 * What the engine and the store of a cluster have to do with each other. The engine asks it between two decisions, as it asks
 * plugins (ADR 7, 19, 27); what other hosts did comes as changes of what is known. `cluster/` has the store; no store: this host
 * is in no cluster.
 */
import type { OverlayWish, Wire } from '../drivers/contract.js';
import { unavailable } from '../errors.js';
import { bare } from '../model/address.js';
import type { Balancer } from '../model/balancer.js';
import type { NetworkId } from '../model/ids.js';
import type { Network, Overlay } from '../model/network.js';
import type { OwedCall } from '../model/owed.js';
import type { Peer, RemoteEndpoint, Vtep } from '../model/peer.js';

/** An endpoint as refusals name it. */
export interface NetworkUser {
  readonly id: string;
  readonly containerName: string;
}

/** Everything throws `unavailable`, in words, while the store is away; whatever was asked may have taken effect all the same. */
export interface ClusterStore {
  /** what lies between this host and the others */
  wire(): Wire;
  /** sentences for `docker info`; none: all is well */
  warnings(): readonly string[];
  /**
   * The network is there for all hosts from now on. Answers what they have agreed on, or the subnets of others' networks
   * that its own overlap: then nothing was done. Throws conflict where the name or each wished identifier is another's.
   */
  createNetwork(
    network: Network,
    wish: OverlayWish,
  ): Promise<Overlay | { readonly overlaps: readonly string[] }>;
  /** Answers the endpoints, on whichever host, for whose sake it stays; none: it is gone, or was. */
  removeNetwork(id: string, name: string): Promise<readonly NetworkUser[]>;
  /** Its addresses are its own from now on, and its names known; or bare ones that are others', and nothing was done. */
  claimEndpoint(networkId: NetworkId, endpoint: RemoteEndpoint): Promise<readonly string[]>;
  /**
   * Ends an endpoint of another host's, whose daemon is gone for good. Throws conflict where it is there: then the container is
   * to be disconnected on that host.
   */
  evictEndpoint(networkId: NetworkId, node: string, endpoint: RemoteEndpoint): Promise<void>;
  /** A network that the cluster has and this host has no part in yet, by id or name, becomes known here; else nothing is done. */
  bring(reference: string): Promise<void>;
  /** Takes back what was asked for: one of `clusterCalls`. */
  tell(call: OwedCall): Promise<void>;
}

/** Of records that the store brings; null: it is gone. */
export interface ClusterChange {
  readonly networks: ReadonlyMap<NetworkId, Network | null>;
  readonly peers: ReadonlyMap<string, Peer | null>;
  readonly balancers: ReadonlyMap<string, Balancer | null>;
  readonly vteps: ReadonlyMap<string, Vtep | null>;
}

export const NO_CHANGE: ClusterChange = {
  networks: new Map(),
  peers: new Map(),
  balancers: new Map(),
  vteps: new Map(),
};

/** A container of this host on a network of the cluster's, for which the store was asked. */
export interface LocalEndpoint {
  readonly networkId: NetworkId;
  readonly endpoint: RemoteEndpoint;
}

/** From a container of this host, or on the ingress network the host itself, to a container of another's. */
export interface Way {
  /** names for people */
  readonly hostName: string;
  readonly network: string;
  /** bare address of the other host */
  readonly address: string;
  /** bytes of what containers send */
  readonly mtu: number;
  /** UDP port of VXLAN */
  readonly port: number;
  /** UDP port of the other host's WireGuard, and its public key; absent: it is not the way */
  readonly tunnelPort?: number;
  readonly key?: string;
  /** path of the network namespace that it begins in */
  readonly netns: string;
  /** bare address of the other's */
  readonly to: string;
}

/** What the store may know of this host, and do to its records. */
export interface ClusterSide {
  /** this host's id */
  readonly id: string;
  /** that the cluster has, too */
  networks(): readonly Network[];
  peers(): readonly Peer[];
  balancers(): readonly Balancer[];
  vteps(): readonly Vtep[];
  /** CIDRs that this host routes or uses besides the cluster's networks: its routes, nameservers, and networks of its own */
  routes(): readonly string[];
  /** without those whose addresses a manager gave; without addresses on networks that each node makes for itself */
  endpoints(): readonly LocalEndpoint[];
  /**
   * This node's own of a network that each node makes for itself. Nothing is done where it is there. Throws, in words for whoever
   * needs it, what stands in its way: its configuration network is not on this node, its name or subnet is another's.
   */
  makeOwn(wish: Network): void;
  /** to the host of this id; undefined: no network has containers of both */
  wayTo(host: string): Way | undefined;
  /** Is something of this id being asked for, or to be taken back? */
  isUnderWay(id: string): boolean;
  /** What is owed to the store is paid now: it is there again. */
  settle(): void;
  /** docker_gwbridge is there, as Docker has it on every node of a swarm. Throws what stands in its way. */
  makeGateway(): void;
  /**
   * All of it is there when this returns, but what the kernel refused: that is tried again until it does not, and told of meanwhile.
   * Throws what the store refused, with nothing done.
   */
  follow(change: ClusterChange): void;
  /** Calls back when what the cluster is to know of containers of this host has changed, without having been asked for. */
  onChange(listener: () => void): () => void;
}

/** No plugin has an empty name. */
const CLUSTER = '';
export const isClusterCall = ({ plugin }: OwedCall): boolean => plugin === CLUSTER;

export const clusterCalls = {
  removeNetwork: (id: string, name: string): OwedCall => ({
    plugin: CLUSTER,
    method: 'RemoveNetwork',
    body: { NetworkID: id, Name: name },
  }),
  releaseEndpoint: (
    networkId: string,
    { id, ipv4, ipv6 }: Pick<RemoteEndpoint, 'id' | 'ipv4' | 'ipv6'>,
  ): OwedCall => ({
    plugin: CLUSTER,
    method: 'ReleaseEndpoint',
    body: {
      NetworkID: networkId,
      EndpointID: id,
      Addresses: [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [bare(address)])).join(' '),
    },
  }),
} as const;

/** Throws unavailable where this host is in no cluster. */
export const clusterOf = (
  { cluster }: { readonly cluster?: ClusterStore | undefined },
  what: string,
): ClusterStore => {
  if (cluster) return cluster;
  throw unavailable(
    `${what} spans the hosts of a cluster, and this host is in none: make or join a swarm (docker swarm init), or start viaductd with --cluster-store etcd://HOST:2379/PATH and --cluster-advertise INTERFACE:PORT`,
  );
};
