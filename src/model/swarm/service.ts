/**
 * Services as their users want them. What controllers decide by is resolved into fields of ours; what only the node reads, the
 * container, keeps Docker's own names and shapes, as in container.ts. Absent is what the user left out: `service inspect` tells
 * it from a default.
 */
import type { Healthcheck } from '../container.js';
import type { EndpointSpec, NetworkAddresses, PortConfig } from './endpoint.js';
import type { Instant, Kept } from './kept.js';

type Texts = Readonly<Record<string, string>>;

export type ServiceMode =
  | { readonly kind: 'replicated'; readonly replicas: number }
  | { readonly kind: 'global' }
  | { readonly kind: 'replicated-job'; readonly maxConcurrent: number; readonly totalCompletions: number }
  | { readonly kind: 'global-job' };

export interface RestartPolicy {
  readonly condition: 'none' | 'on-failure' | 'any';
  /** nanoseconds, as is the window */
  readonly delay?: number;
  /** 0: no limit */
  readonly maxAttempts: number;
  readonly window?: number;
}

export interface UpdateConfig {
  /** 0: all at once */
  readonly parallelism: number;
  /** nanoseconds, as is the monitor */
  readonly delay: number;
  readonly failureAction: 'pause' | 'continue' | 'rollback';
  readonly monitor?: number;
  /** 0–1 */
  readonly maxFailureRatio: number;
  readonly order: 'stop-first' | 'start-first';
}

/** What holds where a service says nothing: swarmkit's numbers (api/defaults/service.go), in nanoseconds. */
const SECOND = 1_000_000_000;
export const DEFAULT_MONITOR = 5 * SECOND;
export const DEFAULT_STOP_GRACE_PERIOD = 10 * SECOND;
export const DEFAULT_RESTART = {
  condition: 'any',
  delay: 5 * SECOND,
  maxAttempts: 0,
} as const satisfies RestartPolicy;
export const DEFAULT_UPDATE: UpdateConfig = {
  parallelism: 1,
  delay: 0,
  failureAction: 'pause',
  monitor: DEFAULT_MONITOR,
  maxFailureRatio: 0,
  order: 'stop-first',
};

/** `value` of a discrete resource is a number, of a named one a text. */
export interface GenericResource {
  readonly kind: string;
  readonly value: number | string;
}

export interface Resources {
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly generic: readonly GenericResource[];
}

export interface ResourceRequirements {
  readonly limits?: { readonly nanoCpus: number; readonly memoryBytes: number; readonly pids: number };
  readonly reservations?: Resources;
  readonly swapBytes?: number;
  readonly memorySwappiness?: number;
}

export interface Platform {
  readonly architecture: string;
  readonly os: string;
}

export interface Placement {
  /** `node.role==manager` and the like, as written */
  readonly constraints: readonly string[];
  /** descriptors to spread over, outermost first: `node.labels.zone` */
  readonly spread: readonly string[];
  /** on one node; 0: no limit */
  readonly maxReplicas: number;
  readonly platforms: readonly Platform[];
}

export interface NetworkTarget {
  /** a network's id; `host` and `bridge`: the node's own */
  readonly target: string;
  readonly aliases: readonly string[];
  readonly options: Texts;
}

interface FileTarget {
  readonly name: string;
  readonly uid: string;
  readonly gid: string;
  /** permission bits */
  readonly mode: number;
}

/** Of a secret or a config. A config without a file is read by the runtime. */
export interface FileReference {
  readonly id: string;
  readonly name: string;
  readonly file?: FileTarget;
}

export interface Driver {
  readonly name: string;
  readonly options: Texts;
}

/** Docker's `ContainerSpec` of a service, without the references to secrets and configs. Spans of time in nanoseconds. */
export interface ServiceContainer {
  readonly Image: string;
  readonly Labels?: Texts;
  readonly Command?: readonly string[];
  readonly Args?: readonly string[];
  readonly Hostname?: string;
  readonly Env?: readonly string[];
  readonly Dir?: string;
  readonly User?: string;
  readonly Groups?: readonly string[];
  readonly Privileges?: object;
  readonly Init?: boolean;
  readonly StopSignal?: string;
  readonly TTY?: boolean;
  readonly OpenStdin?: boolean;
  readonly ReadOnly?: boolean;
  readonly Mounts?: readonly ServiceMount[];
  readonly StopGracePeriod?: number;
  readonly Healthcheck?: Healthcheck;
  readonly Hosts?: readonly string[];
  readonly DNSConfig?: {
    readonly Nameservers?: readonly string[];
    readonly Search?: readonly string[];
    readonly Options?: readonly string[];
  };
  readonly Isolation?: string;
  readonly Sysctls?: Texts;
  readonly CapabilityAdd?: readonly string[];
  readonly CapabilityDrop?: readonly string[];
  readonly Ulimits?: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[];
  readonly OomScoreAdj?: number;
}

