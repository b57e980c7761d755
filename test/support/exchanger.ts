/**
 * A process that does what a hostile container does: exchanges pairs of names (RENAME_EXCHANGE), as fast as it can, until it
 * is ended. Perl, because every Debian has it and it can make system calls.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** renameat2(2) */
const RENAMEAT2 = process.arch === 'arm64' ? 276 : 316;

/** Ends by itself when the test's process is gone. */
const SCRIPT = `
  my $call = shift; my @pairs = @ARGV; my $parent = getppid();
  while (1) {
    for (my $i = 0; $i < @pairs; $i += 2) {
      my ($a, $b) = ("$pairs[$i]\\0", "$pairs[$i + 1]\\0");
      syscall($call, -100, $a, -100, $b, 2);
    }
    exit if getppid() != $parent;
  }`;

export interface Exchanger {
  /** Nothing is exchanged while `work` runs. */
  paused(work: () => void): void;
  end(): Promise<void>;
}

/** `pairs`: absolute paths, both of which are there. */
export const exchange = async (pairs: readonly (readonly [string, string])[]): Promise<Exchanger> => {
  const child: ChildProcess = spawn('perl', ['-e', SCRIPT, String(RENAMEAT2), ...pairs.flat()], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const state = (): string => /\) (\S)/.exec(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))?.[1] ?? '';
  return {
    paused: (work) => {
      child.kill('SIGSTOP');
      while (state() !== 'T');
      work();
      child.kill('SIGCONT');
    },
    end: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
};
