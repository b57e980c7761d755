/**
 * What the start, the end and the removal of containers share. Invariants: one of them at a time a container (`locks`); the record on
 * disk is always the truth that a restarted daemon can go on from.
 */
import { Locks } from '../locks.js';
import type { Parts } from '../parts.js';
import { HealthMonitor } from './health.js';
import { amendState } from './record.js';
import { RestartTimers } from './restart-timers.js';
import { Waiters } from './waiters.js';
import { Attachments } from './waiting-clients.js';

export interface Life {
  readonly parts: Parts;
  readonly locks: Locks;
  readonly waiters: Waiters;
  readonly attachments: Attachments;
  readonly restarts: RestartTimers;
  readonly health: HealthMonitor;
  /** ended by a restart or a removal of the user's: no policy brings them back or takes them away meanwhile */
  readonly staying: Set<string>;
  /** starts under way, and how they are given up */
  readonly starting: Map<string, AbortController>;
  /** The daemon ends: what is to be restarted is restarted by the next one. */
  closing: boolean;
}

/** `restart`: called for a container whose time to be started again has come. */
export const createLife = (parts: Parts, restart: (id: string) => void): Life => ({
  parts,
  locks: new Locks(),
  waiters: new Waiters(),
  attachments: new Attachments(),
  restarts: new RestartTimers(restart),
  health: new HealthMonitor(parts, (id, state) => amendState(parts, id, state)),
  staying: new Set(),
  starting: new Map(),
  closing: false,
});
