/** A plan: an ordered, printable, invertible list of steps. Planning decides everything, applying decides nothing. */
import type { KernelObject, Slice } from './objects.js';

/** `slice`: whose record wants the object, or wanted it until now; absent: nobody's, or nobody asked. */
export type Step<O extends KernelObject = KernelObject> = { readonly slice?: Slice } & (
  | { readonly op: 'create'; readonly object: O }
  | {
      readonly op: 'delete';
      readonly object: O;
      /** what dies with it in the kernel and gets no step of its own (addresses and routes of a link…) */
      readonly takes?: readonly KernelObject[];
    }
  /** same key, other state */
  | { readonly op: 'replace'; readonly object: O; readonly before: O }
);

export type Plan = readonly Step[];
