/**
 * What plugins are owed: calls that take back what they were asked for and no record wants. Written down before a plugin
 * is asked, so that a daemon killed in between takes it back at its next start; made in order, one debt at a time an
 * endpoint or network; tried again, ever more rarely, while the plugin is away. Nobody waits for them longer than
 * `PATIENCE_MS`.
 */

import { ViaductError } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import type { Logger } from '../../log.js';
import type { Owed, OwedCall } from '../../model/owed.js';
import type { Plugins } from '../../plugins/contract.js';
import type { Ledger } from '../commit/ledger.js';
import type { Model } from '../commit/model.js';
import { drop, put } from '../commit/tables.js';
import { settlesWithin } from '../within.js';

/** Milliseconds: for how long others wait, and the pauses between tries. */
const PATIENCE_MS = 10_000;
const PAUSE = { first: 500, longest: 10_000 } as const;

export interface DebtParts {
  readonly model: Model;
  readonly ledger: Ledger;
  readonly plugins: Pick<Plugins, 'tell'>;
  readonly log: Logger;
}

/** The plugin is not there: what it is owed stays owed. Anything else it answered settles the call, as in moby. */
const isAway = (error: unknown): boolean =>
  error instanceof ViaductError && (error.kind === 'unavailable' || error.kind === 'not-found');

export class Debts {
  readonly #settling = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Who is being asked for something of these ids may be giving it just now: nothing is taken back meanwhile. */
  readonly #asking = new Set<string>();
  #open = false;

  constructor(private readonly parts: DebtParts) {}

  /** Before the plugin is asked; `answered` follows. */
  note(owed: Owed): void {
    this.#asking.add(owed.id);
    this.parts.ledger.commit([put('owed', owed)]);
    failpoint('plugin-owed');
  }

  /** Nobody asks for anything of this id any more: what is owed under it is to be paid. */
  answered(id: string): void {
    this.#asking.delete(id);
  }

  /** Makes the calls owed under this id; resolves when they are made, or after `PATIENCE_MS` at the latest. */
  async settle(id: string): Promise<void> {
    if (this.#open && !this.#asking.has(id))
      await settlesWithin(this.#settling.get(id) ?? this.#begin(id, PAUSE.first), PATIENCE_MS);
  }

  /** Waits (boundedly) for what is being taken back of a network: a fixed address must be free before it is asked for. */
  async quiet(networkId: string): Promise<void> {
    const pending = [...this.#settling].filter(
      ([id]) => this.parts.model.owed.get(id)?.networkId === networkId,
    );
    await settlesWithin(Promise.all(pending.map(([, work]) => work)), PATIENCE_MS);
  }

  /** Once the kernel is as the records want it (links are back on the host): whatever is owed now is told. */
  open(): void {
    this.#open = true;
    for (const id of this.parts.model.owed.keys()) void this.settle(id);
  }

  close(): void {
    this.#open = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #begin(id: string, pause: number): Promise<void> {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    const work = this.#pay(id, pause)
      .catch((error: unknown) => {
        this.parts.log.error(
          { error: String(error) },
          'a plugin was told, but that could not be written down',
        );
        this.#later(id, pause);
      })
      .finally(() => this.#settling.delete(id));
    this.#settling.set(id, work);
    return work;
  }

  async #pay(id: string, pause: number): Promise<void> {
    for (let owed = this.parts.model.owed.get(id); owed; owed = this.parts.model.owed.get(id)) {
      const [call, ...rest] = owed.calls;
      if (call && !(await this.#told(call))) {
        this.#later(id, pause);
        return;
      }
      if (!this.#open) return;
      this.#strike(owed, rest);
    }
  }

  #strike(owed: Owed, calls: readonly OwedCall[]): void {
    this.parts.ledger.commit([calls.length > 0 ? put('owed', { ...owed, calls }) : drop('owed', owed.id)]);
    failpoint('plugin-told');
  }

  /** False where the plugin is away. */
  async #told(call: OwedCall): Promise<boolean> {
    try {
      await this.parts.plugins.tell(call);
      return true;
    } catch (error) {
      if (isAway(error)) {
        this.parts.log.debug({ ...call, error: String(error) }, 'a plugin is owed a call and is away');
        return false;
      }
      this.parts.log.warn(
        { plugin: call.plugin, method: call.method, error: String(error) },
        'plugin call failed',
      );
      return true;
    }
  }

  #later(id: string, pause: number): void {
    if (!this.#open) return;
    const timer = setTimeout(() => void this.#begin(id, Math.min(pause * 2, PAUSE.longest)), pause);
    this.#timers.set(id, timer.unref());
  }
}
