/**
 * The door: TCP 2377, the only port of a manager that other nodes speak TLS to. It reads what a connection asks for (the ALPN
 * of its ClientHello) and has exactly two tenants: nothing asked for is a member of etcd, `viaduct/1` is a session of ours.
 * All else is closed without an answer.
 */
import type { TLSSocket } from 'node:tls';
import type { NodeIdentity } from '../ca/contract.js';
import type { Endpoint } from '../etcd/contract.js';

/** Host without brackets: one of this machine's addresses, `0.0.0.0` or `::` (IPv4 too). */
export interface DoorAddress {
  readonly host: string;
  readonly port: number;
}

/** PEM texts of this node. */
export interface DoorTls {
  /** its certificate, and those between it and an authority */
  readonly certificate: string;
  readonly key: string;
  /** the authorities by which others are judged, one behind the other */
  readonly trust: string;
}

/**
 * Who came. `peer`: what a certificate by one of our authorities says, checked for time and purpose. Undefined: it showed none,
 * as one that wants to join does. Whoever shows one that is not valid is turned away at the door.
 */
export interface Visitor {
  /** TLS is complete; errors must be listened to by whoever takes it */
  readonly socket: TLSSocket;
  readonly peer: NodeIdentity | undefined;
  /** as the kernel tells it, without brackets; an IPv4 address as such */
  readonly address: string;
}

export interface DoorSettings {
  readonly listen: readonly DoorAddress[];
  readonly tls: DoorTls;
  /** where a member of etcd is taken to, asked at each connection; undefined: it is turned away */
  readonly peers: () => Endpoint | undefined;
  /** must not throw */
  readonly session: (visitor: Visitor) => void;
}

export interface Door {
  /** where it listens; a port of 0 has become a number */
  readonly addresses: readonly DoorAddress[];
  /** A renewed certificate or other authorities, for connections from now on. */
  secure(tls: DoorTls): void;
  /** No further connections; those that are there are ended. */
  close(): Promise<void>;
}
