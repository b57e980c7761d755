/** Shapes of the Docker Engine API's answers. Written by scripts/api-types.ts: do not edit. */

/** A definition; `C`: what of it is otherwise (answer.ts). */
export type Answer<C, Name extends keyof Definitions<C>> = Name extends keyof C
  ? Omit<Definitions<C>[Name], keyof C[Name]> & C[Name]
  : Definitions<C>[Name];

export interface Definitions<C> {
  ContainerInspectResponse: {
    readonly Id: string;
    readonly Created?: string | null | undefined;
    readonly Path: string;
    readonly Args: readonly string[] | null;
    readonly State: Answer<C, 'ContainerState'>;
    readonly Image: string;
    readonly ResolvConfPath: string;
    readonly HostnamePath: string;
    readonly HostsPath: string;
    readonly LogPath?: string | null | undefined;
    readonly Name: string;
    readonly RestartCount: number;
    readonly Driver: string;
    readonly Platform: string;
    readonly ImageManifestDescriptor?: undefined;
    readonly MountLabel: string;
    readonly ProcessLabel: string;
    readonly AppArmorProfile: string;
    readonly ExecIDs?: readonly string[] | null | undefined;
    readonly HostConfig: Answer<C, 'HostConfig'>;
    readonly GraphDriver?: Answer<C, 'DriverData'> | null | undefined;
    readonly Storage?: Answer<C, 'Storage'> | null | undefined;
    readonly SizeRw?: number | null | undefined;
    readonly SizeRootFs?: number | null | undefined;
    readonly Mounts: readonly Answer<C, 'MountPoint'>[] | null;
    readonly Config: Answer<C, 'ContainerConfig'>;
    readonly NetworkSettings: Answer<C, 'NetworkSettings'>;
  };
  ContainerSummary: {
    readonly Id: string;
    readonly Names: readonly string[] | null;
    readonly Image: string;
    readonly ImageID: string;
    readonly ImageManifestDescriptor?: undefined;
    readonly Command: string;
    readonly Created: number;
    readonly Ports: readonly Answer<C, 'PortSummary'>[] | null;
    readonly SizeRw?: number | null | undefined;
    readonly SizeRootFs?: number | null | undefined;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly State: 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'removing' | 'dead';
    readonly Status: string;
    readonly HostConfig: {
      readonly NetworkMode: string;
      readonly Annotations?: Readonly<Record<string, string>> | null | undefined;
    };
    readonly NetworkSettings: {
      readonly Networks: Readonly<Record<string, Answer<C, 'EndpointSettings'>>> | null;
    };
    readonly Mounts: readonly Answer<C, 'MountPoint'>[] | null;
    readonly Health: {
      readonly Status: 'none' | 'starting' | 'healthy' | 'unhealthy';
      readonly FailingStreak: number;
    };
  };
  ContainerCreateResponse: { readonly Id: string; readonly Warnings: readonly string[] | null };
  ContainerUpdateResponse: { readonly Warnings: readonly string[] | null };
  ContainerStatsResponse: {
    readonly id?: string | null | undefined;
    readonly name?: string | null | undefined;
    readonly os_type?: string | null | undefined;
    readonly read: string;
    readonly cpu_stats: Answer<C, 'ContainerCPUStats'>;
    readonly memory_stats: Answer<C, 'ContainerMemoryStats'>;
    readonly networks?: Readonly<Record<string, Answer<C, 'ContainerNetworkStats'>>> | null | undefined;
    readonly pids_stats: Answer<C, 'ContainerPidsStats'>;
    readonly blkio_stats: Answer<C, 'ContainerBlkioStats'>;
    readonly num_procs: number;
    readonly storage_stats: Answer<C, 'ContainerStorageStats'>;
    readonly preread: string;
    readonly precpu_stats: Answer<C, 'ContainerCPUStats'>;
  };
  ContainerTopResponse: {
    readonly Titles: readonly string[] | null;
    readonly Processes: readonly (readonly string[] | null)[] | null;
  };
  ContainerWaitResponse: { readonly StatusCode: number; readonly Error: Answer<C, 'ContainerWaitExitError'> };
  ContainerPruneResponse: {
    readonly ContainersDeleted: readonly string[] | null;
    readonly SpaceReclaimed: number;
  };
  FilesystemChange: { readonly Path: string; readonly Kind: number };
  ExecInspectResponse: {
    readonly CanRemove: boolean;
    readonly DetachKeys: string;
    readonly ID: string;
    readonly Running: boolean;
    readonly ExitCode: number;
    readonly ProcessConfig: Answer<C, 'ProcessConfig'>;
    readonly OpenStdin: boolean;
    readonly OpenStderr: boolean;
    readonly OpenStdout: boolean;
    readonly ContainerID: string;
    readonly Pid: number;
  };
  IDResponse: { readonly Id: string };
  EventMessage: {
    readonly Type:
      | 'builder'
      | 'config'
      | 'container'
      | 'daemon'
      | 'image'
      | 'network'
      | 'node'
      | 'plugin'
      | 'secret'
      | 'service'
      | 'volume';
    readonly Action: string;
    readonly Actor: Answer<C, 'EventActor'>;
    readonly scope: 'local' | 'swarm';
    readonly time: number;
    readonly timeNano: number;
  };
  NetworkSummary: {
    readonly Name: string;
    readonly Id: string;
    readonly Created: string;
    readonly Scope: string;
    readonly Driver: string;
    readonly EnableIPv4: boolean;
    readonly EnableIPv6: boolean;
    readonly IPAM: Answer<C, 'IPAM'>;
    readonly Internal: boolean;
    readonly Attachable: boolean;
    readonly Ingress: boolean;
    readonly ConfigFrom: Answer<C, 'ConfigReference'>;
    readonly ConfigOnly: boolean;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Peers?: readonly Answer<C, 'PeerInfo'>[] | null | undefined;
  };
  NetworkInspect: {
    readonly Name: string;
    readonly Id: string;
    readonly Created: string;
    readonly Scope: string;
    readonly Driver: string;
    readonly EnableIPv4: boolean;
    readonly EnableIPv6: boolean;
    readonly IPAM: Answer<C, 'IPAM'>;
    readonly Internal: boolean;
    readonly Attachable: boolean;
    readonly Ingress: boolean;
    readonly ConfigFrom: Answer<C, 'ConfigReference'>;
    readonly ConfigOnly: boolean;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Peers?: readonly Answer<C, 'PeerInfo'>[] | null | undefined;
    readonly Containers: Readonly<Record<string, Answer<C, 'EndpointResource'>>> | null;
    readonly Services?: Readonly<Record<string, unknown>> | null | undefined;
    readonly Status: Answer<C, 'NetworkStatus'>;
  };
  NetworkCreateResponse: { readonly Id: string; readonly Warning: string };
  NetworkPruneResponse: { readonly NetworksDeleted: readonly string[] | null };
  ImageSummary: {
    readonly Id: string;
    readonly ParentId: string;
    readonly RepoTags: readonly string[] | null;
    readonly RepoDigests: readonly string[] | null;
    readonly Created: number;
    readonly Size: number;
    readonly SharedSize: number;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Containers: number;
    readonly Manifests?: undefined;
    readonly Descriptor?: undefined;
  };
  ImageInspect: {
    readonly Id: string;
    readonly Descriptor?: undefined;
    readonly Manifests?: undefined;
    readonly RepoTags: readonly string[] | null;
    readonly RepoDigests: readonly string[] | null;
    readonly Comment?: string | null | undefined;
    readonly Created?: string | null | undefined;
    readonly Author?: string | null | undefined;
    readonly Config: Answer<C, 'ImageConfig'>;
    readonly Architecture: string;
    readonly Variant?: string | null | undefined;
    readonly Os: string;
    readonly OsVersion?: string | null | undefined;
    readonly Size: number;
    readonly GraphDriver?: Answer<C, 'DriverData'> | null | undefined;
    readonly RootFS: { readonly Type: string; readonly Layers: readonly string[] | null };
    readonly Metadata: { readonly LastTagTime?: string | null | undefined };
  };
  ImageHistoryResponseItem: {
    readonly Id: string;
    readonly Created: number;
    readonly CreatedBy: string;
    readonly Tags: readonly string[] | null;
    readonly Size: number;
    readonly Comment: string;
  };
  ImageDeleteResponseItem: { readonly Untagged: string; readonly Deleted: string };
  ImagePruneResponse: {
    readonly ImagesDeleted: readonly Answer<C, 'ImageDeleteResponseItem'>[] | null;
    readonly SpaceReclaimed: number;
  };
  BuildPruneResponse: { readonly CachesDeleted: readonly string[] | null; readonly SpaceReclaimed: number };
  Volume: {
    readonly Name: string;
    readonly Driver: string;
    readonly Mountpoint: string;
    readonly CreatedAt: string;
    readonly Status: Readonly<Record<string, object>> | null;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Scope: 'local' | 'global';
    readonly ClusterVolume?: undefined;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null | undefined;
  };
  VolumeListResponse: {
    readonly Volumes: readonly Answer<C, 'Volume'>[] | null;
    readonly Warnings: readonly string[] | null;
  };
  VolumePruneResponse: { readonly VolumesDeleted: readonly string[] | null; readonly SpaceReclaimed: number };
  Node: {
    readonly ID: string;
    readonly Version: Answer<C, 'ObjectVersion'>;
    readonly CreatedAt: string;
    readonly UpdatedAt: string;
    readonly Spec: Answer<C, 'NodeSpec'>;
    readonly Description: Answer<C, 'NodeDescription'>;
    readonly Status: Answer<C, 'NodeStatus'>;
    readonly ManagerStatus: Answer<C, 'ManagerStatus'>;
  };
  Swarm: {
    readonly ID: string;
    readonly Version: Answer<C, 'ObjectVersion'>;
    readonly CreatedAt: string;
    readonly UpdatedAt: string;
    readonly Spec: Answer<C, 'SwarmSpec'>;
    readonly TLSInfo: Answer<C, 'TLSInfo'>;
    readonly RootRotationInProgress: boolean;
    readonly DataPathPort: number;
    readonly DefaultAddrPool: readonly string[] | null;
    readonly SubnetSize: number;
    readonly JoinTokens: Answer<C, 'JoinTokens'>;
  };
  Service: {
    readonly ID: string;
    readonly Version: Answer<C, 'ObjectVersion'>;
    readonly CreatedAt: string;
    readonly UpdatedAt: string;
    readonly Spec: object;
    readonly Endpoint: {
      readonly Spec: Answer<C, 'EndpointSpec'>;
      readonly Ports: readonly Answer<C, 'EndpointPortConfig'>[] | null;
      readonly VirtualIPs: readonly { readonly NetworkID: string; readonly Addr: string }[] | null;
    };
    readonly UpdateStatus: {
      readonly State: 'updating' | 'paused' | 'completed';
      readonly StartedAt: string;
      readonly CompletedAt: string;
      readonly Message: string;
    };
    readonly ServiceStatus: {
      readonly RunningTasks: number;
      readonly DesiredTasks: number;
      readonly CompletedTasks: number;
    };
    readonly JobStatus: { readonly JobIteration: Answer<C, 'ObjectVersion'>; readonly LastExecution: string };
  };
  ServiceCreateResponse: { readonly ID: string; readonly Warnings?: readonly string[] | null | undefined };
  ServiceUpdateResponse: { readonly Warnings: readonly string[] | null };
  Task: {
    readonly ID: string;
    readonly Version: Answer<C, 'ObjectVersion'>;
    readonly CreatedAt: string;
    readonly UpdatedAt: string;
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Spec: object;
    readonly ServiceID: string;
    readonly Slot: number;
    readonly NodeID: string;
    readonly AssignedGenericResources:
      | readonly {
          readonly NamedResourceSpec: { readonly Kind: string; readonly Value: string };
          readonly DiscreteResourceSpec: { readonly Kind: string; readonly Value: number };
        }[]
      | null;
    readonly Status: Answer<C, 'TaskStatus'>;
    readonly DesiredState:
      | 'new'
      | 'allocated'
      | 'pending'
      | 'assigned'
      | 'accepted'
      | 'preparing'
      | 'ready'
      | 'starting'
      | 'running'
      | 'complete'
      | 'shutdown'
      | 'failed'
      | 'rejected'
      | 'remove'
      | 'orphaned';
    readonly JobIteration: Answer<C, 'ObjectVersion'>;
    readonly NetworksAttachments: readonly Answer<C, 'NetworkAttachment'>[] | null;
  };
  Secret: {
    readonly ID: string;
    readonly Version: Answer<C, 'ObjectVersion'>;
    readonly CreatedAt: string;
    readonly UpdatedAt: string;
    readonly Spec: Answer<C, 'SecretSpec'>;
  };
  Config: {
    readonly ID: string;
    readonly Version: Answer<C, 'ObjectVersion'>;
    readonly CreatedAt: string;
    readonly UpdatedAt: string;
    readonly Spec: Answer<C, 'ConfigSpec'>;
  };
  SystemInfo: {
    readonly ID: string;
    readonly Containers: number;
    readonly ContainersRunning: number;
    readonly ContainersPaused: number;
    readonly ContainersStopped: number;
    readonly Images: number;
    readonly Driver: string;
    readonly DriverStatus: readonly (readonly string[] | null)[] | null;
    readonly DockerRootDir: string;
    readonly Plugins: Answer<C, 'PluginsInfo'>;
    readonly MemoryLimit: boolean;
    readonly SwapLimit: boolean;
    readonly CpuCfsPeriod: boolean;
    readonly CpuCfsQuota: boolean;
    readonly CPUShares: boolean;
    readonly CPUSet: boolean;
    readonly PidsLimit: boolean;
    readonly OomKillDisable: boolean;
    readonly IPv4Forwarding: boolean;
    readonly Debug: boolean;
    readonly NFd: number;
    readonly NGoroutines: number;
    readonly SystemTime: string;
    readonly LoggingDriver: string;
    readonly CgroupDriver: 'cgroupfs' | 'systemd' | 'none';
    readonly CgroupVersion: '1' | '2';
    readonly NEventsListener: number;
    readonly KernelVersion: string;
    readonly OperatingSystem: string;
    readonly OSVersion: string;
    readonly OSType: string;
    readonly Architecture: string;
    readonly NCPU: number;
    readonly MemTotal: number;
    readonly IndexServerAddress: string;
    readonly RegistryConfig: Answer<C, 'RegistryServiceConfig'>;
    readonly GenericResources:
      | readonly {
          readonly NamedResourceSpec: { readonly Kind: string; readonly Value: string };
          readonly DiscreteResourceSpec: { readonly Kind: string; readonly Value: number };
        }[]
      | null;
    readonly HttpProxy: string;
    readonly HttpsProxy: string;
    readonly NoProxy: string;
    readonly Name: string;
    readonly Labels: readonly string[] | null;
    readonly ExperimentalBuild: boolean;
    readonly ServerVersion: string;
    readonly Runtimes: Readonly<Record<string, Answer<C, 'Runtime'>>> | null;
    readonly DefaultRuntime: string;
    readonly Swarm: Answer<C, 'SwarmInfo'>;
    readonly LiveRestoreEnabled: boolean;
    readonly Isolation: 'default' | 'hyperv' | 'process' | '';
    readonly InitBinary: string;
    readonly ContainerdCommit: Answer<C, 'Commit'>;
    readonly RuncCommit: Answer<C, 'Commit'>;
    readonly InitCommit: Answer<C, 'Commit'>;
    readonly SecurityOptions: readonly string[] | null;
    readonly ProductLicense: string;
    readonly DefaultAddressPools: readonly { readonly Base: string; readonly Size: number }[] | null;
    readonly FirewallBackend: Answer<C, 'FirewallInfo'>;
    readonly DiscoveredDevices: readonly Answer<C, 'DeviceInfo'>[] | null;
    readonly Warnings: readonly string[] | null;
    readonly CDISpecDirs: readonly string[] | null;
    readonly Containerd: Answer<C, 'ContainerdInfo'>;
  };
  SystemVersion: {
    readonly Platform: { readonly Name: string };
    readonly Components:
      | readonly {
          readonly Name: string;
          readonly Version: string;
          readonly Details?: object | null | undefined;
        }[]
      | null;
    readonly Version: string;
    readonly ApiVersion: string;
    readonly MinAPIVersion: string;
    readonly GitCommit: string;
    readonly GoVersion: string;
    readonly Os: string;
    readonly Arch: string;
    readonly KernelVersion: string;
    readonly Experimental: boolean;
    readonly BuildTime: string;
  };
  SystemDataUsageResponse: {
    readonly ImageUsage: Answer<C, 'ImagesDiskUsage'>;
    readonly ContainerUsage: Answer<C, 'ContainersDiskUsage'>;
    readonly VolumeUsage: Answer<C, 'VolumesDiskUsage'>;
    readonly BuildCacheUsage: Answer<C, 'BuildCacheDiskUsage'>;
  };
  ErrorResponse: { readonly message: string };
  ContainerState: {
    readonly Status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly Restarting: boolean;
    readonly OOMKilled: boolean;
    readonly Dead: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
    readonly Health: Answer<C, 'Health'>;
  };
  HostConfig: {
    readonly CpuShares: number;
    readonly Memory: number;
    readonly CgroupParent: string;
    readonly BlkioWeight: number;
    readonly BlkioWeightDevice: readonly { readonly Path: string; readonly Weight: number }[] | null;
    readonly BlkioDeviceReadBps: readonly Answer<C, 'ThrottleDevice'>[] | null;
    readonly BlkioDeviceWriteBps: readonly Answer<C, 'ThrottleDevice'>[] | null;
    readonly BlkioDeviceReadIOps: readonly Answer<C, 'ThrottleDevice'>[] | null;
    readonly BlkioDeviceWriteIOps: readonly Answer<C, 'ThrottleDevice'>[] | null;
    readonly CpuPeriod: number;
    readonly CpuQuota: number;
    readonly CpuRealtimePeriod: number;
    readonly CpuRealtimeRuntime: number;
    readonly CpusetCpus: string;
    readonly CpusetMems: string;
    readonly Devices: readonly Answer<C, 'DeviceMapping'>[] | null;
    readonly DeviceCgroupRules: readonly string[] | null;
    readonly DeviceRequests: readonly Answer<C, 'DeviceRequest'>[] | null;
    readonly MemoryReservation: number;
    readonly MemorySwap: number;
    readonly MemorySwappiness: number;
    readonly NanoCpus: number;
    readonly OomKillDisable: boolean;
    readonly Init?: boolean | null | undefined;
    readonly PidsLimit?: number | null | undefined;
    readonly Ulimits:
      | readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[]
      | null;
    readonly CpuCount: number;
    readonly CpuPercent: number;
    readonly IOMaximumIOps: number;
    readonly IOMaximumBandwidth: number;
    readonly Binds: readonly string[] | null;
    readonly ContainerIDFile: string;
    readonly LogConfig: {
      readonly Type:
        | 'local'
        | 'json-file'
        | 'syslog'
        | 'journald'
        | 'gelf'
        | 'fluentd'
        | 'awslogs'
        | 'splunk'
        | 'etwlogs'
        | 'none';
      readonly Config: Readonly<Record<string, string>> | null;
    };
    readonly NetworkMode: string;
    readonly PortBindings: Answer<C, 'PortMap'> | null;
    readonly RestartPolicy: Answer<C, 'RestartPolicy'>;
    readonly AutoRemove: boolean;
    readonly VolumeDriver: string;
    readonly VolumesFrom: readonly string[] | null;
    readonly Mounts: readonly Answer<C, 'Mount'>[] | null;
    readonly ConsoleSize?: readonly number[] | null | undefined;
    readonly Annotations: Readonly<Record<string, string>> | null;
    readonly CapAdd: readonly string[] | null;
    readonly CapDrop: readonly string[] | null;
    readonly CgroupnsMode: 'private' | 'host';
    readonly Dns: readonly string[] | null;
    readonly DnsOptions: readonly string[] | null;
    readonly DnsSearch: readonly string[] | null;
    readonly ExtraHosts: readonly string[] | null;
    readonly GroupAdd: readonly string[] | null;
    readonly IpcMode: string;
    readonly Cgroup: string;
    readonly Links: readonly string[] | null;
    readonly OomScoreAdj: number;
    readonly PidMode: string;
    readonly Privileged: boolean;
    readonly PublishAllPorts: boolean;
    readonly ReadonlyRootfs: boolean;
    readonly SecurityOpt: readonly string[] | null;
    readonly StorageOpt: Readonly<Record<string, string>> | null;
    readonly Tmpfs: Readonly<Record<string, string>> | null;
    readonly UTSMode: string;
    readonly UsernsMode: string;
    readonly ShmSize: number;
    readonly Sysctls?: Readonly<Record<string, string>> | null | undefined;
    readonly Runtime?: string | null | undefined;
    readonly Isolation: 'default' | 'process' | 'hyperv' | '';
    readonly MaskedPaths: readonly string[] | null;
    readonly ReadonlyPaths: readonly string[] | null;
  };
  DriverData: { readonly Name: string; readonly Data: Readonly<Record<string, string>> | null };
  Storage: { readonly RootFS?: Answer<C, 'RootFSStorage'> | null | undefined };
  MountPoint: {
    readonly Type: 'bind' | 'cluster' | 'image' | 'npipe' | 'tmpfs' | 'volume';
    readonly Name: string;
    readonly Source: string;
    readonly Destination: string;
    readonly Driver: string;
    readonly Mode: string;
    readonly RW: boolean;
    readonly Propagation: string;
  };
  ContainerConfig: {
    readonly Hostname: string;
    readonly Domainname: string;
    readonly User: string;
    readonly AttachStdin: boolean;
    readonly AttachStdout: boolean;
    readonly AttachStderr: boolean;
    readonly ExposedPorts?: Readonly<Record<string, object>> | null | undefined;
    readonly Tty: boolean;
    readonly OpenStdin: boolean;
    readonly StdinOnce: boolean;
    readonly Env: readonly string[] | null;
    readonly Cmd: readonly string[] | null;
    readonly Healthcheck: Answer<C, 'HealthConfig'>;
    readonly ArgsEscaped?: boolean | null | undefined;
    readonly Image: string;
    readonly Volumes: Readonly<Record<string, object>> | null;
    readonly WorkingDir: string;
    readonly Entrypoint: readonly string[] | null;
    readonly NetworkDisabled?: boolean | null | undefined;
    readonly OnBuild?: readonly string[] | null | undefined;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly StopSignal?: string | null | undefined;
    readonly StopTimeout?: number | null | undefined;
    readonly Shell?: readonly string[] | null | undefined;
  };
  NetworkSettings: {
    readonly SandboxID: string;
    readonly SandboxKey: string;
    readonly Ports: Answer<C, 'PortMap'> | null;
    readonly Networks: Readonly<Record<string, Answer<C, 'EndpointSettings'>>> | null;
  };
  PortSummary: {
    readonly IP: string;
    readonly PrivatePort: number;
    readonly PublicPort: number;
    readonly Type: 'tcp' | 'udp' | 'sctp';
  };
  EndpointSettings: {
    readonly IPAMConfig: Answer<C, 'EndpointIPAMConfig'>;
    readonly Links: readonly string[] | null;
    readonly MacAddress: string;
    readonly Aliases: readonly string[] | null;
    readonly DriverOpts?: Readonly<Record<string, string>> | null | undefined;
    readonly GwPriority: number;
    readonly NetworkID: string;
    readonly EndpointID: string;
    readonly Gateway: string;
    readonly IPAddress: string;
    readonly IPPrefixLen: number;
    readonly IPv6Gateway: string;
    readonly GlobalIPv6Address: string;
    readonly GlobalIPv6PrefixLen: number;
    readonly DNSNames: readonly string[] | null;
  };
  ContainerCPUStats: {
    readonly cpu_usage: Answer<C, 'ContainerCPUUsage'>;
    readonly system_cpu_usage?: number | null | undefined;
    readonly online_cpus?: number | null | undefined;
    readonly throttling_data: Answer<C, 'ContainerThrottlingData'>;
  };
  ContainerMemoryStats: {
    readonly usage?: number | null | undefined;
    readonly max_usage?: number | null | undefined;
    readonly stats: Readonly<Record<string, number | null>> | null;
    readonly failcnt?: number | null | undefined;
    readonly limit?: number | null | undefined;
    readonly commitbytes?: number | null | undefined;
    readonly commitpeakbytes?: number | null | undefined;
    readonly privateworkingset?: number | null | undefined;
  };
  ContainerNetworkStats: {
    readonly rx_bytes: number;
    readonly rx_packets: number;
    readonly rx_errors: number;
    readonly rx_dropped: number;
    readonly tx_bytes: number;
    readonly tx_packets: number;
    readonly tx_errors: number;
    readonly tx_dropped: number;
    readonly endpoint_id?: string | null | undefined;
    readonly instance_id?: string | null | undefined;
  };
  ContainerPidsStats: {
    readonly current?: number | null | undefined;
    readonly limit?: number | null | undefined;
  };
  ContainerBlkioStats: {
    readonly io_service_bytes_recursive: readonly Answer<C, 'ContainerBlkioStatEntry'>[] | null;
    readonly io_serviced_recursive?: readonly Answer<C, 'ContainerBlkioStatEntry'>[] | null | undefined;
    readonly io_queue_recursive?: readonly Answer<C, 'ContainerBlkioStatEntry'>[] | null | undefined;
    readonly io_service_time_recursive?: readonly Answer<C, 'ContainerBlkioStatEntry'>[] | null | undefined;
    readonly io_wait_time_recursive?: readonly Answer<C, 'ContainerBlkioStatEntry'>[] | null | undefined;
    readonly io_merged_recursive?: readonly Answer<C, 'ContainerBlkioStatEntry'>[] | null | undefined;
    readonly io_time_recursive?: readonly Answer<C, 'ContainerBlkioStatEntry'>[] | null | undefined;
    readonly sectors_recursive?: readonly Answer<C, 'ContainerBlkioStatEntry'>[] | null | undefined;
  };
  ContainerStorageStats: {
    readonly read_count_normalized?: number | null | undefined;
    readonly read_size_bytes?: number | null | undefined;
    readonly write_count_normalized?: number | null | undefined;
    readonly write_size_bytes?: number | null | undefined;
  };
  ContainerWaitExitError: { readonly Message: string };
  ProcessConfig: {
    readonly privileged: boolean;
    readonly user: string;
    readonly tty: boolean;
    readonly entrypoint: string;
    readonly arguments: readonly string[] | null;
  };
  EventActor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> | null };
  IPAM: {
    readonly Driver: string;
    readonly Config: readonly Answer<C, 'IPAMConfig'>[] | null;
    readonly Options: Readonly<Record<string, string>> | null;
  };
  ConfigReference: { readonly Network: string };
  PeerInfo: { readonly Name: string; readonly IP: string };
  EndpointResource: {
    readonly Name: string;
    readonly EndpointID: string;
    readonly MacAddress: string;
    readonly IPv4Address: string;
    readonly IPv6Address: string;
  };
  NetworkStatus: { readonly IPAM: Answer<C, 'IPAMStatus'> };
  ImageConfig: {
    readonly User: string;
    readonly ExposedPorts?: Readonly<Record<string, object>> | null | undefined;
    readonly Env: readonly string[] | null;
    readonly Cmd: readonly string[] | null;
    readonly Healthcheck: Answer<C, 'HealthConfig'>;
    readonly ArgsEscaped?: boolean | null | undefined;
    readonly Volumes: Readonly<Record<string, object>> | null;
    readonly WorkingDir: string;
    readonly Entrypoint: readonly string[] | null;
    readonly OnBuild?: readonly string[] | null | undefined;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly StopSignal?: string | null | undefined;
    readonly Shell?: readonly string[] | null | undefined;
  };
  ObjectVersion: { readonly Index: number };
  NodeSpec: {
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Role: 'worker' | 'manager';
    readonly Availability: 'active' | 'pause' | 'drain';
  };
  NodeDescription: {
    readonly Hostname: string;
    readonly Platform: Answer<C, 'Platform'>;
    readonly Resources: Answer<C, 'ResourceObject'>;
    readonly Engine: Answer<C, 'EngineDescription'>;
    readonly TLSInfo: Answer<C, 'TLSInfo'>;
  };
  NodeStatus: {
    readonly State: 'unknown' | 'down' | 'ready' | 'disconnected';
    readonly Message: string;
    readonly Addr: string;
  };
  ManagerStatus: {
    readonly Leader: boolean;
    readonly Reachability: 'unknown' | 'unreachable' | 'reachable';
    readonly Addr: string;
  };
  SwarmSpec: {
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Orchestration?: { readonly TaskHistoryRetentionLimit: number } | null | undefined;
    readonly Raft: {
      readonly SnapshotInterval: number;
      readonly KeepOldSnapshots: number;
      readonly LogEntriesForSlowFollowers: number;
      readonly ElectionTick: number;
      readonly HeartbeatTick: number;
    };
    readonly Dispatcher?: { readonly HeartbeatPeriod: number } | null | undefined;
    readonly CAConfig?:
      | {
          readonly NodeCertExpiry: number;
          readonly ExternalCAs:
            | readonly {
                readonly Protocol: 'cfssl';
                readonly URL: string;
                readonly Options: Readonly<Record<string, string>> | null;
                readonly CACert: string;
              }[]
            | null;
          readonly SigningCACert: string;
          readonly SigningCAKey: string;
          readonly ForceRotate: number;
        }
      | null
      | undefined;
    readonly EncryptionConfig: { readonly AutoLockManagers: boolean };
    readonly TaskDefaults: {
      readonly LogDriver: {
        readonly Name: string;
        readonly Options: Readonly<Record<string, string>> | null;
      };
    };
  };
  TLSInfo: {
    readonly TrustRoot: string;
    readonly CertIssuerSubject: string;
    readonly CertIssuerPublicKey: string;
  };
  JoinTokens: { readonly Worker: string; readonly Manager: string };
  EndpointSpec: {
    readonly Mode: 'vip' | 'dnsrr';
    readonly Ports: readonly Answer<C, 'EndpointPortConfig'>[] | null;
  };
  EndpointPortConfig: {
    readonly Name: string;
    readonly Protocol: 'tcp' | 'udp' | 'sctp';
    readonly TargetPort: number;
    readonly PublishedPort: number;
    readonly PublishMode: 'ingress' | 'host';
  };
  TaskStatus: {
    readonly Timestamp: string;
    readonly State:
      | 'new'
      | 'allocated'
      | 'pending'
      | 'assigned'
      | 'accepted'
      | 'preparing'
      | 'ready'
      | 'starting'
      | 'running'
      | 'complete'
      | 'shutdown'
      | 'failed'
      | 'rejected'
      | 'remove'
      | 'orphaned';
    readonly Message: string;
    readonly Err: string;
    readonly ContainerStatus: Answer<C, 'ContainerStatus'>;
    readonly PortStatus: Answer<C, 'PortStatus'>;
  };
  NetworkAttachment: { readonly Network: object; readonly Addresses: readonly string[] | null };
  SecretSpec: {
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Data: string;
    readonly Driver: Answer<C, 'Driver'>;
    readonly Templating: Answer<C, 'Driver'>;
  };
  ConfigSpec: {
    readonly Name: string;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Data: string;
    readonly Templating: Answer<C, 'Driver'>;
  };
  PluginsInfo: {
    readonly Volume: readonly string[] | null;
    readonly Network: readonly string[] | null;
    readonly Authorization: readonly string[] | null;
    readonly Log: readonly string[] | null;
  };
  RegistryServiceConfig: {
    readonly InsecureRegistryCIDRs: readonly string[] | null;
    readonly IndexConfigs: Readonly<Record<string, Answer<C, 'IndexInfo'>>> | null;
    readonly Mirrors: readonly string[] | null;
  };
  Runtime: {
    readonly path: string;
    readonly runtimeArgs?: readonly string[] | null | undefined;
    readonly status?: Readonly<Record<string, string>> | null | undefined;
  };
  SwarmInfo: {
    readonly NodeID: string;
    readonly NodeAddr: string;
    readonly LocalNodeState: '' | 'inactive' | 'pending' | 'active' | 'error' | 'locked';
    readonly ControlAvailable: boolean;
    readonly Error: string;
    readonly RemoteManagers?: readonly Answer<C, 'PeerNode'>[] | null | undefined;
    readonly Nodes?: number | null | undefined;
    readonly Managers?: number | null | undefined;
    readonly Cluster: Answer<C, 'ClusterInfo'>;
  };
  Commit: { readonly ID: string };
  FirewallInfo: { readonly Driver: string; readonly Info: readonly (readonly string[] | null)[] | null };
  DeviceInfo: { readonly Source: string; readonly ID: string };
  ContainerdInfo: {
    readonly Address: string;
    readonly Namespaces: { readonly Containers: string; readonly Plugins: string };
  };
  ImagesDiskUsage: {
    readonly ActiveCount: number;
    readonly TotalCount: number;
    readonly Reclaimable: number;
    readonly TotalSize: number;
    readonly Items?: readonly unknown[] | null | undefined;
  };
  ContainersDiskUsage: {
    readonly ActiveCount: number;
    readonly TotalCount: number;
    readonly Reclaimable: number;
    readonly TotalSize: number;
    readonly Items?: readonly unknown[] | null | undefined;
  };
  VolumesDiskUsage: {
    readonly ActiveCount: number;
    readonly TotalCount: number;
    readonly Reclaimable: number;
    readonly TotalSize: number;
    readonly Items?: readonly unknown[] | null | undefined;
  };
  BuildCacheDiskUsage: {
    readonly ActiveCount: number;
    readonly TotalCount: number;
    readonly Reclaimable: number;
    readonly TotalSize: number;
    readonly Items?: readonly unknown[] | null | undefined;
  };
  Health: {
    readonly Status: 'none' | 'starting' | 'healthy' | 'unhealthy';
    readonly FailingStreak: number;
    readonly Log: readonly Answer<C, 'HealthcheckResult'>[] | null;
  };
  ThrottleDevice: { readonly Path: string; readonly Rate: number };
  DeviceMapping: {
    readonly PathOnHost: string;
    readonly PathInContainer: string;
    readonly CgroupPermissions: string;
  };
  DeviceRequest: {
    readonly Driver: string;
    readonly Count: number;
    readonly DeviceIDs: readonly string[] | null;
    readonly Capabilities: readonly (readonly string[] | null)[] | null;
    readonly Options: Readonly<Record<string, string>> | null;
  };
  PortMap: Readonly<Record<string, readonly Answer<C, 'PortBinding'>[] | null>>;
  RestartPolicy: {
    readonly Name: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure';
    readonly MaximumRetryCount: number;
  };
  Mount: {
    readonly Target: string;
    readonly Source: string;
    readonly Type: 'bind' | 'cluster' | 'image' | 'npipe' | 'tmpfs' | 'volume';
    readonly ReadOnly: boolean;
    readonly Consistency: string;
    readonly BindOptions: {
      readonly Propagation: 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';
      readonly NonRecursive: boolean;
      readonly CreateMountpoint: boolean;
      readonly ReadOnlyNonRecursive: boolean;
      readonly ReadOnlyForceRecursive: boolean;
    };
    readonly VolumeOptions: {
      readonly NoCopy: boolean;
      readonly Labels: Readonly<Record<string, string>> | null;
      readonly DriverConfig: {
        readonly Name: string;
        readonly Options: Readonly<Record<string, string>> | null;
      };
      readonly Subpath: string;
    };
    readonly ImageOptions: { readonly Subpath: string };
    readonly TmpfsOptions: {
      readonly SizeBytes: number;
      readonly Mode: number;
      readonly Options: readonly (readonly string[] | null)[] | null;
    };
  };
  RootFSStorage: { readonly Snapshot?: Answer<C, 'RootFSStorageSnapshot'> | null | undefined };
  HealthConfig: {
    readonly Test: readonly string[] | null;
    readonly Interval: number;
    readonly Timeout: number;
    readonly Retries: number;
    readonly StartPeriod: number;
    readonly StartInterval: number;
  };
  EndpointIPAMConfig: {
    readonly IPv4Address: string;
    readonly IPv6Address: string;
    readonly LinkLocalIPs: readonly string[] | null;
  };
  ContainerCPUUsage: {
    readonly total_usage: number;
    readonly percpu_usage?: readonly number[] | null | undefined;
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
  };
  ContainerThrottlingData: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
  ContainerBlkioStatEntry: {
    readonly major: number;
    readonly minor: number;
    readonly op: string;
    readonly value: number;
  };
  IPAMConfig: {
    readonly Subnet: string;
    readonly IPRange: string;
    readonly Gateway: string;
    readonly AuxiliaryAddresses: Readonly<Record<string, string>> | null;
  };
  IPAMStatus: { readonly Subnets: Readonly<Record<string, Answer<C, 'SubnetStatus'>>> | null };
  Platform: { readonly Architecture: string; readonly OS: string };
  ResourceObject: {
    readonly NanoCPUs: number;
    readonly MemoryBytes: number;
    readonly GenericResources:
      | readonly {
          readonly NamedResourceSpec: { readonly Kind: string; readonly Value: string };
          readonly DiscreteResourceSpec: { readonly Kind: string; readonly Value: number };
        }[]
      | null;
  };
  EngineDescription: {
    readonly EngineVersion: string;
    readonly Labels: Readonly<Record<string, string>> | null;
    readonly Plugins: readonly { readonly Type: string; readonly Name: string }[] | null;
  };
  ContainerStatus: { readonly ContainerID: string; readonly PID: number; readonly ExitCode: number };
  PortStatus: { readonly Ports: readonly Answer<C, 'EndpointPortConfig'>[] | null };
  Driver: { readonly Name: string; readonly Options: Readonly<Record<string, string>> | null };
  IndexInfo: {
    readonly Name: string;
    readonly Mirrors: readonly string[] | null;
    readonly Secure: boolean;
    readonly Official: boolean;
  };
  PeerNode: { readonly NodeID: string; readonly Addr: string };
  ClusterInfo: {
    readonly ID: string;
    readonly Version: Answer<C, 'ObjectVersion'>;
    readonly CreatedAt: string;
    readonly UpdatedAt: string;
    readonly Spec: Answer<C, 'SwarmSpec'>;
    readonly TLSInfo: Answer<C, 'TLSInfo'>;
    readonly RootRotationInProgress: boolean;
    readonly DataPathPort: number;
    readonly DefaultAddrPool: readonly string[] | null;
    readonly SubnetSize: number;
  };
  HealthcheckResult: {
    readonly Start: string;
    readonly End: string;
    readonly ExitCode: number;
    readonly Output: string;
  };
  PortBinding: { readonly HostIp: string; readonly HostPort: string };
  RootFSStorageSnapshot: { readonly Name: string };
  SubnetStatus: { readonly IPsInUse: number; readonly DynamicIPsAvailable: number };
}
