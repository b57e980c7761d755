/** Nodes of a cluster: what its users and its leader say of them, and what they say of themselves. */
import type { Tunnel } from '../tunnel.js';
import type { Kept } from './kept.js';

type NodeRole = 'worker' | 'manager';
type Availability = 'active' | 'pause' | 'drain';

/** `disconnected`: it has no session, but is not given up yet */
export type Liveness = 'unknown' | 'ready' | 'disconnected' | 'down';

/** What may follow what, as the leader sees it. */
export const NEXT_LIVENESS: Readonly<Record<Liveness, readonly Liveness[]>> = {
  unknown: ['ready', 'down'],
  ready: ['disconnected', 'down'],
  disconnected: ['ready', 'down'],
  down: ['ready'],
};

/** `node/ID`: written by the API and the leader. */
export interface Node extends Kept {
  readonly id: string;
  /** as its user calls it; mostly empty: the description has its hostname */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly role: NodeRole;
  readonly availability: Availability;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** 1–65535, nobody else's: the conntrack zone of ingress connections that came by this node; 0: not chosen yet */
  readonly number: number;
  readonly status: { readonly state: Liveness; readonly message: string };
}

export interface NodeDescription {
  readonly hostname: string;
  /** as `uname -m` says */
  readonly architecture: string;
  readonly os: string;
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly engineVersion: string;
  /** of the daemon (`--label`) */
  readonly labels: Readonly<Record<string, string>>;
  /** `Network`, `Volume`, `Log` and others */
  readonly plugins: readonly { readonly type: string; readonly name: string }[];
  /** who certified it: PEM of the authority, and its subject and public key in base64 */
  readonly tls: {
    readonly trustRoot: string;
    readonly issuerSubject: string;
    readonly issuerPublicKey: string;
  };
}

/** `node-state/ID`: what a node says of itself, written by the manager that it has its session with. */
export interface NodeState extends Kept {
  readonly id: string;
  readonly description: NodeDescription;
  /** under which managers and nodes reach it, bare */
  readonly address: string;
  /** the same for containers' traffic */
  readonly dataAddress: string;
  /** absent: it takes no part in encrypted networks */
  readonly tunnel?: Tunnel;
  /** CIDRs that the node routes by itself: no subnet of the cluster may overlap them */
  readonly routes: readonly string[];
  /** what is wrong with its part in the cluster as it says, a sentence each */
  readonly faults: readonly string[];
}

/** `session/NODE`: gone with the lease of the manager that it names. */
export interface Session extends Kept {
  /** the node's */
  readonly id: string;
  readonly manager: string;
  /** what a node says under another epoch than this is of no account */
  readonly epoch: string;
}
