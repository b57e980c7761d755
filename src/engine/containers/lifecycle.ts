/**
 * A container's life: commands of users (by the table in transitions.ts, whose steps are carried out one after the other), starts by
 * policy, and what the daemon does with containers when it begins and ends.
 */
import { notFound } from '../../errors.js';
import type { Exit } from '../../runtime/contract.js';
import type { Parts } from '../parts.js';
import { finish, watchExit } from './exit.js';
import { createLife, type Life } from './life.js';
import { amendState } from './record.js';
import { remove } from './removal.js';
import { mayPass } from './restart-policy.js';
import { start } from './start.js';
import { containerEvent, isRunning } from './state.js';
import { type LockedStep, STEPS, type Wish } from './steps.js';
import type { StopOptions } from './termination.js';
import { type Command, type Phase, type Step, TRANSITIONS } from './transitions.js';

export class Lifecycle {
  readonly #life: Life;

  constructor(readonly parts: Parts) {
    this.#life = createLife(parts, (id) => {
      this.revive(id, 1).catch((error: unknown) => {
        parts.log.warn({ container: id, error: String(error) }, 'restart failed');
      });
    });
  }

  get waiters() {
    return this.#life.waiters;
  }

  get attachments() {
    return this.#life.attachments;
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────

  start = (id: string): Promise<void> => this.#command('start', id);
  stop = (id: string, options: StopOptions): Promise<void> => this.#command('stop', id, options);
  kill = (id: string, signal: string): Promise<void> => this.#command('kill', id, { signal });

  async restart(id: string, options: StopOptions): Promise<void> {
    await this.#command('restart', id, options);
    const container = this.parts.model.containers.get(id);
    if (container) containerEvent(this.parts, container, 'restart');
  }

  /** Freezing and thawing pass by nobody else's start or end. */
  pause = (id: string): Promise<void> =>
    this.exclusive(id, async () => {
      const { parts } = this;
      try {
        await this.#command('pause', id);
      } catch (error) {
        // What could not be frozen is not noted as such.
        if (this.#phase(id) === 'paused' && !parts.runtime.isPaused(id))
          amendState(parts, id, { status: 'running' });
        throw error;
      }
      containerEvent(parts, parts.model.getContainer(id), 'pause');
    });

  unpause = (id: string): Promise<void> =>
    this.exclusive(id, async () => {
      await this.#command('unpause', id);
      containerEvent(this.parts, this.parts.model.getContainer(id), 'unpause');
    });

  remove(id: string, { force, volumes }: { force: boolean; volumes: boolean }): Promise<void> {
    return this.#command(force ? 'force-remove' : 'remove', id, { volumes });
  }

  #phase(id: string): Phase {
    return this.#life.starting.has(id) ? 'starting' : this.parts.model.getContainer(id).state.status;
  }

  /** The steps that the table has for the command, or throws why it has none. */
  #answer(command: Command, id: string): readonly Step[] {
    const { name } = this.parts.model.getContainer(id);
    const answer = TRANSITIONS[this.#phase(id)][command];
    if (typeof answer === 'function') throw answer(id, name);
    return answer;
  }

  /** Until the table's last step is done; what came between is looked at anew. */
  async #command(command: Command, id: string, wish: Wish = {}): Promise<void> {
    let steps = this.#answer(command, id);
    while (steps.length > 0) {
      let again = false;
      for (const step of steps)
        again =
          step === 'launch' || step === 'erase'
            ? await this.#locked(step, command, id, wish)
            : (await STEPS[step](this.#life, id, wish)) === true;
      if (!again || (command.endsWith('remove') && !this.parts.model.containers.has(id))) return;
      steps = this.#answer(command, id);
    }
  }

  /** Answers true where somebody else had it first, and made something else of the container. */
  #locked(step: LockedStep, command: Command, id: string, wish: Wish): Promise<boolean> {
    return this.exclusive(id, async () => {
      if (!this.parts.model.containers.has(id)) {
        if (step === 'erase') return false;
        throw notFound(`No such container: ${id}`);
      }
      const steps = this.#answer(command, id);
      if (steps.at(-1) !== step || steps.some((s) => s !== step && s !== 'cancel-restart')) return true;
      this.#life.restarts.cancel(id);
      if (step === 'erase') await remove(this.#life, id, wish.volumes ?? false);
      else await start(this.#life, id, 0);
      return false;
    });
  }

  // ── without a command ───────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * A start by policy. What is lacking may come yet (an address, a port, a parent interface, a container that it stands
   * on): then it is tried again later, until the user says otherwise. `counts`: what it adds to the restart count.
   */
  revive(id: string, counts: 0 | 1): Promise<void> {
    const { model } = this.parts;
    return this.exclusive(id, async () => {
      const found = model.containers.get(id);
      if (!found || isRunning(found) || (counts > 0 && found.state.status !== 'restarting')) return;
      try {
        await start(this.#life, id, found.restartCount + counts);
      } catch (error) {
        if (this.#life.closing || !mayPass(error) || !model.containers.has(id)) throw error;
        amendState(this.parts, id, { status: 'restarting' });
        this.#life.restarts.schedule(id, 0);
        throw error;
      }
    });
  }

  /** As of exit.ts, of one that ended while no daemon ran. */
  finish = (id: string, exit: Exit, revives: boolean): Promise<void> => finish(this.#life, id, exit, revives);

  /** Goes on with a removal that a crash cut off, or begins it. */
  finishRemoval(id: string, volumes: boolean): Promise<void> {
    return this.exclusive(id, async () => {
      if (this.parts.model.containers.has(id)) await remove(this.#life, id, volumes);
    });
  }

  /** After a daemon restart: containers that ran on go on being watched. */
  readopt(ids: readonly string[]): void {
    for (const id of ids) {
      watchExit(this.#life, id);
      this.#life.health.watch(this.parts.model.getContainer(id));
    }
  }

  exclusive<T>(id: string, work: () => Promise<T>): Promise<T> {
    return this.#life.locks.run(id, work);
  }

  /** The daemon stops: containers live on, timers do not. */
  close(): void {
    this.#life.closing = true;
    this.#life.restarts.close();
    this.#life.health.close();
  }
}
