/** Running programs from tests: always with a time limit, always with everything they said in the error. */
import { spawn } from 'node:child_process';

/** Factor on every time limit: more than 1 where the processor is an emulated one (`npm run test:vm`). */
export const PATIENCE = Number(process.env.TEST_PATIENCE ?? 1);

export interface Result {
  /** exit code; 128 + signal where one ended it */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  /** added to this process's environment */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Runs to the end, whatever its exit code. Rejects only where it cannot be run or takes too long. */
export const attempt = (
  command: string,
  args: readonly string[],
  { input, env, timeoutMs = 30_000 }: RunOptions = {},
): Promise<Result> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const shown = `${command} ${args.join(' ')}`;
    const said = (): string => `${Buffer.concat(out)}${Buffer.concat(err)}`;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${shown}: not done after ${timeoutMs * PATIENCE} ms\n${said()}`));
    }, timeoutMs * PATIENCE);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => {}); // it may end without reading
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code: code ?? 128 + (SIGNALS[signal ?? ''] ?? 0),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      });
    });
    child.stdin.end(input ?? '');
  });

/** Its standard output without the last line end. Rejects where the exit code is not 0. */
export const run = async (
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> => {
  const { code, stdout, stderr } = await attempt(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${code}\n${stderr}${stdout}`);
  return stdout.replace(/\n$/, '');
};

/** Asks every 20 ms until the answer is neither undefined nor false; rejects with `what` after the time limit. */
export const until = async <T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 10_000,
): Promise<T> => {
  const end = performance.now() + timeoutMs * PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`not within ${timeoutMs * PATIENCE} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
