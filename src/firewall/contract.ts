/** What a bridge-like driver tells the firewall of a network and of an endpoint, already parsed and defaulted. */
import type { LinkedPort } from '../model/endpoint.js';
import type { Family } from '../model/network.js';
import type { ExposedPort, PortBinding } from '../model/port.js';

/** How a host that routes to a container's address sees it (DOCKER.md, "Gateway modes"). */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated';

export interface FirewallNetwork {
  /** interface name of the bridge */
  readonly bridge: string;
  /** not of our making, so that its link group does not tell what comes by it from the host's own */
  readonly foreign?: true;
  readonly internal: boolean;
  /** inter-container connectivity within the network */
  readonly icc: boolean;
  /** the host is no part of it and has no address there: nothing that the bridge hands up to the host gets any further */
  readonly deaf?: true;
  /**
   * this node's MAC, where its containers speak with nodes of the cluster alone, by which clients reach them, and never with each
   * other
   */
  readonly mesh?: string;
  /** interfaces of the host whose neighbours may address containers directly (`trusted_host_interfaces`) */
  readonly trusted?: readonly string[];
  readonly families: readonly FirewallFamily[];
}

export interface FirewallFamily {
  readonly family: Family;
  readonly subnet: string;
  /** bare address of the bridge; absent with gateway mode isolated */
  readonly gateway?: string;
  readonly mode: GatewayMode;
  readonly masquerade: boolean;
  /** SNAT to this address instead of masquerading (`com.docker.network.host_ipv4`) */
  readonly snat?: string;
}

export interface FirewallEndpoint {
  readonly network: FirewallNetwork;
  readonly hostIfname: string;
  readonly mac: string;
  /** bare addresses that may be sent from this port */
  readonly addresses: readonly string[];
  readonly exposed: readonly ExposedPort[];
  readonly bindings: readonly PortBinding[];
  readonly linkedTo: readonly LinkedPort[];
  /** the bridge lets its port speak with the host alone, and with ports that are not like it */
  readonly isolated?: boolean;
  /** the container's own on routed networks, whose answers leave by this port as it is the way out */
  readonly answersFor?: readonly string[];
  /** the container is a router: it may send packets with others' IP addresses (its MAC, ARP and ND stay bound) */
  readonly forwards?: boolean;
  /** further addresses and prefixes, in canonical text and apart from each other, that it carries: ARP and ND too */
  readonly carried?: readonly string[];
}
