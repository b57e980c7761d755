/**
 * A container's life: what the commands of transitions.ts are made of, its exit, its restarts. One start, exit or removal at
 * a time a container (`Locks`); the record on disk is always the truth that a restarted daemon can go on from.
 */
import { conflict, messageOf, notFound } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import { type Container, type ContainerState, NEVER } from '../../model/container.js';
import { type Exit, StartError } from '../../runtime/contract.js';
import { end } from '../attach/index.js';
import { timestamp } from '../fresh.js';
import { Locks } from '../locks.js';
import { bringNetworks } from '../networks/in-cluster.js';
import type { Parts } from '../parts.js';
import { followLinks } from './etc-files.js';
import { HealthMonitor } from './health.js';
import { launch } from './launch.js';
import { releaseMounts } from './mounts.js';
import { amend, amendState } from './record.js';
import { erase } from './removal.js';
import { mayPass, restartsAfterExit } from './restart-policy.js';
import { RestartTimers } from './restart-timers.js';
import { signalNumber } from './signals.js';
import { containerEvent, isRunning } from './state.js';
import { endsWithin, killAtOnce, SIGKILL, type StopOptions, stopSignal, terminate } from './termination.js';
import { type Command, type Phase, type Step, TRANSITIONS } from './transitions.js';
import { Waiters } from './waiters.js';
import { Attachments } from './waiting-clients.js';

/** What came with a command. */
interface Wish extends StopOptions {
  /** volumes that were made for the container alone go with it */
  readonly volumes?: boolean;
}

/** Made from what is read before its lock is had, so decided anew under it. */
type LockedStep = 'launch' | 'erase';

export class Lifecycle {
  readonly waiters = new Waiters();
  readonly attachments = new Attachments();
  readonly #locks = new Locks();
  readonly #restarts = new RestartTimers();
  readonly #health: HealthMonitor;
  readonly #staying = new Set<string>();
  /** starts under way, and how they are given up */
  readonly #starting = new Map<string, AbortController>();
  #closing = false;

  constructor(readonly parts: Parts) {
    this.#health = new HealthMonitor(parts, (id, state) => amendState(parts, id, state));
  }

  // ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────

  start = (id: string): Promise<void> => this.#command('start', id);
  stop = (id: string, options: StopOptions): Promise<void> => this.#command('stop', id, options);
  kill = (id: string, signal: string): Promise<void> => this.#command('kill', id, { signal });

  async restart(id: string, options: StopOptions): Promise<void> {
    await this.#command('restart', id, options);
    const container = this.parts.model.containers.get(id);
    if (container) this.#event(container, 'restart');
  }

