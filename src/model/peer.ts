/**
 * What is known of a cluster's other hosts: their addresses, and which containers of theirs are on networks of ours. Kept on
 * disk, so that a daemon that starts while the cluster's store is away leaves everything as it is.
 */
import type { Endpoint } from './endpoint.js';
import type { NetworkId } from './ids.js';
import type { Tunnel } from './tunnel.js';

/** A host of the cluster, this one too: where VXLAN packets come from and go to. */
export interface Vtep {
  /** the host's id in the cluster */
  readonly id: string;
  /** as its users call it */
  readonly name: string;
  /** bare */
  readonly address: string;
  /** this host */
  readonly own: boolean;
  /** absent: it takes no part in encrypted networks */
  readonly tunnel?: Tunnel;
  /** 1–65535, by which a swarm's ingress network tells it from the others; absent: it is in none, or has none yet */
  readonly number?: number;
}

/** An endpoint on another host: what neighbours and the resolver must know of it. */
export type RemoteEndpoint = Pick<
  Endpoint,
  'id' | 'containerId' | 'containerName' | 'mac' | 'ipv4' | 'ipv6' | 'dnsNames'
>;

/** What one other host has on one network. */
export interface Peer {
  /** `peerId` of the two below */
  readonly id: string;
  readonly networkId: NetworkId;
  /** the host's id in the cluster */
  readonly node: string;
  /** bare address of the host */
  readonly address: string;
  /** the host's public key (`Tunnel`), by which it is reached on an encrypted network; absent: it is not */
  readonly key?: string;
  /** at least one */
  readonly endpoints: readonly RemoteEndpoint[];
}

export const peerId = (networkId: string, node: string): string => `${networkId}/${node}`;
