/**
 * The swarm as the API sees it: this node's part in a cluster, and on a manager the cluster itself. A daemon that is in no swarm has
 * this too, and nothing behind it: all else of this room is loaded when the node begins, joins or comes back to a cluster.
 */
import type { NetworkCreateRequest } from '../engine/contract.js';
import type { NetworkId } from '../model/ids.js';
import type { Network } from '../model/network.js';
import type { Blob, ClusterSpec, SwarmNetwork } from '../model/swarm/cluster.js';
import type { Service, ServiceSpec, SpecVersion } from '../model/swarm/service.js';
import type { Task, TaskReport, TaskStatus } from '../model/swarm/task.js';
import type { BlobKind, BlobWish } from './control/commands/blobs.js';
import type { ManagerAddress, NodeDescription, Role } from './session/protocol.js';

type LocalState = 'inactive' | 'pending' | 'active' | 'error' | 'locked';
export type Availability = 'active' | 'pause' | 'drain';

export interface SwarmStatus {
  readonly state: LocalState;
  readonly nodeId: string;
  /** without a port */
  readonly address: string;
  /** this node can be asked about the cluster and told to change it */
  readonly control: boolean;
  readonly error: string;
  readonly managers: readonly ManagerAddress[];
  /** where `control` */
  readonly cluster?: {
    readonly view: ClusterView;
    readonly nodes: number;
    readonly managers: number;
    /** sentences for people */
    readonly warnings: readonly string[];
  };
}

/** What of a spec was given; the rest stays (init) or becomes the default (update). */
export interface ClusterSpecRequest {
  readonly spec: Partial<Omit<ClusterSpec, 'raft'>> & { readonly raft?: Partial<ClusterSpec['raft']> };
  /** an authority of the user's own, PEM */
  readonly authority?: { readonly certificate: string; readonly key: string };
}

export interface ClusterView {
  readonly id: string;
  readonly version: number;
  /** RFC 3339 */
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly spec: ClusterSpec;
  readonly trustRoot: string;
  /** of whoever issues, base64 */
  readonly issuerSubject: string;
  readonly issuerPublicKey: string;
  readonly rotating: boolean;
  readonly pools: readonly string[];
  readonly subnetSize: number;
  readonly dataPathPort: number;
}

export interface NodeSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly role: Role;
  readonly availability: Availability;
}

export interface NodeView {
  readonly id: string;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly spec: NodeSpec;
  readonly description: NodeDescription | undefined;
  readonly status: {
    readonly state: 'unknown' | 'down' | 'ready' | 'disconnected';
    readonly message: string;
    readonly address: string;
  };
  /** undefined: no manager */
  readonly manager:
    | {
        readonly leader: boolean;
        readonly reachability: 'unknown' | 'unreachable' | 'reachable';
        readonly address: string;
      }
    | undefined;
}

export interface InitRequest {
  readonly listen: string;
  readonly advertise: string;
  readonly dataPath: string;
  readonly dataPathPort: number;
  readonly pools: readonly string[];
  readonly subnetSize: number;
  readonly availability: Availability;
  readonly forceNewCluster: boolean;
  readonly spec: ClusterSpecRequest;
}

export interface JoinRequest {
  readonly listen: string;
  readonly advertise: string;
  readonly dataPath: string;
  readonly remotes: readonly string[];
  readonly token: string;
  readonly availability: Availability;
}

export interface Rotation {
  readonly workerToken: boolean;
  readonly managerToken: boolean;
  readonly unlockKey: boolean;
}

/** Tasks of a service. */
export interface ServiceCounts {
  readonly running: number;
  readonly desired: number;
  /** of a job's present run */
  readonly completed: number;
}

export interface TaskView {
  readonly task: Task;
  /** of its container: service.slot.id */
  readonly name: string;
  readonly status: TaskStatus;
  /** the node's; undefined: it has said nothing yet */
  readonly report: TaskReport | undefined;
  /** undefined: its service and all else of it are gone */
  readonly made: SpecVersion | undefined;
  readonly networks: readonly { readonly network: SwarmNetwork; readonly addresses: readonly string[] }[];
}

