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

/**
 * What confines a port, marked as such: all of layer 2 but the flows that links open. What is found in the kernel and
 * wanted no more goes as late as what a plan made.
 */
export const asGuard = (element: ElementObject): ElementObject =>
  element.family !== 'inet' && !element.set.startsWith('links') ? { ...element, guard: true } : element;
