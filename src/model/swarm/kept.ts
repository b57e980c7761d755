/**
 * What a manager's mirror of etcd knows of a record besides its value. None of it is written. Timers run from times at which
 * this manager saw something, so no decision compares two machines' clocks.
 */

/** Milliseconds since 1970 by the clock of the machine at hand. */
export type Instant = number;

export interface Kept {
  /** etcd's mod_revision, `Version.Index` for clients; 0: not written yet */
  readonly version: number;
  /** etcd's create_revision: the order in which records came to be */
  readonly created: number;
  /** when this manager saw this version */
  readonly seen: Instant;
  /** when this manager first saw the record */
  readonly firstSeen: Instant;
}

/** Of a record that is being made: later than all there are. */
export const unwritten = (now: Instant): Kept => ({
  version: 0,
  created: Number.MAX_SAFE_INTEGER,
  seen: now,
  firstSeen: now,
});