export type ServiceChange =
  | { readonly spec: ServiceSpec; readonly credentialsFrom: 'spec' | 'previous-spec' }
  | 'rollback';

/** Whose logs: those of all tasks of a service, or of one of them. */
export interface LogSelection {
  readonly serviceId: string;
  readonly taskId?: string;
}

export interface LogWish {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** milliseconds since the epoch, by each node's clock; 0: from the beginning */
  readonly since: number;
  /** also what is written later, by tasks that come later too */
  readonly follow: boolean;
  /** lines of each task; -1: all */
  readonly tail: number;
}

export interface ServiceLine {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, by the node's clock */
  readonly time: string;
  /** with its line end where it had one */
  readonly text: Buffer;
  readonly nodeId: string;
  readonly serviceId: string;
  readonly taskId: string;
}

/** Reads come from this manager's memory; writes are in the store when they resolve. Everything throws ViaductError. */
export interface Manager {
  /** Resolves when all is shown that any manager had written before the call; within seconds, where the store does not tell. */
  current(): Promise<void>;
  cluster(): ClusterView;
  tokens(): { readonly worker: string; readonly manager: string };
  /** `version`: that of the view that the spec was made from */
  updateCluster(version: number, request: ClusterSpecRequest, rotation: Rotation): Promise<void>;
  /** empty: managers are not locked */
  unlockKey(): string;
  nodes(): readonly NodeView[];
  /** Full id, then name of the host, then id prefix; `self` is this one. Throws not-found. */
  node(reference: string): NodeView;
  updateNode(reference: string, version: number, spec: NodeSpec): Promise<void>;
  removeNode(reference: string, force: boolean): Promise<void>;
  /** of the cluster, whether this node has a part in them or not */
  networks(): readonly Network[];
  createNetwork(request: NetworkCreateRequest): Promise<{ readonly id: NetworkId; readonly warning: string }>;
  /** By its id. */
  removeNetwork(id: NetworkId): Promise<void>;
  services(): readonly Service[];
  /** Here and below: by the full id, then the name, then the beginning of an id. Throws not-found. */
  service(reference: string): Service;
  counts(service: Service): ServiceCounts;
  /** Networks are named by their ids. Resolves to the service's id. */
  createService(spec: ServiceSpec): Promise<string>;
  /** `version`: that of the service that the change was made from */
  updateService(reference: string, version: number, change: ServiceChange): Promise<void>;
  removeService(reference: string): Promise<void>;
  /** Of these services, or all. */
  tasks(serviceIds?: readonly string[]): readonly TaskView[];
  task(reference: string): TaskView;
  /** It is as its service wants it now. */
  isUpToDate(task: Task): boolean;
  /**
   * Read at the caller's pace, and over when he is `gone`. Throws not-implemented where no log can be read; the iteration throws at its end
   * where something could not be had.
   */
  logs(selection: LogSelection, wish: LogWish, gone: AbortSignal): AsyncIterable<ServiceLine>;
  /** The data of secrets is sealed. */
  blobs(kind: BlobKind): readonly Blob[];
  blob(kind: BlobKind, reference: string): Blob;
  createBlob(kind: BlobKind, wish: BlobWish): Promise<string>;
  /** Without data it stays. */
  updateBlob(kind: BlobKind, reference: string, version: number, wish: BlobWish): Promise<void>;
  removeBlob(kind: BlobKind, reference: string): Promise<void>;
}

export interface Swarm {
  status(): SwarmStatus;
  /** Resolves to this node's id. */
  init(request: InitRequest): Promise<string>;
  join(request: JoinRequest): Promise<void>;
  leave(force: boolean): Promise<void>;
  unlock(key: string): Promise<void>;
  /** Throws unavailable, in moby's words, where this node cannot be asked. */
  manager(): Manager;
  /** The daemon ends; the cluster's processes go on. */
  close(): Promise<void>;
}
