/** What of the slices can be brought about now, and what has to wait for a service beside the kernel. */
import type { Kernel } from '../kernel/contract.js';
import { type KernelObject, objectKey, type Slice } from '../plan/objects.js';

export interface Reachable {
  readonly wanted: readonly KernelObject[];
  /** keys of what is neither made nor changed nor taken away now */
  readonly left: ReadonlySet<string>;
}

/** A network or endpoint waits as a whole, for its parts build on each other; of the host's slice only what must. */
export const reachable = (
  kernel: Kernel,
  slices: readonly { readonly slice: Slice; readonly objects: readonly KernelObject[] }[],
): Reachable => {
  const wanted: KernelObject[] = [];
  const left = new Set<string>();
  for (const { slice, objects } of slices) {
    const missing = new Set(objects.filter((o) => !kernel.reachable(o)));
    for (const o of objects) {
      if (missing.has(o) || (missing.size > 0 && slice !== 'host')) left.add(objectKey(o));
      else wanted.push(o);
    }
  }
  return { wanted, left };
};
