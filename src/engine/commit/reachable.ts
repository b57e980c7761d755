/** What of the slices can be brought about now, and what has to wait for a service beside the kernel. */
import type { Kernel } from '../../kernel/contract.js';
import { type KernelObject, objectKey, type Slice } from '../../plan/objects.js';

/** What a slice wants, or a part of that. */
export interface Piece {
  readonly slice: Slice;
  readonly objects: readonly KernelObject[];
}

export interface Reachable {
  readonly wanted: readonly Piece[];
  /** keys of what is neither made nor changed nor taken away now */
  readonly left: ReadonlySet<string>;
}

/** A network or endpoint waits as a whole, for its parts build on each other; of the host's slice only what must. */
export const reachable = (kernel: Kernel, pieces: readonly Piece[]): Reachable => {
  const left = new Set<string>();
  const wanted = pieces.map(({ slice, objects }): Piece => {
    const missing = new Set(objects.filter((o) => !kernel.reachable(o)));
    const waits = (o: KernelObject): boolean => missing.has(o) || (missing.size > 0 && slice.kind !== 'host');
    for (const o of objects) if (waits(o)) left.add(objectKey(o));
    return { slice, objects: objects.filter((o) => !waits(o)) };
  });
  return { wanted, left };
};
