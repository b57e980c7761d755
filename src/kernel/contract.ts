/**
 * The kernel layer's interface: what the engine asks of it. `kernel/` implements it on Linux,
 * `test/support/fake-kernel.ts` in memory.
 */
import type { Service } from '../plan/kinds/kind.js';
import type { KernelObject, Netns, SysctlObject } from '../plan/objects.js';
import type { Plan } from '../plan/plan.js';
import type { DroppedAtPort } from './nftables.contract.js';

export type { DroppedAtPort };

export interface Kernel {
  /**
   * Carries the plan out, in order and synchronously; neighbouring nftables elements go in one atomic batch (openings,
   * guards of ports and other guards are apart in a plan, so three batches at most each way). On the first refused step the inverses of the applied
   * ones run and the refusal is thrown, a KernelError where the kernel refused; `leftDirty` (errors.ts) tells whether an
   * inverse was refused too. Slow deletions (links, which wait for RCU: 16–32 ms each) are cut off from traffic at once
   * and finished off the main thread: see `settled`. Their names are free at once.
   */
  apply(plan: Plan): void;
  /** Resolves when no deletion is under way that concerns the namespace (default: anywhere). */
  settled(ns?: string): Promise<void>;
  /** Every object that carries our mark: links by name, elements of our tables, our namespaces. For repair. */
  observe(): readonly KernelObject[];
  /** True where the object is there in exactly this state; cheap, for the repair of one slice. */
  present(object: KernelObject): boolean;
  /**
   * False where the object is kept by a service beside the kernel (Open vSwitch) that does not answer now: it can neither
   * be made nor looked at. Such services are looked at again when they answer (`watch`).
   */
  reachable(object: KernelObject): boolean;
  /**
   * Calls back (coalesced, within 70 ms) with what is not as the plans made it, or not as it was when watching began:
   * link names, `nftables`. Our own plans are not told of. Answers what there was then: as `observe`, and of our
   * interfaces the sysctls that the kernel tells along with them.
   */
  watch(onDrift: (drift: readonly Drift[]) => void): readonly KernelObject[];
  /** Binds the network namespace in which a process stands at a path where none is bound. Throws what the kernel refuses. */
  rebind(path: string, pid: number): void;
  /** Bare addresses in the network namespace in which a process stands; none of the daemon's own. */
  addressesOf(pid: number): readonly string[];
  /** Loads the static tables, or adopts and completes those that a former daemon left. */
  ensureTables(): void;
  /** Bridges and ports that lead nothing past them now, though plans gave them shortcuts. */
  suspended(): readonly Suspended[];
  /** What the sender guard dropped, by the host's end of the link. */
  dropped(): readonly DroppedAtPort[];
  /** Removes our tables. For shutdown with nothing left, and tests. */
  dropTables(): void;
  close(): Promise<void>;
}

export type Drift =
  /** gone, come or changed; in a sandbox only links that have no end on the host are watched */
  | { readonly kind: 'link'; readonly ns: Netns; readonly name: string }
  | { readonly kind: 'address'; readonly ns: 'host'; readonly name: string }
  | { readonly kind: 'route' }
  /** a sysctl of the host's that has another value than it needs */
  | { readonly kind: 'sysctl'; readonly object: SysctlObject; readonly found: string }
  /** something that a service beside the kernel keeps, or the service itself came back */
  | { readonly kind: 'service'; readonly service: Service }
  /** shortcuts were suspended, or lead on */
  | { readonly kind: 'suspended' }
  | { readonly kind: 'nftables' };

export interface Suspended {
  /** of the bridge, or of one port's link */
  readonly name: string;
  /** to people, with a remedy */
  readonly reason: string;
}

/** Executors for objects that live in the daemon itself (held ports, resolver sockets); injected by `main`. */
export interface LocalObjects<T extends KernelObject> {
  create(object: T): void;
  delete(object: T): void;
  has(object: T): boolean;
  list(): readonly T[];
}
