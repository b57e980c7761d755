/** What a plan must know of each kind of kernel object. A kind is its type and one such row, in the file of its back end. */
import type { Netns } from '../link-objects.js';
import type { Phase } from '../phases.js';

export type Op = 'create' | 'delete' | 'replace';

/** A service beside the kernel that keeps objects, and that may be silent for a while. */
export type Service = 'ovs';

export type Mark = 'own' | 'host' | 'none' | 'either';

export interface Kind<O> {
  /** the kernel's own identity of the object among those of its kind, as one text */
  key(o: O): string;
  /**
   * How ours is told from others': `own`: it carries our mark itself; `host`: by the link or namespace that it is in; `none`:
   * not at all, so it is never among what is observed, and is looked at by itself; `either`: by a mark, but another's may
   * stand in its place.
   */
  readonly mark: Mark | ((o: O) => Mark);
  /** when it is made, and put in place of another of its key */
  readonly open: Phase | ((o: O) => Phase);
  readonly close: Phase | ((o: O) => Phase);
  /** the interface that it cannot be without and dies with, other than being one (`interfaceKey`) */
  on?(o: O): string | undefined;
  /** it goes by a step of its own, before the interface that it is on; absent: with that */
  readonly apart?: true;
  /** the name of the host's interface that it is, or takes as it is */
  onHost?(o: O): string | undefined;
  /** the namespace whose end is its end without any step of ours */
  within?(o: O): Netns;
  /** What of it cannot be changed: where that differs it is made anew. Absent: all of it can. */
  fixed?(o: O): unknown;
  /** Are two of one key in one state? Absent: where all of them is the same. */
  same?(a: O, b: O): boolean;
  /** The service that keeps it; absent: the kernel, or the daemon itself. */
  service?(o: O): Service | undefined;
  /** the command that people know for it; `before`: of a replacement */
  print(op: Op, o: O, before?: O): string;
  /** what else a step of it does, to say in a plan */
  note?(o: O): string | undefined;
}

/** One interface in one namespace. */
export const interfaceKey = (ns: Netns, name: string): string => `${ns} ${name}`;

export const VERBS: Readonly<Record<Op, string>> = { create: 'add', delete: 'del', replace: 'replace' };

export const ip = (ns: Netns): string => (ns === 'host' ? 'ip' : `ip -n ${ns}`);

/** The start of a command that knows no namespaces itself. */
export const within = (ns: Netns): string => (ns === 'host' ? '' : `ip netns exec ${ns} `);
