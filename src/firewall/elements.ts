/** Constructors of elements, one for each table and kind of set. */
import type { ElementObject, PublishedObject } from '../plan/objects.js';

type HostFamily = ElementObject['family'];
const ofSet =
  (family: HostFamily) =>
  (set: string, ...key: readonly string[]): ElementObject => ({ kind: 'element', family, set, key });
const ofMap =
  (family: HostFamily) =>
  (set: string, key: readonly string[], data: readonly string[]): ElementObject => ({
    kind: 'element',
    family,
    set,
    key,
    data,
  });

export const inet = ofSet('inet');
export const inetMap = ofMap('inet');
export const bridge = ofSet('bridge');
export const netdev = ofSet('netdev');
/** The chain of one port. */
export const netdevPort = (set: string, port: string, data: readonly string[]): ElementObject =>
  ofMap('netdev')(set, [port], data);

/**
 * What confines a port, marked as such: all of layer 2 but the flows that links open. What is found in the kernel and
 * wanted no more goes as late as what a plan made.
 */
export const asGuard = <T extends ElementObject | PublishedObject>(element: T): T =>
  element.kind === 'element' && element.family !== 'inet' && !element.set.startsWith('links')
    ? { ...element, guard: true }
    : element;
