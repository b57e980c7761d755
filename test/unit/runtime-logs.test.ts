/** Log lines: conmon's format, fragments, and the tail found backwards, against the plain way of finding it. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPace } from '../../src/pace.js';
import type { LogLine } from '../../src/runtime/contract.js';
import { joiner, parseEntry } from '../../src/runtime/logs/entry.js';
import { readLog } from '../../src/runtime/logs/read.js';
import { tailStart } from '../../src/runtime/logs/tail.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vl-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const TIME = '2026-01-02T03:04:05.123456789+00:00';
const ENDED = { isRunning: () => false, onEnd: () => () => {} };
const collect = async (path: string, tail: number): Promise<readonly LogLine[]> => {
  const lines: LogLine[] = [];
  const request = { stdout: true, stderr: true, since: 0, until: 0, tail, follow: false };
  for await (const line of readLog(path, request, ENDED)) lines.push(line);
  return lines;
};

test('an entry: time in UTC, empty texts, spaces kept, junk refused', () => {
  expect(parseEntry(Buffer.from(`${TIME} stdout F  two  spaces `))).toMatchObject({
    time: '2026-01-02T03:04:05.123456789Z',
    stream: 'stdout',
    complete: true,
    text: Buffer.from(' two  spaces '),
  });
  expect(parseEntry(Buffer.from('2026-01-02T03:04:05.000000001+02:00 stderr P x'))?.time).toBe(
    '2026-01-02T01:04:05.000000001Z',
  );
  expect(parseEntry(Buffer.from(`${TIME} stdout F`))?.text).toEqual(Buffer.alloc(0));
  for (const junk of ['', 'x', `${TIME} stdin F x`, `${TIME} stdout X x`, '\0\0\0'])
    expect(parseEntry(Buffer.from(junk))).toBeUndefined();
});

test('lines since a moment are those of that very moment, and later ones', async () => {
  const path = join(directory, 'since.log');
  const at = (digits: string): string => `2026-01-02T03:04:05.${digits}+00:00`;
  const times = ['123456788', '123456789', '123999000', '124000000', '900000000'];
  writeFileSync(path, times.map((time) => `${at(time)} stdout F ${time}\n`).join(''));
  const between = async (since: number, until: number) => {
    const request = { stdout: true, stderr: true, since, until, tail: -1, follow: false };
    const found: string[] = [];
    for await (const { text } of readLog(path, request, ENDED)) found.push(text.toString().trim());
    return found;
  };
  const second = Date.parse(at('000000000'));
  // A double holds such times to a quarter of a microsecond.
  expect(await between(second + 123 + 0.456789, 0)).toEqual(times);
  expect(await between(second + 123 + 0.458, 0)).toEqual(times.slice(2));
  expect(await between(second + 124, 0)).toEqual(times.slice(3));
  expect(await between(0, second + 123 + 0.999)).toEqual(times.slice(0, 3));
});

test('a line without end is handed on in parts of a mebibyte', () => {
  const join = joiner();
  const part = { time: TIME, stream: 'stdout' as const, complete: false, text: Buffer.alloc(8192) };
  const lines = Array.from({ length: 300 }, () => join.add(part)).filter((line) => line !== undefined);
  expect(lines.map(({ text }) => text.length)).toEqual([1 << 20, 1 << 20]);
  expect(join.flush()[0]?.text.length).toBe(44 * 8192);
});

test('the last N lines are those of the whole log, whatever the order of fragments', async () => {
  const entry = fc.tuple(
    fc.constantFrom('stdout', 'stderr'),
    fc.constantFrom('F', 'P'),
    fc.string({ maxLength: 20 }).map((text) => text.replace(/[\n\r]/g, '')),
  );
  /** At most the stream that wrote last has an unfinished line: one left behind by the other counts as the very last. */
  const settled = (entries: readonly (readonly [string, string, string])[]) => {
    const open = new Map(entries.map(([stream, tag]) => [stream, tag]));
    const last = entries.at(-1)?.[0];
    const left = [...open].filter(([stream, tag]) => tag === 'P' && stream !== last);
    return left.length === 0
      ? entries
      : [...entries, ...['stdout', 'stderr'].map((stream) => [stream, 'F', 'end'] as const)];
  };
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 40 }),
      fc.integer({ min: 0, max: 45 }),
      async (entries, tail) => {
        const path = join(directory, `log-${run++}`);
        writeFileSync(
          path,
          settled(entries)
            .map(([stream, tag, text]) => `${TIME} ${stream} ${tag} ${text}\n`)
            .join(''),
        );
        const whole = await collect(path, -1);
        expect(await collect(path, tail)).toEqual(tail === 0 ? [] : whole.slice(-tail));
      },
    ),
    { numRuns: 300 },
  );
});

test('the tail of a large log is found without reading it', async () => {
  const path = join(directory, 'large');
  const line = `${TIME} stdout F ${'x'.repeat(100)}\n`;
  writeFileSync(path, line.repeat(200_000));
  const fd = openSync(path, 'r');
  const { start, after } = await tailStart(fd, 10, createPace());
  closeSync(fd);
  expect(200_000 * line.length - start).toBe(10 * line.length);
  expect(after).toBe(start - line.length);
});
