/** What nobody caught: the daemon outlives a stream's error, and nothing else. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { isOnlyAStream } from '../../src/last-resort.js';
import { attempt } from '../support/run.js';

const source = fileURLToPath(new URL('../../src/last-resort.ts', import.meta.url));

/** A process of its own that hears the uncaught, does something, and says `lived` if it still can. */
const fate = async (what: string): Promise<{ readonly code: number; readonly said: string }> => {
  const script = `
    import { Writable } from 'node:stream';
    import { connect, createServer } from 'node:net';
    import { hearTheUncaught } from ${JSON.stringify(source)};
    const log = { error: ({ err, origin }, message) => console.log(origin, err.stack, message) };
    hearTheUncaught(log, () => process.exit(7));
    setTimeout(() => console.log('lived'), 300);
    ${what}`;
  const { code, stdout } = await attempt(process.execPath, [
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    script,
  ]);
  return { code, said: stdout };
};

describe('C1 U1: an error that nobody heard', () => {
  test.concurrent.each([
    [
      'a write to a peer that reset',
      `
      const server = createServer((s) => setTimeout(() => s.resetAndDestroy(), 20)).listen(0, () => {
        const c = connect(server.address().port);
        setInterval(() => c.write('x'), 5).unref();
        server.unref();
      });`,
      /ECONNRESET|EPIPE/,
    ],
    [
      'a write after the end',
      `const w = new Writable({ write: (_, __, done) => done() }); w.end(); w.write('x');`,
      /ERR_STREAM_WRITE_AFTER_END/,
    ],
  ])('of %s is told with its stack, and lived through', async (_, what, told) => {
    const { code, said } = await fate(what);
    expect([code, said]).toEqual([0, expect.stringContaining('lived')]);
    expect(said).toMatch(told);
    expect(said).toMatch(/uncaughtException.*\n\s+at /);
  });
  test.concurrent.each([
    ['a fault', `setTimeout(() => undefined.x, 1)`, 'TypeError'],
    ['a rejection', `void Promise.reject(new Error('lost'))`, 'unhandledRejection Error: lost'],
    [
      'an errno from a call of ours',
      `
      const e = Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
      setTimeout(() => { throw e; }, 1);`,
      'EPIPE',
    ],
    ['something that is no error', `setTimeout(() => { throw 'words'; }, 1)`, 'words'],
  ])('of %s is told, and ends the process', async (_, what, told) => {
    const { code, said } = await fate(what);
    expect([code, said]).toEqual([7, expect.stringContaining(told)]);
    expect(said).not.toContain('lived');
  });
});

test.each([
  [
    'a write that fails later',
    ['WriteWrap.onWriteComplete [as oncomplete] (node:internal/stream_base_commons:87:19)'],
    true,
  ],
  [
    'a write that fails at once',
    [
      'afterWriteDispatched (node:internal/stream_base_commons:160:15)',
      'Socket.write (node:net:9:9)',
      'tell (/opt/viaduct/dist/main.js:1:1)',
    ],
    true,
  ],
  ['a file', ['Object.writeSync (node:fs:916:3)', 'tell (/opt/viaduct/dist/main.js:1:1)'], false],
  [
    'a function of ours',
    ['tell (/opt/viaduct/dist/main.js:1:1)', 'processTimers (node:internal/timers:529:9)'],
    false,
  ],
])('whose error it is: %s', (_, frames, isAStream) => {
  const stack = ['Error: write EPIPE', ...frames.map((frame) => `    at ${frame}`)].join('\n');
  expect(
    isOnlyAStream(Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write', stack })),
  ).toBe(isAStream);
});

test('an error of a kernel call of ours is none of a stream', () => {
  const refused = Object.assign(new Error('sendmsg: ECONNRESET'), { code: 'ECONNRESET' });
  expect(isOnlyAStream(refused)).toBe(false);
  expect(isOnlyAStream(undefined)).toBe(false);
});
