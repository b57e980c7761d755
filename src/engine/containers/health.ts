/** HEALTHCHECK: runs the test in the container, and keeps the last results. */

import { showDuration } from '../../builder/go.js';
import { messageOf } from '../../errors.js';
import type { Container, ContainerState, Healthcheck } from '../../model/container.js';
import type { RunningExec } from '../../runtime/contract.js';
import { timestamp } from '../fresh.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { settlesWithin } from '../within.js';
import { nextHealth, testCommand } from './healthcheck.js';
import { containerEvent, isRunning } from './state.js';

type Watching = Pick<View, 'model'> & Pick<Writing, 'log' | 'events'> & Pick<Outside, 'runtime'>;

/** nanoseconds in a millisecond */
const NANO = 1_000_000;
/** Docker's defaults, nanoseconds. */
const DEFAULT = { interval: 30_000 * NANO, timeout: 30_000 * NANO, retries: 3, startInterval: 5_000 * NANO };
const MAX_OUTPUT = 4096;
/** Milliseconds for what it said last; one of its children may hold its output open for ever. */
const LAST_WORDS = 100;

/** One run of a container under watch. */
interface Watch {
  readonly id: string;
  readonly check: Healthcheck;
  readonly command: readonly string[];
  /** milliseconds since the epoch */
  readonly startedAt: number;
  timer?: NodeJS.Timeout;
}

const inStartPeriod = ({ check, startedAt }: Watch): boolean =>
  Date.now() - startedAt < (check.StartPeriod ?? 0) / NANO;

export class HealthMonitor {
  readonly #watches = new Map<string, Watch>();

  constructor(
    readonly parts: Watching,
    readonly setState: (id: string, state: Partial<ContainerState>) => void,
  ) {}

  watch({ id, config }: Container): void {
    const check = config.Healthcheck;
    const command = check && testCommand(check);
    if (!check || !command) return;
    this.forget(id);
    const watch: Watch = { id, check, command, startedAt: Date.now() };
    this.#watches.set(id, watch);
    this.setState(id, { health: { status: 'starting', failingStreak: 0, log: [] } });
    this.#schedule(watch);
  }

  forget(id: string): void {
    clearTimeout(this.#watches.get(id)?.timer);
    this.#watches.delete(id);
  }

  close(): void {
    for (const id of [...this.#watches.keys()]) this.forget(id);
  }

  #schedule(watch: Watch): void {
    const { check } = watch;
    const wait = inStartPeriod(watch)
      ? check.StartInterval || DEFAULT.startInterval
      : check.Interval || DEFAULT.interval;
    watch.timer = setTimeout(() => {
      void this.#probe(watch).catch((error: unknown) => {
        this.parts.log.warn({ container: watch.id, error: String(error) }, 'health check failed to run');
      });
    }, wait / NANO);
    watch.timer.unref();
  }

  /** The container, while this run of it goes on. */
  #watched(watch: Watch): Container | undefined {
    const container = this.parts.model.containers.get(watch.id);
    return container && isRunning(container) && this.#watches.get(watch.id) === watch ? container : undefined;
  }

  async #probe(watch: Watch): Promise<void> {
    const { id, command, check } = watch;
    const container = this.#watched(watch);
    if (!container) return;
    if (container.state.status === 'paused') return this.#schedule(watch);
    const start = timestamp();
    const { exitCode, output } = await this.#run(container, command, check.Timeout || DEFAULT.timeout);
    const current = this.#watched(watch);
    if (!current?.state.health) return;
    // What a frozen probe says of its time tells nothing.
    if (current.state.status === 'paused') return this.#schedule(watch);
    const result = { start, end: timestamp(), exitCode, output };
    const health = nextHealth(
      current.state.health,
      result,
      check.Retries || DEFAULT.retries,
      inStartPeriod(watch),
    );
    this.setState(id, { health });
    if (health.status !== current.state.health.status)
      containerEvent(this.parts, current, `health_status: ${health.status}`);
    this.#schedule(watch);
  }

  /** A test that cannot be run has failed, as in Docker. */
  async #run(
    container: Container,
    command: readonly string[],
    timeout: number,
  ): Promise<{ exitCode: number; output: string }> {
    const request = {
      containerId: container.id,
      command,
      tty: false,
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      env: [],
      user: container.config.User,
      workingDir: container.config.WorkingDir,
      privileged: false,
    };
    try {
      return await outcome(await this.parts.runtime.exec(request, container), timeout);
    } catch (error) {
      return { exitCode: -1, output: messageOf(error) };
    }
  }
}

/** Of one that takes longer than `timeout` nanoseconds nothing stays: it is ended with all that it started. */
const outcome = async (exec: RunningExec, timeout: number): Promise<{ exitCode: number; output: string }> => {
  let output = '';
  const outputs = [exec.streams.stdout, exec.streams.stderr].filter((stream) => stream !== null);
  for (const stream of outputs)
    stream
      .on('data', (data: Buffer) => {
        if (output.length < MAX_OUTPUT) output += data.toString('utf8').slice(0, MAX_OUTPUT - output.length);
      })
      .on('error', () => {}); // what it could not say is missing from its text
  const drained = Promise.all(
    outputs.map((stream) => new Promise((resolve) => stream.once('close', resolve))),
  );
  if (await settlesWithin(exec.exited, timeout / NANO)) {
    await settlesWithin(drained, LAST_WORDS);
    return { exitCode: await exec.exited, output };
  }
  exec.end();
  const words = `Health check exceeded timeout (${showDuration(timeout)})`;
  return { exitCode: -1, output: output === '' ? words : `${words}: ${output}` };
};
