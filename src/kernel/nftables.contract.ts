/** What the kernel layer needs of `kernel/nftables/`: elements of our tables, changed atomically. */
import type { ElementObject } from '../plan/objects.js';

export interface ElementChange {
  readonly op: 'add' | 'delete';
  readonly element: ElementObject;
}

/** What the sender guard dropped of what one port sent, since its last day of silence. */
export interface DroppedAtPort {
  /** the interface's name */
  readonly port: string;
  readonly reason: string;
  readonly packets: number;
}

export interface Nftables {
  /** Loads the static tables, or adopts and completes those that a former daemon left. */
  ensure(): void;
  /**
   * One atomic batch, in order: all of it or nothing (then KernelError). Adding what is there in the same state and
   * deleting what is not there succeed.
   */
  apply(changes: readonly ElementChange[]): void;
  elements(): readonly ElementObject[];
  /** True where the element is there with the same data. */
  has(element: ElementObject): boolean;
  dropped(): readonly DroppedAtPort[];
  drop(): void;
  close(): void;
}
