/**
 * What dies with what in the kernel: addresses, routes, neighbours, FDB entries and sysctls with their link, everything
 * in a namespace with the namespace. Plans never delete such things one by one: a link delete names them instead.
 */
import { same } from './equal.js';
import { interfaceKey, type Mark, type Service } from './kinds/kind.js';
import { traitsOf } from './link-traits.js';
import { type KernelObject, kindOf, type LinkObject, type Netns } from './objects.js';

export { interfaceKey };

/** The interface an object cannot be without, other than being one. */
export const hostedBy = (o: KernelObject): string | undefined => kindOf(o).on?.(o);

/** The interfaces a link is: a veth has two. */
export const interfacesOf = (link: LinkObject): readonly string[] => [
  interfaceKey(link.ns, link.name),
  ...(traitsOf(link).ends?.(link) ?? []).map(({ ns, name }) => interfaceKey(ns, name)),
];

/** The interface that a link lies on and dies with. */
export const lowerOf = (link: LinkObject): string | undefined =>
  'parent' in link ? interfaceKey('host', link.parent) : undefined;

/** The namespace whose end is the object's end without any step of ours. */
export const livesIn = (o: KernelObject): Netns | undefined => kindOf(o).within?.(o);

/** The name of the host's interface that the object is, or takes as it is. */
export const onHost = (o: KernelObject): string | undefined => kindOf(o).onHost?.(o);

/** The service beside the kernel that keeps the object. */
export const serviceOf = (o: KernelObject): Service | undefined => kindOf(o).service?.(o);

const markOf = (o: KernelObject): Mark => {
  const { mark } = kindOf(o);
  return typeof mark === 'string' ? mark : mark(o);
};

/** It carries our mark itself: one that no record wants is ours to take away. */
export const isMarked = (o: KernelObject): boolean => ['own', 'either'].includes(markOf(o));

/** It may be there although it is not among what is observed. */
export const isUnmarked = (o: KernelObject): boolean => ['none', 'either'].includes(markOf(o));

/** A user's own bridge is there before and after us, so nothing on it dies by our hand. */
export const isMade = (link: LinkObject): boolean => link.type !== 'bridge' || link.owned;

/** True where one cannot be turned into the other of its key: it has to be made anew, with all it carries. */
export const mustRemake = (before: KernelObject, after: KernelObject): boolean =>
  !same(kindOf(before).fixed?.(before), kindOf(after).fixed?.(after));
