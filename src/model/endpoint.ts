/** Endpoints join a sandbox to a network; a sandbox is one network namespace with its DNS settings. */
import { bare } from './address.js';
import type { ContainerId, EndpointId, NetworkId, SandboxId } from './ids.js';
import type { ExposedPort, PortBinding } from './port.js';

export interface Endpoint {
  readonly id: EndpointId;
  readonly networkId: NetworkId;
  readonly sandboxId: SandboxId;
  readonly containerId: ContainerId;
  /** the container's name, for `network inspect` and DNS; a gateway endpoint has a name of its own */
  readonly containerName: string;
  /** inside the sandbox: `eth0`… */
  readonly ifname: string;
  /** on the host: `veth` and 11 digits of the endpoint's id (never reused). Empty for host and null networks. */
  readonly hostIfname: string;
  /** lower-case, colons; empty for host and null networks */
  readonly mac: string;
  /** with prefix length, e.g. `172.18.0.2/16`; absent where the family is off */
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** further addresses the user gave by `--link-local-ip`, bare */
  readonly linkLocal: readonly string[];
  /** every name the embedded DNS answers with this endpoint: container name, aliases, short id, hostname */
  readonly dnsNames: readonly string[];
  /** as the user gave them, for `inspect` */
  readonly aliases: readonly string[];
  readonly driverOptions: Readonly<Record<string, string>>;
  readonly gwPriority: number;
  /** what the image and `--expose` name */
  readonly exposed: readonly ExposedPort[];
  /** published through this endpoint: the default gateway of their family carries them, routed networks open them */
  readonly bindings: readonly PortBinding[];
  /** bare addresses of the sandbox's endpoints on routed networks: as this one is the way out, their answers leave by it */
  readonly answersFor?: readonly string[];
  /** with ICC off: what this endpoint may reach, from `--link` */
  readonly linkedTo: readonly LinkedPort[];
  /** the third-party IPAM driver's pools that its addresses are from; a replay may give a pool another name */
  readonly poolIds?: { readonly ipv4?: string; readonly ipv6?: string };
  /** what the plugin answered; present where the network's driver is one */
  readonly plugin?: PluginEndpoint;
  /** as in its settings: the manager of a swarm gave its addresses, and is owed nothing when it goes */
  readonly assigned?: true;
  /** made by us because no other endpoint of the sandbox leads out (docker_gwbridge); not among `Container.endpointIds` */
  readonly gateway?: true;
}

/** Bare, IPv4 first. */
export const addressesOf = ({ ipv4, ipv6 }: Pick<Endpoint, 'ipv4' | 'ipv6'>): readonly string[] =>
  [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [bare(address)]));

/** What a third-party network driver answered for an endpoint. */
export interface PluginEndpoint {
  /** the link on the host that is moved into the sandbox as `ifname`; absent: the driver makes none */
  readonly source?: string;
  /** bare addresses; absent: no default route of the family leads through it */
  readonly gateway4?: string;
  readonly gateway6?: string;
  readonly routes: readonly PluginRoute[];
  /** it was told that it carries the container's published ports */
  readonly external: boolean;
  /** `DisableGatewayService`: its container is to get no gateway endpoint for its sake */
  readonly disableGateway?: true;
}

export interface PluginRoute {
  /** CIDR without host bits */
  readonly destination: string;
  /** bare address; absent: on-link */
  readonly via?: string;
}

/** One permitted flow from the carrying endpoint to a linked container. */
export interface LinkedPort extends ExposedPort {
  /** bare address of the linked endpoint */
  readonly address: string;
}

export interface Sandbox {
  readonly id: SandboxId;
  readonly containerId: ContainerId;
  /** absolute path of the bind-mounted namespace; empty for host mode */
  readonly netns: string;
  readonly mode: 'private' | 'host';
  /** endpoints whose network gives the default route of each family; null: none */
  readonly gateway4: EndpointId | null;
  readonly gateway6: EndpointId | null;
  /** everything the container publishes, at the addresses of the networks that lead out (`Endpoint.bindings`) */
  readonly bindings: readonly PortBinding[];
  /** `net.*` sysctls from `--sysctl`, key with dots → value */
  readonly sysctls: Readonly<Record<string, string>>;
  /** its container is privileged; absent: not (also in records of former versions) */
  readonly privileged?: true;
  readonly dns: SandboxDns;
}

/** What the embedded resolver and `/etc/resolv.conf` of one sandbox need. */
export interface SandboxDns {
  /** true on user-defined networks: 127.0.0.11 answers and is written to resolv.conf */
  readonly embedded: boolean;
  /** upstream servers, bare addresses, at most three used */
  readonly servers: readonly string[];
  /** the servers came from the host's resolv.conf: they are asked from the host's namespace, others from the sandbox's */
  readonly hostServers?: boolean;
  readonly search: readonly string[];
  readonly options: readonly string[];
}
