/** Elements that point the relay sets at the daemon's one relay listener. */
import type { ElementObject } from '../plan/objects.js';
import { inet, inetMap } from './elements.js';

/**
 * Slice `host`: TCP connections that the sets `relay…` name go to `port` on this host (1–65535; SO_ORIGINAL_DST, level
 * IPPROTO_IPV6 option 80, tells where they were going). Whoever connects to `port` itself is dropped.
 */
export const relayElements = (port: number): ElementObject[] => [
  inetMap('relay_port', ['tcp'], [String(port)]),
  inet('relay_guard', 'tcp', String(port)),
];
