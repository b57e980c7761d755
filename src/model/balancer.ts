/**
 * A service of the cluster on one network, as the containers of this host meet it: by its names, by its address, and on the ingress
 * network by its published ports. Kept on disk, as peers are: while no manager can be reached, names and balancing stay as they were.
 */
import type { NetworkId } from './ids.js';
import type { Protocol } from './port.js';

/** A task that takes connections now. Addresses are bare; at least one. */
export interface Backend {
  /** the task's id */
  readonly id: string;
  /** the node's id in the cluster */
  readonly node: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
}

/** Reached on every host of the cluster. */
export interface IngressPort {
  readonly protocol: Protocol;
  /** 1–65535, nobody else's in the cluster */
  readonly publishedPort: number;
  readonly targetPort: number;
}

export interface Balancer {
  /** `balancerId` of the two below */
  readonly id: string;
  readonly networkId: NetworkId;
  readonly serviceId: string;
  /** the service's, and other names of it on this network; none of the ingress network's has a meaning there */
  readonly names: readonly string[];
  /** bare addresses that stand for all backends; neither: its names mean the backends themselves (`dnsrr`) */
  readonly vip4?: string;
  readonly vip6?: string;
  /** sorted by id */
  readonly backends: readonly Backend[];
  /** on the ingress network only */
  readonly ports: readonly IngressPort[];
}

export const balancerId = (networkId: string, serviceId: string): string => `${networkId}/${serviceId}`;
