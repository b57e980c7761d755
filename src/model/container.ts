/**
 * Containers as intent. `config` and `hostConfig` keep Docker's own field names and shapes, because clients send and
 * read them verbatim; everything the networks need is resolved into endpoints and sandboxes instead.
 */
import type { ContainerId, EndpointId, SandboxId } from './ids.js';

/** Docker's `ContainerConfig`: the fields that mean something here; others are kept and shown by `inspect`. */
export interface ContainerConfig {
  readonly Hostname: string;
  readonly Domainname: string;
  readonly User: string;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly StdinOnce: boolean;
  readonly Env: readonly string[];
  readonly Cmd: readonly string[] | null;
  readonly Entrypoint: readonly string[] | null;
  readonly Image: string;
  readonly Volumes?: Readonly<Record<string, object>> | null;
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  /** seconds */
  readonly StopTimeout?: number;
  readonly Healthcheck?: Healthcheck;
  readonly NetworkDisabled?: boolean;
  readonly MacAddress?: string;
}

export interface Healthcheck {
  readonly Test?: readonly string[];
  /** nanoseconds, as are the others */
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface DockerPortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** Docker's `HostConfig`, the fields that mean something here. Sizes in bytes. */
export interface HostConfig {
  readonly Binds?: readonly string[] | null;
  readonly Mounts?: readonly DockerMount[];
  readonly Tmpfs?: Readonly<Record<string, string>>;
  readonly VolumesFrom?: readonly string[] | null;
  /** `default`, `bridge`, `host`, `none`, `container:<id>` or a network's name */
  readonly NetworkMode: string;
  readonly PortBindings: Readonly<Record<string, readonly DockerPortBinding[] | null>>;
  readonly PublishAllPorts: boolean;
  readonly RestartPolicy: { readonly Name: string; readonly MaximumRetryCount: number };
  readonly AutoRemove: boolean;
  readonly Links?: readonly string[] | null;
  readonly Dns?: readonly string[] | null;
  readonly DnsSearch?: readonly string[] | null;
  readonly DnsOptions?: readonly string[] | null;
  readonly ExtraHosts?: readonly string[] | null;
  readonly Sysctls?: Readonly<Record<string, string>>;
  readonly CapAdd?: readonly string[] | null;
  readonly CapDrop?: readonly string[] | null;
  readonly Privileged?: boolean;
  readonly ReadonlyRootfs?: boolean;
  readonly SecurityOpt?: readonly string[] | null;
  readonly Ulimits?:
    | readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[]
    | null;
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly MemoryReservation?: number;
  readonly NanoCpus?: number;
  readonly CpuShares?: number;
  readonly CpuPeriod?: number;
  readonly CpuQuota?: number;
  readonly CpusetCpus?: string;
  readonly CpusetMems?: string;
  readonly PidsLimit?: number | null;
  readonly OomKillDisable?: boolean | null;
  readonly OomScoreAdj?: number;
  readonly BlkioWeight?: number;
  readonly ShmSize?: number;
  readonly Devices?:
    | readonly {
        readonly PathOnHost: string;
        readonly PathInContainer: string;
        readonly CgroupPermissions: string;
      }[]
    | null;
  readonly GroupAdd?: readonly string[] | null;
  readonly Init?: boolean | null;
  readonly IpcMode?: string;
  readonly PidMode?: string;
  readonly UTSMode?: string;
  readonly CgroupnsMode?: string;
  readonly UsernsMode?: string;
  readonly MaskedPaths?: readonly string[] | null;
  readonly ReadonlyPaths?: readonly string[] | null;
  readonly LogConfig?: { readonly Type: string; readonly Config: Readonly<Record<string, string>> };
  readonly Runtime?: string;
}

/** The container of `container:<name|id>`, whose namespace is shared by a mode; undefined for other modes. */
export const joinedContainer = (mode: string | undefined): string | undefined =>
  mode?.startsWith('container:') ? mode.slice('container:'.length) : undefined;

/** Docker's masked and read-only paths of an unprivileged container (moby oci/defaults.go). */
export const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
export const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

export interface DockerMount {
  readonly Type: 'bind' | 'volume' | 'tmpfs';
  readonly Source?: string;
  readonly Target: string;
  readonly ReadOnly?: boolean;
  readonly BindOptions?: {
    readonly Propagation?: string;
    readonly CreateMountpoint?: boolean;
    readonly NonRecursive?: boolean;
    readonly ReadOnlyNonRecursive?: boolean;
    readonly ReadOnlyForceRecursive?: boolean;
  };
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean;
    readonly Subpath?: string;
    readonly Labels?: Readonly<Record<string, string>>;
    readonly DriverConfig?: { readonly Name?: string; readonly Options?: Readonly<Record<string, string>> };
  };
  readonly TmpfsOptions?: { readonly SizeBytes?: number; readonly Mode?: number };
}

