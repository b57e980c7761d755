/** Records of a swarm itself, and of what its services share: networks, secrets, configs, and which numbers and names are taken. */
import type { Network } from '../network.js';
import type { NetworkAddresses } from './endpoint.js';
import type { Instant, Kept } from './kept.js';
import type { Driver } from './service.js';

type Texts = Readonly<Record<string, string>>;

/** `docker swarm update`. Spans of time in nanoseconds. */
export interface ClusterSpec {
  readonly labels: Texts;
  /** ended tasks kept of each slot; below 0: all */
  readonly historyLimit: number;
  readonly heartbeatPeriod: number;
  readonly nodeCertExpiry: number;
  readonly forceRotate: number;
  readonly autoLock: boolean;
  readonly taskLogDriver?: Driver;
  /** swarmkit's, which etcd has no use for: kept and shown */
  readonly raft: {
    readonly snapshotInterval: number;
    readonly keepOldSnapshots: number;
    readonly logEntriesForSlowFollowers: number;
    readonly electionTick: number;
    readonly heartbeatTick: number;
  };
}

/** Whom a cluster's nodes trust, and which authority takes that one's place. PEM texts. */
export interface Succession {
  /** the one that all trust */
  readonly authorities: string;
  /**
   * Former authorities' certificates of later ones, the newest in front: sent behind each node's certificate for as long as a node may
   * trust a former authority.
   */
  readonly bridges?: string;
  /** The one that gives certificates from now on, and its bridge; it is trusted once every node has one of its certificates. */
  readonly rotation?: { readonly authority: string; readonly bridge: string };
}

/** `cluster` */
export interface Cluster extends Kept, Succession {
  readonly id: string;
  readonly spec: ClusterSpec;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  /** address space (CIDRs) that subnets of networks are cut from, and their size in bits */
  readonly addressPools: readonly string[];
  readonly subnetSize: number;
  /** UDP, of VXLAN */
  readonly dataPort: number;
  /** the revision of what a user wrote last; absent: nobody has written it since */
  readonly asked?: number;
}

/** `network/ID` */
export interface SwarmNetwork extends Kept {
  readonly id: string;
  /** as each node makes it for itself: everything is decided, the subnets too */
  readonly network: Network;
  readonly ingress: boolean;
  /** 4096–16777215 or as its user chose; 0: of a driver that has none */
  readonly vni: number;
  readonly updatedAt: Instant;
}

/** `secret/ID` and `config/ID` */
export interface Blob extends Kept {
  readonly id: string;
  readonly name: string;
  readonly labels: Texts;
  /** base64; of secrets sealed under the cluster's key */
  readonly data: string;
  readonly driver?: Driver;
  readonly templating?: Driver;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
}

/** `attach/ID`, the endpoint's: a container on an attachable network that no service made. */
export interface Attachment extends Kept, NetworkAddresses {
  readonly id: string;
  readonly nodeId: string;
  readonly containerId: string;
  readonly containerName: string;
  readonly mac: string;
  /** by which others on the network find it */
  readonly dnsNames: readonly string[];
}

/** `ip/NET/ADDRESS`, `port/PROTOCOL/N`, `vni/N`, `number/N`, `name/KIND/NAME`: somebody's, as long as the key is there. */
export interface Claimed extends Kept {
  /** what follows the kind in the key */
  readonly id: string;
  /** the key of the record that has it */
  readonly owner: string;
}

/** `subnets`: all that networks have. One record, as no key says what overlaps what. */
export interface SubnetList extends Kept {
  readonly id: '';
  readonly taken: readonly { readonly networkId: string; readonly subnet: string }[];
}

/** `turn`: counts the leader's transactions, so that none is carried out whose predecessors its author has not seen. */
export interface Turn extends Kept {
  readonly id: '';
  readonly count: number;
}
