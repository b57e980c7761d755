/** Constructors of elements, one for each table and kind of set. */
import type { ElementObject } from '../plan/objects.js';

/** An element of a set in the inet table. */
export const inet = (set: string, ...key: readonly string[]): ElementObject => ({
  kind: 'element',
  family: 'inet',
  set,
  key,
});
/** An element of a map in the inet table. */
export const inetMap = (set: string, key: readonly string[], data: readonly string[]): ElementObject => ({
  kind: 'element',
  family: 'inet',
  set,
  key,
  data,
});
export const bridge = (set: string, ...key: readonly string[]): ElementObject => ({
  kind: 'element',
  family: 'bridge',
  set,
  key,
});
/** An element of a set in the netdev table. */
export const netdev = (set: string, ...key: readonly string[]): ElementObject => ({
  kind: 'element',
  family: 'netdev',
  set,
  key,
});
/** The chain of one port. */
export const netdevPort = (set: string, port: string, data: readonly string[]): ElementObject => ({
  kind: 'element',
  family: 'netdev',
  set,
  key: [port],
  data,
});
