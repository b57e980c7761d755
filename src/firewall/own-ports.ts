/** Elements of the daemon's own ports: the relay's one listener, the API's over TCP, VXLAN's. Slice `host`. */
import type { ElementObject } from '../plan/objects.js';
import { inet, inetMap } from './elements.js';

/**
 * TCP connections that the sets `relay…` name go to `port` on this host (1–65535; SO_ORIGINAL_DST, level
 * IPPROTO_IPV6 option 80, tells where they were going). Whoever connects to `port` itself is dropped.
 */
export const relayElements = (port: number): ElementObject[] => [
  inetMap('relay_port', ['tcp'], [String(port)]),
  inet('relay_guard', 'tcp', String(port)),
];

/** No container reaches these ports of the host. */
export const apiElements = (ports: readonly number[]): ElementObject[] =>
  ports.map((port) => ({ ...inet('api', 'tcp', String(port)), guard: true }));

/** The cluster's other hosts, bare addresses, may send to these UDP ports, and nobody else. */
export const vxlanElements = (ports: readonly number[], hosts: readonly string[]): ElementObject[] =>
  [
    ...[...new Set(ports)].map((port) => inet('vxlan', String(port))),
    ...[...new Set(ports.length > 0 ? hosts : [])].map((a) => inet(a.includes(':') ? 'vteps6' : 'vteps4', a)),
  ].map((element) => ({ ...element, guard: true }));

/** Packets to these UDP ports come and go by WireGuard alone. */
export const sealedElements = (ports: readonly number[]): ElementObject[] =>
  [...new Set(ports)].map((port) => ({ ...inet('sealed', String(port)), guard: true }));
