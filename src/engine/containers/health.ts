/** HEALTHCHECK: runs the image's or the user's test in the container, and keeps the last five results. */
import type { Container, ContainerState, Health, Healthcheck } from '../../model/container.js';
import { type Parts, timestamp } from '../parts.js';
import { containerEvent } from './state.js';

const NANO = 1_000_000;
/** Docker's defaults, nanoseconds. */
const DEFAULT = { interval: 30_000 * NANO, timeout: 30_000 * NANO, retries: 3, startInterval: 5_000 * NANO };
const KEPT = 5;
const MAX_OUTPUT = 4096;

const testCommand = ({ Test = [] }: Healthcheck): readonly string[] | undefined => {
  const [kind, ...rest] = Test;
  if (kind === 'CMD') return rest;
  if (kind === 'CMD-SHELL') return ['/bin/sh', '-c', rest[0] ?? ''];
  return undefined;
};

const checkOf = (find: Parts['images']['find'], container: Container): Healthcheck | undefined => {
  const own = container.config.Healthcheck;
  if (own?.Test && own.Test.length > 0) return own;
  // Docker's image configuration carries the same fields under the same names.
  const image = find(container.imageId)?.config.Healthcheck as Healthcheck | undefined;
  return image && { ...image, ...own };
};

export class HealthMonitor {
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(
    readonly parts: Parts,
    readonly setState: (id: string, state: Partial<ContainerState>) => void,
  ) {}

  /** `find`: of `Images`, or a finder of it. */
  watch(container: Container, find: Parts['images']['find']): void {
    const check = checkOf(find, container);
    const command = check && testCommand(check);
    if (!check || !command) return;
    const health: Health = { status: 'starting', failingStreak: 0, log: [] };
    this.setState(container.id, { health });
    this.#schedule(container.id, check, command, Date.now());
  }

  forget(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  close(): void {
    for (const id of [...this.#timers.keys()]) this.forget(id);
  }

  #schedule(id: string, check: Healthcheck, command: readonly string[], startedAt: number): void {
    const starting = Date.now() - startedAt < (check.StartPeriod ?? 0) / NANO;
    const wait = starting ? check.StartInterval || DEFAULT.startInterval : check.Interval || DEFAULT.interval;
    const timer = setTimeout(() => {
      void this.#probe(id, check, command, startedAt).catch((error: unknown) => {
        this.parts.log.warn({ container: id, error: String(error) }, 'health check failed to run');
      });
    }, wait / NANO);
    timer.unref();
    this.#timers.set(id, timer);
  }

  async #probe(id: string, check: Healthcheck, command: readonly string[], startedAt: number): Promise<void> {
    const container = this.parts.model.containers.get(id);
    if (container?.state.status !== 'running') return;
    const start = timestamp();
    const { exitCode, output } = await this.#run(
      container,
      command,
      (check.Timeout || DEFAULT.timeout) / NANO,
    );
    const current = this.parts.model.containers.get(id);
    if (!current?.state.health || current.state.status !== 'running' || !this.#timers.has(id)) return;
    const inStartPeriod = Date.now() - startedAt < (check.StartPeriod ?? 0) / NANO;
    const result = { start, end: timestamp(), exitCode, output };
    const health = nextHealth(current.state.health, result, check.Retries || DEFAULT.retries, inStartPeriod);
    this.setState(id, { health });
    if (health.status !== current.state.health.status)
      containerEvent(this.parts, current, `health_status: ${health.status}`);
    this.#schedule(id, check, command, startedAt);
  }

  async #run(
    container: Container,
    command: readonly string[],
    timeoutMs: number,
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
    const exec = await this.parts.runtime.exec(request, container);
    let output = '';
    const take = (data: Buffer): void => {
      if (output.length < MAX_OUTPUT) output += data.toString('utf8').slice(0, MAX_OUTPUT - output.length);
    };
    exec.streams.stdout.on('data', take);
    exec.streams.stderr?.on('data', take);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<number>((resolve) => {
      timer = setTimeout(() => {
        process.kill(exec.pid, 'SIGKILL');
        output = `Health check exceeded timeout (${timeoutMs}ms)`;
        resolve(-1);
      }, timeoutMs);
    });
    const exitCode = await Promise.race([exec.exited, late]);
    clearTimeout(timer);
    return { exitCode, output };
  }
}

/** Pure: one more result. Failures in the start period do not count. */
export const nextHealth = (
  before: Health,
  result: Health['log'][number],
  retries: number,
  inStartPeriod: boolean,
): Health => {
  const log = [...before.log, result].slice(-KEPT);
  if (result.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (inStartPeriod && before.status === 'starting') return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return { status: failingStreak >= retries ? 'unhealthy' : before.status, failingStreak, log };
};
