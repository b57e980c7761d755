/**
 * etcd as this project uses it. Keys and values are UTF-8 texts, revisions are numbers, every request ends within its limit,
 * and what went wrong is a kind (`EtcdFailure`), never a text to be read. `client.ts` speaks to a real one over its JSON
 * gateway, `test/support/fake-etcd.ts` is one in memory; both pass `test/support/etcd-conformance.ts`.
 *
 *     const taken = await etcd.txn({
 *       compare: [{ key: 'ip/10.0.0.2', createRevision: 0 }], // not there yet
 *       success: [{ do: 'put', key: 'ip/10.0.0.2', value: owner }],
 *     });
 *     if (!taken.succeeded) … // somebody else has it; nothing was written
 */

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

/** 64 bits, as decimal digits */
export type LeaseId = Id<'lease'>;
/** 64 bits, as decimal digits */
export type MemberId = Id<'member'>;

/** One key, or all that begin with `prefix` (empty: all keys there are). */
export type Selection = { readonly key: string } | { readonly prefix: string };

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** revision of the store at which the key came to be */
  readonly createRevision: number;
  /** revision of its last change */
  readonly modRevision: number;
  /** changes since it came to be; the first is 1 */
  readonly version: number;
  /** the key goes when this lease ends */
  readonly lease?: LeaseId;
}

export type RangeRequest = Selection & {
  /** at most so many entries; all where not said */
  readonly limit?: number;
  /** only keys behind this one in byte order: the next page */
  readonly after?: string;
  /** the store as it was then; as it is, where not said */
  readonly revision?: number;
  /** what this member has, perhaps old: answered without a leader too */
  readonly serializable?: boolean;
  /** values come as empty texts */
  readonly keysOnly?: boolean;
};

export interface Page {
  /** of the store when it was read, also where an older one was asked for */
  readonly revision: number;
  /** in byte order of their keys */
  readonly entries: readonly Entry[];
  /** there are further keys behind the last one */
  readonly more: boolean;
}

/**
 * True where it holds of the key, or of each key with the prefix. Of a key that is not there, `createRevision`,
 * `modRevision` and `version` are 0 and `lease` is none; a comparison of its value is false.
 */
export type Compare = Selection & {
  /** `=` where not said */
  readonly is?: '=' | '!=' | '<' | '>';
} & (
    | { readonly createRevision: number }
    | { readonly modRevision: number }
    | { readonly version: number }
    | { readonly value: string }
    | { readonly lease: LeaseId | undefined }
  );

export type Operation =
  | { readonly do: 'put'; readonly key: string; readonly value: string; readonly lease?: LeaseId }
  | ({ readonly do: 'delete' } & Selection)
  | ({ readonly do: 'get' } & Selection);

export interface Txn {
  readonly compare?: readonly Compare[];
  /** carried out where all comparisons hold; at most 128, and no key put twice */
  readonly success: readonly Operation[];
  readonly failure?: readonly Operation[];
}

export type OperationResult =
  | { readonly do: 'put' }
  | { readonly do: 'delete'; readonly deleted: number }
  | { readonly do: 'get'; readonly entries: readonly Entry[] };

interface TxnResult {
  /** of the store afterwards; of what was written, where something was */
  readonly revision: number;
  /** whether the comparisons held: a refusal is a result, not an error */
  readonly succeeded: boolean;
  /** one for each operation that was carried out */
  readonly results: readonly OperationResult[];
}

export type WatchRequest = Selection & {
  /** the first revision whose changes are wanted: one more than the page's that was read */
  readonly from: number;
  /** ends the watch; the iteration then is over without an error */
  readonly signal: AbortSignal;
};

export type WatchEvent =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: number };

/** Whole revisions: no transaction is ever torn over two batches. */
export interface WatchBatch {
  /** all changes up to this revision, inclusive, have been told */
  readonly revision: number;
  /** in order of revisions; none: nothing happened, and the watch is alive */
  readonly events: readonly WatchEvent[];
}

/** Keys, watches and leases: what a store is used for. Everything throws EtcdError and nothing else. */
export interface Etcd {
  range(request: RangeRequest): Promise<Page>;
  /** Resolves to the revision. */
  put(key: string, value: string, lease?: LeaseId): Promise<number>;
  delete(selection: Selection): Promise<{ readonly revision: number; readonly deleted: number }>;
  txn(request: Txn): Promise<TxnResult>;
  /**
   * Endless: is over only by its signal, and throws otherwise. `compacted`: read all again, then watch from there;
   * `unavailable` and `no-leader`: ask again, from the revision behind the last batch.
   */
  watch(request: WatchRequest): AsyncIterable<WatchBatch>;
  /** `ttl`: whole seconds, at least 1; etcd may give more, and says how many it gave. */
  grantLease(ttl: number): Promise<{ readonly id: LeaseId; readonly ttl: number }>;
  /** Resolves to the seconds it has again. Throws `no-lease` where it has ended. */
  keepLease(id: LeaseId): Promise<number>;
  /** Its keys go at once. Throws `no-lease` where it has ended. */
  revokeLease(id: LeaseId): Promise<void>;
  /** Forgets what was before the revision: it can be neither read nor watched any more. */
  compact(revision: number): Promise<void>;
}

