/** Where a service is reached: its ports, and addresses of it and of its tasks. */
import type { Protocol } from '../port.js';

export interface PortConfig {
  readonly name: string;
  readonly protocol: Protocol;
  readonly targetPort: number;
  /** 0: to be chosen */
  readonly publishedPort: number;
  readonly mode: 'ingress' | 'host';
}

export interface EndpointSpec {
  readonly mode: 'vip' | 'dnsrr';
  readonly ports: readonly PortConfig[];
}

/** An endpoint of a task or a service on one network. */
export interface NetworkAddresses {
  readonly networkId: string;
  /** with the length of their subnet, IPv4 first */
  readonly addresses: readonly string[];
}
