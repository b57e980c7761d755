/** A plan: an ordered, printable, invertible list of steps. Planning decides everything, applying decides nothing. */
import type { KernelObject } from './objects.js';

export type Step =
  | { readonly op: 'create'; readonly object: KernelObject }
  | {
      readonly op: 'delete';
      readonly object: KernelObject;
      /** what dies with it in the kernel and gets no step of its own (addresses and routes of a link…) */
      readonly takes?: readonly KernelObject[];
    }
  /** same key, other state */
  | { readonly op: 'replace'; readonly object: KernelObject; readonly before: KernelObject };

export type Plan = readonly Step[];
