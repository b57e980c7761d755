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

/**
 * The cluster's other hosts may send to these UDP ports of this host's own address, and nobody else. Bare addresses; `own`: undefined
 * while it has none in the cluster.
 */
export const vxlanElements = (
  ports: readonly number[],
  own: string | undefined,
  hosts: readonly string[],
): ElementObject[] => {
  const [each, others] = [[...new Set(ports)], [...new Set(ports.length > 0 ? hosts : [])]];
  const family = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);
  const ways = others.flatMap((host) =>
    own === undefined || family(own) !== family(host)
      ? []
      : each.map((port) => inet(`vxlan_ways${family(host)}`, host, own, String(port))),
  );
  return [
    ...each.map((port) => inet('vxlan', String(port))),
    ...others.map((host) => inet(`vteps${family(host)}`, host)),
    ...ways,
  ].map((element) => ({ ...element, guard: true }));
};

/** Packets to these UDP ports come and go by WireGuard alone. */
export const sealedElements = (ports: readonly number[]): ElementObject[] =>
  [...new Set(ports)].map((port) => ({ ...inet('sealed', String(port)), guard: true }));
