/**
 * A container's life: start, exit, restart, stop, removal. One operation at a time a container (`Locks`); the record on
 * disk is always the truth that a restarted daemon can go on from.
 */
import { conflict, notModified } from '../../errors.js';
import { failpoint } from '../../failpoints.js';
import type { Container, ContainerState } from '../../model/container.js';
import { type Exit, StartError } from '../../runtime/contract.js';
import { type Parts, timestamp } from '../parts.js';
import { Attachments } from './attachments.js';
import { NEVER } from './create.js';
import { followLinks } from './etc.js';
import { HealthMonitor } from './health.js';
import { launch } from './launch.js';
import { Locks } from './locks.js';
import { leave } from './membership.js';
import { checkRemovable, erase, release } from './removal.js';
import { restartsAfterExit } from './restart.js';
import { Restarts } from './restarts.js';
import { signalNumber } from './signals.js';
import { containerEvent, isRunning } from './state.js';
import { killForRemoval, SIGKILL, type StopOptions, stopSignal, terminate } from './termination.js';
import { Waiters } from './waiters.js';

export class Lifecycle {
  readonly waiters = new Waiters();
  readonly attachments = new Attachments();
  readonly #locks = new Locks();
  readonly #restarts = new Restarts();
  readonly #health: HealthMonitor;
  readonly #staying = new Set<string>();
  #closing = false;

  constructor(readonly parts: Parts) {
    this.#health = new HealthMonitor(parts, (id, state) => this.#setState(id, state));
  }

  // ── start ───────────────────────────────────────────────────────────────────────────────────────────────────────