export interface ServiceMount {
  readonly Type: 'bind' | 'volume' | 'tmpfs';
  readonly Source?: string;
  readonly Target: string;
  readonly ReadOnly?: boolean;
  readonly BindOptions?: object;
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean;
    readonly Labels?: Texts;
    readonly Subpath?: string;
    readonly DriverConfig?: { readonly Name?: string; readonly Options?: Texts };
  };
  readonly TmpfsOptions?: object;
}

/** A plugin's name; empty: the mount needs none. */
export const volumeDriver = ({ Type, VolumeOptions }: ServiceMount): string => {
  const name = Type === 'volume' ? (VolumeOptions?.DriverConfig?.Name ?? '') : '';
  return name === 'local' ? '' : name;
};

/** Credentials for images are sealed as the data of a secret with this id would be. */
export const REGISTRY_CREDENTIALS = 'registry-credentials';

/** What a task is made by. */
export interface TaskSpec {
  readonly container: ServiceContainer;
  readonly secrets: readonly FileReference[];
  readonly configs: readonly FileReference[];
  readonly resources?: ResourceRequirements;
  readonly restart?: RestartPolicy;
  readonly placement?: Placement;
  readonly networks: readonly NetworkTarget[];
  readonly logDriver?: Driver;
  /** one more of it, and all tasks are made anew */
  readonly forceUpdate: number;
  /** credentials for its image (`X-Registry-Auth`), in records sealed; no difference between tasks that have their image */
  readonly registryAuth?: string;
}

export interface ServiceSpec {
  readonly name: string;
  readonly labels: Texts;
  readonly task: TaskSpec;
  readonly mode: ServiceMode;
  readonly update?: UpdateConfig;
  readonly rollback?: UpdateConfig;
  readonly endpoint?: EndpointSpec;
}

/** What was allocated for a service. */
interface ServiceEndpoint {
  /** the spec version that it is for */
  readonly spec: number;
  readonly ports: readonly PortConfig[];
  readonly virtualIps: readonly NetworkAddresses[];
  /** why there is less than the spec asks for; empty: there is all */
  readonly err: string;
}

export type UpdateState =
  | 'updating'
  | 'paused'
  | 'completed'
  | 'rollback_started'
  | 'rollback_paused'
  | 'rollback_completed';

/** What may follow what without a user's doing. */
export const NEXT_UPDATE: Readonly<Record<UpdateState, readonly UpdateState[]>> = {
  updating: ['completed', 'paused', 'rollback_started'],
  rollback_started: ['rollback_completed', 'rollback_paused'],
  completed: [],
  paused: [],
  rollback_completed: [],
  rollback_paused: [],
};

export interface UpdateStatus {
  readonly state: UpdateState;
  readonly message: string;
  readonly startedAt: Instant;
  readonly completedAt?: Instant;
  /** the spec version that it leaves */
  readonly from: number;
  /** slots that were to be replaced when it began, and how many of them failed: their ratio decides */
  readonly slots: number;
  readonly failures: number;
}

/** `service/ID`: written by the API and the leader. */
export interface Service extends Kept {
  readonly id: string;
  readonly spec: ServiceSpec;
  /** which `service-spec/ID/N` the tasks are to be made by */
  readonly specVersion: number;
  readonly previous?: { readonly spec: ServiceSpec; readonly specVersion: number };
  /** the highest spec version there ever was: a new one is one more, also after a rollback */
  readonly newestSpec: number;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
  readonly endpoint?: ServiceEndpoint;
  readonly update?: UpdateStatus;
  /** of jobs */
  readonly job?: { readonly iteration: number; readonly lastExecution: Instant };
}

/** `service-spec/SERVICE/N`: what tasks of that version are made by, for as long as there are any. */
export interface SpecVersion extends Kept {
  /** `SERVICE/N` */
  readonly id: string;
  readonly name: string;
  readonly labels: Texts;
  readonly task: TaskSpec;
  readonly endpoint?: EndpointSpec;
}
