/**
 * What the API answers, by moby's names: `Answer<'ContainerState'>`. A field that is missing or misspelt in an object written
 * out is a compile error; so what may be absent is written as `Field: condition ? value : undefined` (JSON has no
 * undefined), never as a spread of `{}`, whose fields the compiler does not look at.
 *
 * The shapes are generated (moby.ts). Their source describes one version and knows nothing of Go's `omitempty` nor of nil
 * pointers: where moby's daemon answers otherwise, it is corrected here.
 */
import type { Answer as Corrected, Definitions as Generated } from './moby.js';

type Definitions = Generated<Corrections>;
export type Answer<Name extends keyof Definitions> = Corrected<Corrections, Name>;

/** Fields that are left out where there is nothing to say: `omitempty`. */
type Omitted<Name extends keyof Definitions, Fields extends keyof Definitions[Name]> = {
  readonly [Field in Fields]: NonNullable<Definitions[Name][Field]> | undefined;
};

/** Fields that may be lacking altogether: shown as a client sent them, or of things that exist in swarms alone. */
type Lacking<Name extends keyof Definitions, Fields extends keyof Definitions[Name]> = {
  readonly [Field in Fields]?: Definitions[Name][Field] | undefined;
};

/** Since 1.21 each network has them; until 1.51 those of the bridge stood beside the networks, and clients still read them. */
type BridgeAddresses = Pick<
  Definitions['EndpointSettings'],
  | 'EndpointID'
  | 'Gateway'
  | 'GlobalIPv6Address'
  | 'GlobalIPv6PrefixLen'
  | 'IPAddress'
  | 'IPPrefixLen'
  | 'IPv6Gateway'
  | 'MacAddress'
>;

interface Corrections {
  // Containers
  ContainerConfig: Lacking<'ContainerConfig', 'Healthcheck'> & {
    /** until 1.51 */
    readonly MacAddress?: string | undefined;
  };
  HostConfig: Lacking<'HostConfig', 'Annotations' | 'StorageOpt' | 'Tmpfs'> & {
    readonly RestartPolicy: { readonly Name: string; readonly MaximumRetryCount: number };
    readonly LogConfig: { readonly Type: string; readonly Config: Readonly<Record<string, string>> | null };
    readonly CgroupnsMode: string;
    readonly MemorySwappiness: number | null;
    readonly OomKillDisable: boolean | null;
    /** as sent */
    readonly Mounts?: readonly { readonly Type: string; readonly Target: string }[];
  };
  HealthConfig: Lacking<'HealthConfig', keyof Definitions['HealthConfig']>;
  ContainerState: Omitted<'ContainerState', 'Health'>;
  ContainerSummary: Omitted<'ContainerSummary', 'Health'>;
  ContainerWaitResponse: Omitted<'ContainerWaitResponse', 'Error'>;
  MountPoint: Omitted<'MountPoint', 'Name' | 'Driver'>;
  NetworkSettings: BridgeAddresses & {
    readonly Bridge: string;
    readonly HairpinMode: boolean;
    readonly LinkLocalIPv6Address: string;
    readonly LinkLocalIPv6PrefixLen: number;
    readonly SecondaryIPAddresses: null;
    readonly SecondaryIPv6Addresses: null;
  };
  EndpointSettings: { readonly IPAMConfig: Answer<'EndpointIPAMConfig'> | null };
  EndpointIPAMConfig: Omitted<'EndpointIPAMConfig', keyof Definitions['EndpointIPAMConfig']>;
  PortSummary: Lacking<'PortSummary', 'IP' | 'PublicPort'>;
  ExecInspectResponse: { readonly ExitCode: number | null };
  ContainerMemoryStats: Lacking<'ContainerMemoryStats', 'stats'>;
  EventMessage: {
    /** of containers and images, of containers alone the last; until 1.51 in Docker, see `presentEvent` */
    readonly status: string | undefined;
    readonly id: string | undefined;
    readonly from: string | undefined;
  };

  // Networks
  NetworkSummary: {
    /** until 1.27 what inspect shows, until 1.51 empty */
    readonly Containers?: Definitions['NetworkInspect']['Containers'] | undefined;
  };
  NetworkInspect: Omitted<'NetworkInspect', 'Status'>;
  IPAMConfig: Omitted<'IPAMConfig', keyof Definitions['IPAMConfig']>;
  /** Go's uint64 */
  SubnetStatus: { readonly IPsInUse: bigint; readonly DynamicIPsAvailable: bigint };