/** What the user asked of one network for one container; kept while the container exists, also when stopped. */
export interface EndpointSettings {
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly linkLocal: readonly string[];
  /** requested MAC, empty: derived from the address */
  readonly mac: string;
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly gwPriority: number;
  /** its addresses were given by the manager of a swarm, who takes them back: nobody is asked for them. Never a client's to say */
  readonly assigned?: true;
}

export const NO_SETTINGS: EndpointSettings = {
  linkLocal: [],
  mac: '',
  aliases: [],
  links: [],
  driverOptions: {},
  gwPriority: 0,
};

export type ContainerStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'restarting'
  | 'removing'
  | 'exited'
  | 'dead';

/** Time of what has not happened. */
export const NEVER = '0001-01-01T00:00:00Z';

export interface ContainerState {
  readonly status: ContainerStatus;
  /** of the container's first process; 0 while not running */
  readonly pid: number;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  /** RFC 3339 with nanoseconds; `0001-01-01T00:00:00Z`: never */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly health?: Health;
}

export interface Health {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  readonly log: readonly {
    readonly start: string;
    readonly end: string;
    readonly exitCode: number;
    readonly output: string;
  }[];
}

/** A mount point as resolved at create (for `inspect`'s Mounts and the runtime). */
export interface MountPoint {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** volume's name; empty for others */
  readonly name: string;
  /** absolute path on the host; empty for tmpfs */
  readonly source: string;
  readonly destination: string;
  readonly mode: string;
  readonly rw: boolean;
  readonly propagation: string;
  readonly driver: string;
  /** of a volume: the directory in it that is mounted; absent: the volume itself */
  readonly subpath?: string;
  /** of a volume: it does not begin with what the image has there */
  readonly noCopy?: boolean;
  /** of a bind: without what is mounted below its source */
  readonly nonRecursive?: boolean;
  /** read-only, but not what is mounted below; or that too, or not at all. Absent: where the kernel can (5.12) */
  readonly readOnlyBelow?: 'no' | 'must';
  /** tmpfs: mount options, e.g. `size=64m` */
  readonly options: string;
}

/**
 * `--link` on the default network, as it was understood when the container was made: it stays with its target through
 * renames, and never goes over to another container of the name.
 */
export interface ContainerLink {
  readonly target: ContainerId;
  /** the target's name then, for when it is gone */
  readonly name: string;
  readonly alias: string;
}

export interface Container {
  readonly id: ContainerId;
  /** without the leading slash */
  readonly name: string;
  readonly createdAt: string;
  /** the image's id (`sha256:…`) */
  readonly imageId: string;
  /** as the user wrote it */
  readonly imageName: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** keyed by the network's id (a config name until resolved at start), in the order in which interfaces are made */
  readonly networks: readonly {
    readonly networkId: string;
    readonly name: string;
    readonly settings: EndpointSettings;
  }[];
  /** absent: of a user-defined network, where links are names to resolve */
  readonly links?: readonly ContainerLink[];
  readonly mounts: readonly MountPoint[];
  /** command line after entrypoint, command and image were merged */
  readonly args: readonly string[];
  readonly state: ContainerState;
  /** a step of a build: gone with it, or with the daemon that made it */
  readonly step?: boolean;
  /** id of the swarm's task that it was made for; labels may be anybody's */
  readonly task?: string;
  readonly restartCount: number;
  /** the user stopped it: `unless-stopped` and `always` do not bring it back before the next daemon start */
  readonly stoppedByUser: boolean;
  /** present while running (or paused) */
  readonly sandboxId: SandboxId | null;
  /** on `networks`, in their order */
  readonly endpointIds: readonly EndpointId[];
}

/** Does it have a process, or is it about to have one again? */
export const isUp = ({ state }: Pick<Container, 'state'>): boolean =>
  ['running', 'paused', 'restarting'].includes(state.status);
