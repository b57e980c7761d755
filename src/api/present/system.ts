/** `version` and `info`: the host and the daemon in Docker's fields. Pure. */
import type { DaemonConfig } from '../../config/contract.js';
import type { DroppedPackets } from '../../engine/contract.js';
import type { ContainerStatus } from '../../model/container.js';
import { MAX_API_VERSION, MIN_API_VERSION } from '../http/version.js';
import type { Answer } from '../schema/answer.js';

export interface HostFacts {
  readonly name: string;
  readonly kernel: string;
  /** PRETTY_NAME of os-release */
  readonly operatingSystem: string;
  readonly osVersion: string;
  /** as `uname -m` says: `x86_64` */
  readonly machine: string;
  /** Go's word: `amd64` */
  readonly architecture: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly openFiles: number;
  readonly ipv4Forwarding: boolean;
  readonly swapLimit: boolean;
  readonly appArmor: boolean;
  /** RFC 3339 */
  readonly time: string;
}

export interface DaemonFacts {
  readonly id: string;
  readonly release: string;
  readonly config: DaemonConfig;
  readonly runtime: { readonly name: string; readonly version: string };
  readonly containers: readonly ContainerStatus[];
  readonly images: number;
  readonly networkDrivers: readonly string[];
  readonly eventListeners: number;
  readonly warnings: readonly string[];
  readonly swarm: Answer<'SwarmInfo'>;
}

/**
 * moby's version whose API we serve (1.52) and whose behaviour we match: clients compare it, and take what is below theirs
 * for an engine that lacks what it has. Our own is the component Viaduct's.
 */
export const MOBY = '29.0.0';

export const presentVersion = (
  host: HostFacts,
  daemon: DaemonFacts,
  node: string,
): Answer<'SystemVersion'> => ({
  Platform: { Name: `Viaduct ${daemon.release}` },
  Components: [
    {
      // The client looks for this name and prints the rest below it.
      Name: 'Engine',
      Version: MOBY,
      Details: {
        ApiVersion: MAX_API_VERSION,
        Arch: host.architecture,
        Experimental: 'false',
        GoVersion: `none (Node ${node})`,
        KernelVersion: host.kernel,
        MinAPIVersion: MIN_API_VERSION,
        Os: 'linux',
      },
    },
    { Name: 'Viaduct', Version: daemon.release, Details: {} },
    { Name: daemon.runtime.name, Version: daemon.runtime.version, Details: {} },
  ],
  Version: MOBY,
  ApiVersion: MAX_API_VERSION,
  MinAPIVersion: MIN_API_VERSION,
  Os: 'linux',
  Arch: host.architecture,
  KernelVersion: host.kernel,
  GitCommit: '',
  GoVersion: `none (Node ${node})`,
  BuildTime: '',
});

const count = (all: readonly ContainerStatus[], ...wanted: readonly ContainerStatus[]): number =>
  all.filter((status) => wanted.includes(status)).length;

/** `minor`: of the API version. */
export const presentInfo = (host: HostFacts, daemon: DaemonFacts, minor: number): Answer<'SystemInfo'> => {
  const { config } = daemon;
  const running = count(daemon.containers, 'running', 'restarting');
  const paused = count(daemon.containers, 'paused');
  const commit = { ID: '', Expected: '' };
  return {
    ID: daemon.id,
    Containers: daemon.containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: daemon.containers.length - running - paused,
    Images: daemon.images,
    Driver: 'overlay2',
    DriverStatus: [['Backing Store', 'containers-storage']],
    Plugins: {
      Volume: ['local'],
      Network: [...daemon.networkDrivers].sort(),
      Authorization: null,
      Log: ['json-file', 'none'],
    },
    MemoryLimit: true,
    SwapLimit: host.swapLimit,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    OomKillDisable: false,
    IPv4Forwarding: host.ipv4Forwarding,
    // Gone from API 1.50.
    BridgeNfIptables: minor < 50 ? false : undefined,
    BridgeNfIp6tables: minor < 50 ? false : undefined,
    Debug: config.debug,
    NFd: host.openFiles,
    NGoroutines: 1,
    SystemTime: host.time,
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: '2',
    NEventsListener: daemon.eventListeners,
    KernelVersion: host.kernel,
    OperatingSystem: host.operatingSystem,
    OSVersion: host.osVersion,
    OSType: 'linux',
    Architecture: host.machine,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: presentRegistries(config),
    NCPU: host.processors,
    MemTotal: host.memoryBytes,
    GenericResources: null,
    DockerRootDir: config.dataRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: host.name,
    Labels: config.labels,
    ExperimentalBuild: false,
    ServerVersion: MOBY,
    Runtimes: { [daemon.runtime.name]: { path: daemon.runtime.name } },
    DefaultRuntime: daemon.runtime.name,
    Swarm: daemon.swarm,
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: commit,
    RuncCommit: { ID: daemon.runtime.version, Expected: daemon.runtime.version },
    InitCommit: commit,
    SecurityOptions: [
      ...(host.appArmor ? ['name=apparmor'] : []),
      'name=seccomp,profile=builtin',
      'name=cgroupns',
    ],
    DefaultAddressPools: config.defaultAddressPools.map(({ base, size }) => ({ Base: base, Size: size })),
    FirewallBackend: minor < 49 ? undefined : { Driver: 'nftables' },
    CDISpecDirs: [],
    Warnings: presentWarnings(daemon, host),
  };
};

const presentRegistries = (config: DaemonConfig): Answer<'RegistryServiceConfig'> => ({
  AllowNondistributableArtifactsCIDRs: null,
  AllowNondistributableArtifactsHostnames: null,
  InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
  IndexConfigs: {
    'docker.io': { Name: 'docker.io', Mirrors: config.registryMirrors, Secure: true, Official: true },
    ...Object.fromEntries(
      config.insecureRegistries.map((name) => [
        name,
        { Name: name, Mirrors: [], Secure: false, Official: false },
      ]),
    ),
  },
  Mirrors: config.registryMirrors,
});

const presentWarnings = ({ config, warnings }: DaemonFacts, host: HostFacts): readonly string[] => {
  const open = config.hosts
    .filter((host) => host.startsWith('tcp://') && config.tls?.verify !== true)
    .map(
      (host) =>
        `API is accessible on ${host} without ${config.tls === null ? 'encryption' : 'TLS client verification'}: whoever reaches it is root on this host`,
    );
  const forwarding = host.ipv4Forwarding ? [] : ['IPv4 forwarding is disabled'];
  return [...open, ...forwarding, ...warnings].map((each) => `WARNING: ${each}`);
};

/** Of `/viaduct/dropped`, which Docker has not. */
export const presentDropped = (dropped: readonly DroppedPackets[]) =>
  dropped.map(({ container, network, reason, packets }) => ({
    Container: container,
    Network: network,
    Reason: reason,
    Packets: packets,
  }));