  // Images and volumes
  ImageSummary: {
    /** until 1.43 */
    readonly VirtualSize: number | undefined;
  };
  ImageInspect: {
    /** until 1.43 */
    readonly VirtualSize: number | undefined;
    /** these two until 1.51 */
    readonly Parent: string | undefined;
    readonly DockerVersion: string | undefined;
    /** these two gone from 1.45 */
    readonly Container: string;
    readonly ContainerConfig: Answer<'ImageConfig'>;
  };
  ImageConfig: {
    /** of images that others made: whatever it says there */
    readonly Healthcheck: unknown;
  };
  ImageDeleteResponseItem: Lacking<'ImageDeleteResponseItem', 'Untagged' | 'Deleted'>;
  Volume: Lacking<'Volume', 'Status'>;

  // The swarm
  NodeSpec: Omitted<'NodeSpec', 'Name'>;
  NodeStatus: Omitted<'NodeStatus', 'Message'>;
  Node: { readonly ManagerStatus: Answer<'ManagerStatus'> | undefined };
  ResourceObject: Lacking<'ResourceObject', 'GenericResources'>;
  SwarmSpec: {
    readonly CAConfig: { readonly NodeCertExpiry: number; readonly ForceRotate: number };
    readonly TaskDefaults: { readonly LogDriver?: Definitions['SwarmSpec']['TaskDefaults']['LogDriver'] };
  };
  Service: Omitted<'Service', 'ServiceStatus' | 'JobStatus'> & {
    readonly PreviousSpec: object | undefined;
    readonly Endpoint: {
      readonly Spec: object;
      readonly Ports: readonly object[] | undefined;
      readonly VirtualIPs: readonly { readonly NetworkID: string; readonly Addr: string }[] | undefined;
    };
    readonly UpdateStatus:
      | {
          readonly State: string;
          readonly StartedAt: string;
          readonly CompletedAt: string | undefined;
          readonly Message: string | undefined;
        }
      | undefined;
  };
  ServiceUpdateResponse: Omitted<'ServiceUpdateResponse', 'Warnings'>;
  Task: Omitted<'Task', 'JobIteration' | 'NodeID' | 'Slot' | 'NetworksAttachments'> &
    Lacking<'Task', 'Name' | 'AssignedGenericResources'>;
  TaskStatus: Omitted<'TaskStatus', 'Err' | 'ContainerStatus'>;
  PortStatus: { readonly Ports: readonly object[] | undefined };
  SecretSpec: Lacking<'SecretSpec', 'Data' | 'Driver' | 'Templating'>;
  ConfigSpec: Lacking<'ConfigSpec', 'Templating'>;
  SwarmInfo: Omitted<'SwarmInfo', 'Cluster'> & { readonly Warnings: readonly string[] | undefined };

  // The daemon
  SystemInfo: Omitted<'SystemInfo', 'FirewallBackend'> &
    Lacking<'SystemInfo', 'ProductLicense' | 'DiscoveredDevices' | 'Containerd'> & {
      /** these two until 1.49 */
      readonly BridgeNfIptables: boolean | undefined;
      readonly BridgeNfIp6tables: boolean | undefined;
    };
  FirewallInfo: Lacking<'FirewallInfo', 'Info'>;
  Commit: {
    /** gone from 1.49 */
    readonly Expected: string;
  };
  RegistryServiceConfig: {
    /** these two gone from 1.49, always null since long before */
    readonly AllowNondistributableArtifactsCIDRs: null;
    readonly AllowNondistributableArtifactsHostnames: null;
  };
  SystemVersion: Lacking<'SystemVersion', 'Experimental'>;
  /** since 1.52, of the kinds that were asked for; before, and beside it unless `verbose`, the lists themselves */
  SystemDataUsageResponse: Lacking<
    'SystemDataUsageResponse',
    'ImageUsage' | 'ContainerUsage' | 'VolumeUsage' | 'BuildCacheUsage'
  > & {
    readonly LayersSize?: number;
    readonly Images?: readonly Answer<'ImageSummary'>[] | null;
    readonly Containers?: readonly Answer<'ContainerSummary'>[] | null;
    readonly Volumes?: readonly Answer<'Volume'>[] | null;
    readonly BuildCache?: readonly never[] | null;
  };
}
