/** M1: whom the daemon signals. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  familyOf,
  identify,
  isAlive,
  type ProcessStat,
  SIGKILL,
  signal,
  signalFamily,
} from '../../src/kernel/processes.js';
import { runProgram } from '../../src/kernel/program.js';
import { sourcesBelow } from '../support/imports.js';

/** One way to signal leads past the check of who is meant. */
const unchecked = (path: string, text: string): readonly string[] =>
  text.split('\n').flatMap((line, number) => {
    const code = line.replace(/^\s*(\/\/|\/?\*).*/, '');
    const kills = /\bprocess\.kill\(|['"`]int (kill|killpg|tgkill)\(|\bkillSignal\b/.test(code);
    const sends = /\bpidfdSendSignal\(/.test(code) && !['kernel/processes.ts'].includes(path);
    // The daemon ends itself there, by its own number, and only in tests.
    const itself = path === 'failpoints.ts' && code.includes("process.kill(process.pid, 'SIGKILL')");
    return (kills && !itself) || sends ? [`${path}:${number + 1}: ${line.trim()}`] : [];
  });

describe('M1 no signal goes to a process that was not checked', () => {
  test.each([
    ['engine/x.ts', "process.kill(pid, 'SIGKILL');"],
    ['kernel/ffi.ts', "  kill: libc.func('int kill(int pid, int signal)'),"],
    ['runtime/x.ts', 'ffi.pidfdSendSignal(fd, 9);'],
    ['failpoints.ts', "process.kill(pid, 'SIGKILL');"],
  ])('the rule can fail: %s %s', (path, text) => expect(unchecked(path, text)).toHaveLength(1));

  test('in all of src, one file sends signals', () => {
    const src = fileURLToPath(new URL('../../src', import.meta.url));
    const found = sourcesBelow(src).flatMap((path) => unchecked(path, readFileSync(join(src, path), 'utf8')));
    expect(found).toEqual([]);
  });

  test.each([0, -1, 1])('pid %i is nobody', (pid) => {
    expect(signal({ pid, startTime: identify(1).startTime }, 0)).toBe(false);
    expect(isAlive({ pid, startTime: identify(1).startTime })).toBe(false);
  });

  test('a pid that is somebody else’s by now is let alone', async () => {
    const child = spawn('sleep', ['60'], { detached: true });
    const self = identify(child.pid ?? 0);
    const ended = new Promise((resolve) => child.once('close', (_, by) => resolve(by)));
    expect(signal({ ...self, startTime: '1' }, SIGKILL)).toBe(false);
    await signalFamily([{ ...self, startTime: '1' }], SIGKILL);
    expect(isAlive(self)).toBe(true);
    expect(signal(self, SIGKILL)).toBe(true);
    expect(await ended).toBe('SIGKILL');
  });
});

describe('who came from a process', () => {
  const stat = (pid: number, parent: number, group: number, session: number): ProcessStat => ({
    pid,
    parent,
    group,
    session,
    startTime: '5',
    ended: false,
  });
  const self = 50;
  const all = [
    stat(1, 0, 1, 1),
    stat(50, 1, 50, 50), // the daemon
    stat(60, 50, 60, 60), // its child
    stat(61, 60, 60, 60),
    stat(62, 1, 60, 60), // its parent ended: found by its group
    stat(63, 61, 63, 63), // a session of its own: found by its parent
    stat(64, 1, 64, 63), // found by the session of one that was found
    stat(70, 50, 50, 50), // another child of the daemon’s, in its session
  ];
  test('descendants, and who is in a group or session of theirs', () => {
    expect(familyOf(all, [60], self).map(({ pid }) => pid)).toEqual([60, 61, 62, 63, 64]);
  });
  test('never the daemon, never init, whoever is named', () => {
    expect(familyOf(all, [0, 1, -1, self], self)).toEqual([]);
  });
});

test('I10: who came from a process is looked for in slices, however many there are', async () => {
  let turns = 0;
  const turning = setInterval(() => {
    turns += 1;
  }, 1);
  const nobody = Array.from({ length: 20_000 }, (_, n) => 2 ** 30 + n); // above any pid (PID_MAX_LIMIT, 2^22)
  await signalFamily([identify(1)], 0, () => nobody);
  clearInterval(turning);
  expect(turns).toBeGreaterThan(2);
});

describe('K10 a program that is waited for', () => {
  const gone = (marker: string) => async () =>
    runProgram({ command: 'pgrep', args: ['-f', marker] }).then(
      () => 'there',
      () => 'gone',
    );
  test('is ended, with what it started, when it does nothing for too long', async () => {
    const marker = `0.${process.pid}1`;
    const script = `sleep 600${marker} & trap '' TERM; sleep 600${marker}; sleep 600${marker}`;
    await expect(runProgram({ command: 'sh', args: ['-c', script], limit: 200 })).rejects.toThrow(
      'sh was given up: it did nothing for 0.2 seconds',
    );
    await expect.poll(gone(`sleep 600${marker}`)).toBe('gone');
  });
  test('and when its client leaves', async () => {
    const marker = `0.${process.pid}2`;
    const left = new AbortController();
    const running = runProgram({
      command: 'sh',
      args: ['-c', `echo on; sleep 600${marker} & wait`],
      signal: left.signal,
      onLine: () => left.abort(),
    });
    await expect(running).rejects.toThrow('context canceled');
    await expect.poll(gone(`sleep 600${marker}`)).toBe('gone');
  });
  test('what it says puts the end off', async () => {
    const script = 'for i in 1 2 3 4; do echo $i; sleep 1; done';
    const said = await runProgram({ command: 'sh', args: ['-c', script], limit: 3000 });
    expect(said.toString().trim().split('\n')).toHaveLength(4);
  });
});