  /** Freezing and thawing pass by nobody else's start or end. */
  pause = (id: string): Promise<void> =>
    this.#locks.run(id, async () => {
      try {
        await this.#command('pause', id);
      } catch (error) {
        // What could not be frozen is not noted as such.
        if (this.#phase(id) === 'paused' && !this.parts.runtime.isPaused(id))
          amendState(this.parts, id, { status: 'running' });
        throw error;
      }
      this.#event(this.parts.model.getContainer(id), 'pause');
    });

  unpause = (id: string): Promise<void> =>
    this.#locks.run(id, async () => {
      await this.#command('unpause', id);
      this.#event(this.parts.model.getContainer(id), 'unpause');
    });

  remove(id: string, { force, volumes }: { force: boolean; volumes: boolean }): Promise<void> {
    return this.#command(force ? 'force-remove' : 'remove', id, { volumes });
  }

  #phase(id: string): Phase {
    return this.#starting.has(id) ? 'starting' : this.parts.model.getContainer(id).state.status;
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
            : (await this.#steps[step](id, wish)) === true;
      if (!again || (command.endsWith('remove') && !this.parts.model.containers.has(id))) return;
      steps = this.#answer(command, id);
    }
  }

  /** Answers true where somebody else had it first, and made something else of the container. */
  #locked(step: LockedStep, command: Command, id: string, wish: Wish): Promise<boolean> {
    return this.#locks.run(id, async () => {
      if (!this.parts.model.containers.has(id)) {
        if (step === 'erase') return false;
        throw notFound(`No such container: ${id}`);
      }
      const steps = this.#answer(command, id);
      if (steps.at(-1) !== step || steps.some((s) => s !== step && s !== 'cancel-restart')) return true;
      this.#restarts.cancel(id);
      if (step === 'erase') await this.#erase(id, wish.volumes ?? false);
      else await this.#start(id, 0);
      return false;
    });
  }

  /** What each step does. Answers true where the table is to be asked again. */
  readonly #steps: Readonly<Record<Exclude<Step, LockedStep>, (id: string, wish: Wish) => unknown>> = {
    'wait-turn': (id) => this.#locks.run(id, async () => true),
    'give-up-start': (id) => this.#starting.get(id)?.abort(),
    'cancel-restart': (id) => this.#restarts.cancel(id),
    'note-stopped': (id) => amend(this.parts, id, (now) => ({ ...now, stoppedByUser: true })),
    'note-paused': (id) => amendState(this.parts, id, { status: 'paused' }),
    'note-running': (id) => amendState(this.parts, id, { status: 'running' }),
    'note-exited': (id) => {
      amendState(this.parts, id, { status: 'exited' });
      const { exitCode, error } = this.parts.model.getContainer(id).state;
      this.waiters.tell(id, 'next-exit', { exitCode, error });
    },
    freeze: async (id) => {
      failpoint('pause-noted');
      await this.parts.runtime.pause(id);
    },
    thaw: async (id) => {
      failpoint('thaw-noted');
      await this.#thaw(id);
    },
    end: async (id, wish) => {
      const container = this.parts.model.getContainer(id);
      await terminate(this.parts, this.waiters, container, wish);
      this.#event(container, 'stop');
    },
    'end-staying': (id, wish) => {
      const container = this.parts.model.getContainer(id);
      return this.#whileStaying(id, () => terminate(this.parts, this.waiters, container, wish));
    },
    signal: (id, wish) => this.#signal(id, wish.signal),
    'kill-surely': (id) => this.#whileStaying(id, () => this.#killSurely(id)),
  };

  /** One that has ended meanwhile needs none. */
  async #thaw(id: string): Promise<void> {
    try {
      await this.parts.runtime.resume(id);
    } catch (error) {
      this.parts.log.debug({ container: id, error: String(error) }, 'nothing to thaw');
    }
  }

  async #signal(id: string, signal: string | undefined): Promise<void> {
    const { parts } = this;
    const container = parts.model.getContainer(id);
    const number = signalNumber(signal || 'SIGKILL');
    if (number === SIGKILL || number === stopSignal(container)) {
      amend(parts, id, (now) => ({ ...now, stoppedByUser: true }));
      if (container.state.status === 'paused') {
        amendState(parts, id, { status: 'running' });
        await this.#thaw(id);
      }
    }
    const ended = this.waiters.wait(id, 'next-exit');
    await parts.runtime.kill(id, number);
    this.#event(container, 'kill', { signal: String(number) });
    if (number === SIGKILL) await endsWithin(container, ended);
  }

  /** Where its end is not heard of (conmon hangs), it is taken away without. Throws internal where not even that can be. */
  async #killSurely(id: string): Promise<void> {
    const { parts } = this;
    if (await killAtOnce(parts, this.waiters, parts.model.getContainer(id))) return;
    await this.#locks.run(id, async () => {
      const container = parts.model.containers.get(id);
      if (!container || !isRunning(container)) return;
      parts.log.warn({ container: container.name }, 'its end is not told: it is taken away all the same');
      await parts.runtime.delete(id);
      await this.finish(id, killed());
    });
  }

  /** Ended by a restart or a removal of the user's: no policy brings it back or takes it away meanwhile. */
  async #whileStaying(id: string, end: () => Promise<void>): Promise<void> {
    this.#staying.add(id);
    try {
      await end();
    } finally {
      this.#staying.delete(id);
    }
  }

  // ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #start(id: string, restartCount: number): Promise<void> {
    const givenUp = new AbortController();
    this.#starting.set(id, givenUp);
    const begun = { stoppedByUser: false, restartCount };
    try {
      await this.#launch({ ...this.parts.model.getContainer(id), ...begun }, givenUp.signal);
    } catch (error) {
      await this.#abandon(id, begun, error);
      throw error;
    } finally {
      this.#starting.delete(id);
    }
    const started = this.parts.model.getContainer(id);
    this.#event(started, 'start');
    this.#health.watch(started);
    followLinks(this.parts, started);
  }

  async #launch(container: Container, givenUp: AbortSignal): Promise<void> {
    const { parts } = this;
    const { id } = container;
    if (parts.cluster)
      await bringNetworks(
        parts,
        container.networks.map(({ networkId, name }) => networkId || name),
      );
    const { pid } = await launch(parts, container, givenUp);
    failpoint('runtime-created');
    if (givenUp.aborted) throw conflict('the start was given up: the container is being removed');
    parts.runtime.onExit(id, (exit) => void this.#exited(id, exit));
    this.attachments.join(id, () => parts.runtime.attach(id));
    await parts.runtime.start(id);
    failpoint('runtime-started');
    if (parts.model.getContainer(id).sandboxId === null) return; // it ended before we got here
    amendState(parts, id, running(pid));
  }

  /** A start that failed: nothing of it stays but the reason. */
  async #abandon(id: string, begun: Partial<Container>, error: unknown): Promise<void> {
    const { parts } = this;
    this.attachments.abandon(id);
    await parts.runtime.delete(id).catch(() => undefined);
    const message = messageOf(error);
    const exitCode = startExitCode(error);
    const container = parts.model.getContainer(id);
    end(parts, container.id, (now) => ({
      ...now,
      ...begun,
      state: {
        ...now.state,
        status: now.state.startedAt === NEVER ? 'created' : 'exited',
        pid: 0,
        exitCode,
        error: message,
      },
    }));
    releaseMounts(parts, container);
    this.waiters.tell(id, 'next-exit', { exitCode, error: message });
    if (container.hostConfig.AutoRemove) await this.#erase(id, true).catch(() => undefined);
  }

  // ── exit ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #exited(id: string, exit: Exit): Promise<void> {
    return this.#locks
      .run(id, () => this.finish(id, exit))
      .catch((error: unknown) => {
        this.parts.log.error({ container: id, error: String(error) }, 'clean-up after exit failed');
      });
  }

  /**
   * Brings the record and the kernel in line with a process that has ended, then restarts or removes by policy.
   * `revives`: decided already, at the daemon's start; the caller restarts it.
   */
  async finish(id: string, exit: Exit, revives?: boolean): Promise<void> {
    const { parts } = this;
    const before = parts.model.containers.get(id);
    if (!before || !(isRunning(before) || before.sandboxId !== null)) return;
    failpoint('exit-seen');
    this.#health.forget(id);
    await parts.runtime.delete(id).catch((error: unknown) => {
      parts.log.warn({ container: before.name, error: String(error) }, 'runtime state not removed');
    });
    const container = parts.model.getContainer(id);
    const stays = this.#staying.has(id);
    const again = revives ?? (!stays && restartsAfterExit(container, exit.exitCode));
    const after: Partial<ContainerState> = {
      status: again ? 'restarting' : 'exited',
      pid: 0,
      exitCode: exit.exitCode,
      oomKilled: exit.oomKilled,
      finishedAt: exit.finishedAt,
    };
    end(parts, container.id, (now) => ({ ...now, state: { ...now.state, ...after } }));
    releaseMounts(parts, container);
    if (exit.oomKilled) this.#event(container, 'oom');
    this.#event(container, 'die', { exitCode: String(exit.exitCode) });
    this.waiters.tell(id, 'next-exit', { exitCode: exit.exitCode, error: '' });
    if (again && (revives || this.#closing)) return; // the daemon's next start goes on
    if (again) this.#restartLater(id, Date.parse(exit.finishedAt) - Date.parse(container.state.startedAt));
    else if (!stays && container.hostConfig.AutoRemove) await this.#erase(id, true);
  }

  // ── restart by policy ───────────────────────────────────────────────────────────────────────────────────────────

  /** After a delay that grows; milliseconds. */
  #restartLater(id: string, ranMs: number): void {
    this.#restarts.schedule(id, ranMs, () => {
      this.revive(id, 1).catch((error: unknown) => {
        this.parts.log.warn({ container: id, error: String(error) }, 'restart failed');
      });
    });
  }

  /**
   * A start by policy. What is lacking may come yet (an address, a port, a parent interface, a container that it stands
   * on): then it is tried again later, until the user says otherwise. `counts`: what it adds to the restart count.
   */
  revive(id: string, counts: 0 | 1): Promise<void> {
    return this.#locks.run(id, async () => {
      const found = this.parts.model.containers.get(id);
      if (!found || isRunning(found) || (counts > 0 && found.state.status !== 'restarting')) return;
      try {
        await this.#start(id, found.restartCount + counts);
      } catch (error) {
        if (this.#closing || !mayPass(error) || !this.parts.model.containers.has(id)) throw error;
        amendState(this.parts, id, { status: 'restarting' });
        this.#restartLater(id, 0);
        throw error;
      }
    });
  }

  // ── removal ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Goes on with a removal that a crash cut off, or begins it. */
  finishRemoval(id: string, volumes: boolean): Promise<void> {
    return this.#locks.run(id, async () => {
      if (this.parts.model.containers.has(id)) await this.#erase(id, volumes);
    });
  }

  /** What cannot be removed is `dead`, as in Docker: to be tried again. */
  async #erase(id: string, volumes: boolean): Promise<void> {
    const { parts } = this;
    this.#restarts.cancel(id);
    const container = parts.model.getContainer(id);
    amendState(parts, id, { status: 'removing' });
    try {
      await erase(parts, container, volumes);
    } catch (error) {
      amendState(parts, id, { status: 'dead', error: String(error) });
      throw error;
    }
    this.attachments.abandon(id);
    this.#event(container, 'destroy');
    const outcome = { exitCode: container.state.exitCode, error: '' };
    this.waiters.tell(id, 'removed', outcome);
    if (container.hostConfig.AutoRemove) this.waiters.remember(id, outcome);
  }

  // ── shared ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** After a daemon restart: containers that ran on go on being watched. */
  readopt(ids: readonly string[]): void {
    for (const id of ids) {
      this.parts.runtime.onExit(id, (exit) => void this.#exited(id, exit));
      this.#health.watch(this.parts.model.getContainer(id));
    }
  }

  exclusive<T>(id: string, work: () => Promise<T>): Promise<T> {
    return this.#locks.run(id, work);
  }

  /** The daemon stops: containers live on, timers do not. */
  close(): void {
    this.#closing = true;
    this.#restarts.close();
    this.#health.close();
  }

  #event(container: Container, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    containerEvent(this.parts, container, action, attributes);
  }
}

const running = (pid: number): Partial<ContainerState> => ({
  status: 'running',
  pid,
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: timestamp(),
});

/** The end of one that was killed and did not say so. */
const killed = (): Exit => ({ exitCode: 128 + SIGKILL, oomKilled: false, finishedAt: timestamp() });

/** As Docker's: 127 where the command is missing, 126 where it cannot be run, else 128. */
const startExitCode = (error: unknown): number => (error instanceof StartError ? error.exitCode : 128);