export interface Member {
  readonly id: MemberId;
  /** empty: it was added and has not started yet */
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** follows without a vote */
  readonly learner: boolean;
}

export interface EtcdStatus {
  readonly version: string;
  readonly clusterId: string;
  readonly memberId: MemberId;
  /** undefined: no quorum, as this member sees it */
  readonly leader: MemberId | undefined;
  readonly learner: boolean;
  readonly revision: number;
  readonly raftTerm: number;
  /** bytes of the database's file; what of it is in use */
  readonly size: number;
  readonly inUse: number;
  /** `no-space`: only reads, deletes and what frees room, until `disarm` */
  readonly alarms: readonly ('no-space' | 'corrupt')[];
}

/**
 * What concerns the member at the client's endpoint and its cluster. Everything throws EtcdError and nothing else, but for
 * `snapshot`, whose file may be refused.
 */
export interface EtcdAdmin {
  /** Answered without a leader too. */
  status(): Promise<EtcdStatus>;
  members(): Promise<readonly Member[]>;
  /** Asks again for a while where etcd says that the cluster is not healthy yet, as it does for 5 s after each promotion. */
  addLearner(peerUrl: string): Promise<Member>;
  /** Asks again until the learner has caught up, for a while. */
  promote(id: MemberId): Promise<void>;
  removeMember(id: MemberId): Promise<void>;
  /** For a clean stop; only the leader can. */
  handOver(to: MemberId): Promise<void>;
  /** Gives freed room back to the disk. The member answers nothing meanwhile: one at a time. */
  defragment(): Promise<void>;
  /** A whole copy for `etcdctl snapshot restore`; the file is there when it is complete, mode 0600. */
  snapshot(file: string): Promise<void>;
  /** Writes are taken again, where there is room again. */
  disarm(): Promise<void>;
}

export type EtcdFailure =
  /** nobody answered in time, or the connection broke; `sent`: it may have taken effect all the same */
  | { readonly kind: 'unavailable'; readonly sent: boolean }
  /** no quorum; nothing took effect. Serializable reads and `status` are answered. */
  | { readonly kind: 'no-leader' }
  /** what was asked for is older than `revision`, the oldest that is left (0: not said) */
  | { readonly kind: 'compacted'; readonly revision: number }
  /** the quota is used up */
  | { readonly kind: 'no-space' }
  /** the member's disk has no room: nothing was sent; the message says what to do */
  | { readonly kind: 'disk-full' }
  /** a value, a transaction or an answer beyond what is taken */
  | { readonly kind: 'too-large' }
  /** there is no such lease, any more */
  | { readonly kind: 'no-lease' }
  | { readonly kind: 'no-member' }
  /** another member has this peer URL */
  | { readonly kind: 'member-exists' }
  /** the members are not healthy enough for the change, or the learner has not caught up */
  | { readonly kind: 'not-ready' }
  /** all else; the message says what */
  | { readonly kind: 'refused' };

/** Where a client finds etcd. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** PEM texts; all but `trust` only where etcd asks clients for a certificate. */
export interface ClientTls {
  readonly trust?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** Files that etcd reads: a new certificate at the next handshake, a new `trust` only at its next start. */
interface EtcdFiles {
  readonly certificate: string;
  readonly key: string;
  /** the authorities, one behind the other */
  readonly trust: string;
}

/** How a member begins. */
export type Beginning =
  /** as it was: refused where its data directory has no member, which would found a cluster unasked */
  | { readonly kind: 'again' }
  /** the first of a new cluster */
  | { readonly kind: 'new' }
  /** added to a cluster before; `members`: names and peer URLs of all that it had then, itself too */
  | { readonly kind: 'join'; readonly members: readonly (readonly [name: string, peerUrl: string])[] }
  /** the only survivor: what its data directory has, as a cluster of one */
  | { readonly kind: 'force-new' };

export interface EtcdSettings {
  /** etcd's name of the member: the node's id */
  readonly name: string;
  /** one for each cluster, so that strangers never join each other by mistake */
  readonly clusterToken: string;
  /** absolute; its own, made with mode 0700 */
  readonly dataDirectory: string;
  /** absolute and short, for sockets and the record of the process; made with mode 0700 */
  readonly runDirectory: string;
  /** bounded: the former half is `FILE.1` */
  readonly logFile: string;
  /** where other members reach this one: host without brackets, and the door's port */
  readonly advertise: { readonly host: string; readonly port: number };
  readonly files: EtcdFiles;
  /** bytes; 2 GiB where not said */
  readonly quota?: number;
}

/**
 * A member that runs on this machine, whether this daemon started it or a former one. Until it has found a quorum once since its
 * start it takes connections and answers none: requests then end by their limit.
 */
export interface EtcdProcess {
  readonly pid: number;
  /** `3.4.23` */
  readonly version: string;
  /** digest of whom it trusts (`trustIn`): it reads that at its start alone; empty: not known */
  readonly trust: string;
  /** only for this daemon: a socket that root alone reaches */
  readonly client: Endpoint;
  /** where the door takes other members' connections to */
  readonly peers: Endpoint;
  /** Resolves when it has ended, by whomever; within a second where a former daemon started it. */
  readonly ended: Promise<void>;
  /** SIGTERM, then SIGKILL; resolves when it has ended. */
  stop(): Promise<void>;
}