  start(id: string): Promise<void> {
    return this.#locks.run(id, async () => {
      const container = this.parts.model.getContainer(id);
      if (container.state.status === 'paused')
        throw conflict('cannot start a paused container, try unpause instead');
      if (isRunning(container)) throw notModified('container already started');
      if (container.state.status === 'removing')
        throw conflict('container is marked for removal and cannot be started');
      this.#restarts.cancel(id);
      await this.#start({ ...container, stoppedByUser: false, restartCount: 0 });
    });
  }

  async #start(container: Container): Promise<void> {
    const { id } = container;
    try {
      await this.#launch(container);
    } catch (error) {
      await this.#abandon(container, error);
      throw error;
    }
    this.#event(this.parts.model.getContainer(id), 'start');
    this.#health.watch(this.parts.model.getContainer(id));
    followLinks(this.parts, this.parts.model.getContainer(id));
  }

  async #launch(container: Container): Promise<void> {
    const { parts } = this;
    const { pid } = await launch(parts, container);
    failpoint('runtime-created');
    parts.runtime.onExit(container.id, (exit) => void this.#exited(container.id, exit));
    this.attachments.join(container.id, () => parts.runtime.attach(container.id));
    await parts.runtime.start(container.id);
    failpoint('runtime-started');
    const current = parts.model.getContainer(container.id);
    if (current.sandboxId === null) return; // it ended before we got here
    this.#put({
      ...current,
      state: { ...current.state, ...running(pid), finishedAt: current.state.finishedAt },
    });
  }

  /** A start that failed: nothing of it stays but the reason. */
  async #abandon(container: Container, error: unknown): Promise<void> {
    const { parts } = this;
    const { id } = container;
    this.attachments.abandon(id);
    await parts.runtime.delete(id).catch(() => undefined);
    const message = error instanceof Error ? error.message : String(error);
    const exitCode = startExitCode(error);
    const state: ContainerState = {
      ...container.state,
      status: container.state.startedAt === NEVER ? 'created' : 'exited',
      pid: 0,
      exitCode,
      error: message,
    };
    const current = parts.model.containers.get(id) ?? container;
    leave(parts, current, { ...container, state });
    release(this.parts, container);
    this.waiters.tell(id, 'next-exit', { exitCode, error: message });
    if (container.hostConfig.AutoRemove)
      await this.#remove(parts.model.getContainer(id), true).catch(() => undefined);
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
    const container = parts.model.containers.get(id);
    if (!container || !(isRunning(container) || container.sandboxId !== null)) return;
    failpoint('exit-seen');
    this.#health.forget(id);
    await parts.runtime.delete(id).catch((error: unknown) => {
      parts.log.warn({ container: container.name, error: String(error) }, 'runtime state not removed');
    });
    const stays = this.#staying.has(id);
    const again = revives ?? (!stays && restartsAfterExit(container, exit.exitCode));
    const state: ContainerState = {
      ...container.state,
      status: again ? 'restarting' : 'exited',
      pid: 0,
      exitCode: exit.exitCode,
      oomKilled: exit.oomKilled,
      finishedAt: exit.finishedAt,
    };
    leave(parts, container, { ...container, state });
    release(this.parts, container);
    if (exit.oomKilled) this.#event(container, 'oom');
    this.#event(container, 'die', { exitCode: String(exit.exitCode) });
    this.waiters.tell(id, 'next-exit', { exitCode: exit.exitCode, error: '' });
    if (again && (revives || this.#closing)) return; // the daemon's next start goes on
    if (again) this.#restartLater(id, Date.parse(exit.finishedAt) - Date.parse(container.state.startedAt));
    else if (!stays && container.hostConfig.AutoRemove)
      await this.#remove(parts.model.getContainer(id), true);
  }

  #restartLater(id: string, ranMs: number): void {
    const start = async (): Promise<void> => {
      const container = this.parts.model.containers.get(id);
      if (container?.state.status === 'restarting')
        await this.#start({ ...container, restartCount: container.restartCount + 1 });
    };
    this.#restarts.schedule(id, ranMs, () => {
      this.#locks.run(id, start).catch((error: unknown) => {
        this.parts.log.warn({ container: id, error: String(error) }, 'restart failed');
      });
    });
  }

  // ── stop, kill, restart, pause ────────────────────────────────────────────────────────────────────────────────────

  async stop(id: string, options: StopOptions): Promise<void> {
    const container = this.parts.model.getContainer(id);
    if (container.state.status === 'restarting') return this.#stopRestarting(id, options);
    if (!isRunning(container)) throw notModified('container already stopped');
    this.#put({ ...container, stoppedByUser: true });
    await terminate(this.parts, this.waiters, container, options);
    this.#event(container, 'stop');
  }

  /** Between two runs, or in the middle of the next start: then that one is stopped. */
  async #stopRestarting(id: string, options: StopOptions): Promise<void> {
    const current = await this.#locks.run(id, async () => {
      this.#restarts.cancel(id);
      const container = this.parts.model.getContainer(id);
      if (container.state.status === 'restarting')
        this.#put({ ...container, stoppedByUser: true, state: { ...container.state, status: 'exited' } });
      return container;
    });
    if (isRunning(current)) await this.stop(id, options);
  }

  async restart(id: string, options: StopOptions): Promise<void> {
    const container = this.parts.model.getContainer(id);
    if (isRunning(container))
      await this.#whileStaying(id, () => terminate(this.parts, this.waiters, container, options));
    await this.start(id);
    this.#event(container, 'restart');
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

  async kill(id: string, signal: string): Promise<void> {
    const container = this.parts.model.getContainer(id);
    const number = signalNumber(signal || 'SIGKILL');
    if (!isRunning(container))
      throw conflict(`cannot kill container: ${id}: container ${container.id} is not running`);
    const ends = number === SIGKILL || number === stopSignal(container);
    if (ends) this.#put({ ...container, stoppedByUser: true });
    const ended = this.waiters.wait(container.id, 'next-exit');
    await this.parts.runtime.kill(container.id, number);
    this.#event(container, 'kill', { signal: String(number) });
    if (number === SIGKILL) await ended;
  }

  pause(id: string): Promise<void> {
    return this.#locks.run(id, async () => {
      const container = this.parts.model.getContainer(id);
      if (!isRunning(container)) throw conflict(`container ${container.id} is not running`);
      if (container.state.status === 'paused') throw conflict(`container ${container.id} is already paused`);
      await this.parts.runtime.pause(container.id);
      this.#put({ ...container, state: { ...container.state, status: 'paused' } });
      this.#event(container, 'pause');
    });
  }

  unpause(id: string): Promise<void> {
    return this.#locks.run(id, async () => {
      const container = this.parts.model.getContainer(id);
      if (container.state.status !== 'paused') throw conflict(`container ${container.id} is not paused`);
      await this.parts.runtime.resume(container.id);
      this.#put({ ...container, state: { ...container.state, status: 'running' } });
      this.#event(container, 'unpause');
    });
  }

  // ── removal ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async remove(id: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    const container = this.parts.model.getContainer(id);
    if (container.state.status === 'removing')
      throw conflict(`removal of container ${container.name} is already in progress`);
    if (!options.force) checkRemovable(container);
    this.#restarts.cancel(id);
    if (container.state.status === 'restarting') await this.#locks.run(id, async () => undefined); // a start under way
    const current = this.parts.model.getContainer(id);
    if (isRunning(current))
      await this.#whileStaying(id, () => killForRemoval(this.parts, this.waiters, current));
    await this.finishRemoval(id, options.volumes);
  }

  /** Of one that is not running; also goes on with a removal that a crash cut off. */
  finishRemoval(id: string, volumes: boolean): Promise<void> {
    return this.#locks.run(id, async () => {
      const current = this.parts.model.containers.get(id);
      if (current) await this.#remove(current, volumes);
    });
  }

  async #remove(container: Container, volumes: boolean): Promise<void> {
    const { id } = container;
    this.#restarts.cancel(id);
    this.#put({ ...container, state: { ...container.state, status: 'removing' } });
    await erase(this.parts, container, volumes);
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

  /** A container that the daemon's start brings back by policy. */
  revive(id: string): Promise<void> {
    return this.#locks.run(id, async () => {
      const container = this.parts.model.getContainer(id);
      if (!isRunning(container)) await this.#start({ ...container, stoppedByUser: false });
    });
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

  #put(container: Container): void {
    this.parts.ledger.commit([{ table: 'container', id: container.id, value: container }]);
  }

  #setState(id: string, change: Partial<ContainerState>): void {
    const container = this.parts.model.containers.get(id);
    if (container) this.#put({ ...container, state: { ...container.state, ...change } });
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

/** As Docker's: 127 where the command is missing, 126 where it cannot be run, else 128. */
const startExitCode = (error: unknown): number => (error instanceof StartError ? error.exitCode : 128);
