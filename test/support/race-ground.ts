/**
 * The ground of a race against a hostile container (A K3), anew for each test: a directory in which names are exchanged while
 * something works there, and a FIFO at which somebody waits, so that it shows whether it was opened.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Exchanger, exchange } from './exchanger.js';

/** Of one race; RACE_SECONDS=60 for the long version. */
const SECONDS = Number(process.env.RACE_SECONDS ?? 4);
export const RACE = { timeout: (SECONDS + 30) * 1000 } as const;
/** The same by paths, until it is caught: that shows that the race can be lost. */
export const CONTROL = { timeout: 60_000 } as const;
const CONTROL_MS = 50_000;

/** Text of files outside. */
export const SECRET = 'the host’s own';

/** `furnish` lays the files, `at` the FIFO `fifo` and below; `pairs`: which names are exchanged, both of which it lays. */
export const raceGround = (furnish: () => void, pairs: readonly (readonly [string, string])[]) => {
  let base = '';
  let exchanger: Exchanger | undefined;
  let waiting: ChildProcess | undefined;
  const at = (path: string): string => join(base, path);
  const whole = () => pairs.map(([one, other]) => [at(one), at(other)] as const);

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'vrace-'));
    execFileSync('mkfifo', [at('fifo')]);
    furnish();
  });
  afterEach(async () => {
    await exchanger?.end();
    exchanger = undefined;
    waiting?.kill('SIGKILL');
    rmSync(base, { recursive: true, force: true });
  });

  return {
    at,
    pairs: whole,
    /** Nothing is exchanged while `work` runs. */
    paused: (work: () => void): void => exchanger?.paused(work),
    /** Goes on until the time is over. Answers how many rounds there were; throws where the FIFO was opened. */
    async race(round: (n: number) => Promise<void>): Promise<number> {
      waiting = spawn('sh', ['-c', `: >${at('fifo')}`], { stdio: 'ignore' }); // ends when somebody opens it
      exchanger = await exchange(whole());
      let rounds = 0;
      for (const end = Date.now() + SECONDS * 1000; Date.now() < end; rounds++) await round(rounds);
      if (waiting.exitCode !== null) throw new Error('the FIFO was opened');
      return rounds;
    },
    /** Does it happen? */
    async happens(seen: () => boolean): Promise<boolean> {
      exchanger = await exchange(whole());
      for (const end = Date.now() + CONTROL_MS; Date.now() < end; ) if (seen()) return true;
      return false;
    },
  };
};
