/** Logs as conmon writes them, read back in every way `docker logs` asks for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LogLine, LogRequest } from '../../src/runtime/contract.js';
import { makeWorld, type World } from './runtime-world.js';

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

const ALL: LogRequest = { stdout: true, stderr: true, since: 0, until: 0, tail: -1, follow: false };
const collect = async (id: string, wishes: Partial<LogRequest> = {}): Promise<readonly LogLine[]> => {
  const lines: LogLine[] = [];
  for await (const line of world.runtime.logs(id, { ...ALL, ...wishes })) lines.push(line);
  return lines;
};
const texts = async (id: string, wishes: Partial<LogRequest> = {}) =>
  (await collect(id, wishes)).map((line) => String(line.text));
const ended = async (script: string) => {
  const { id, exited } = await world.launch(['sh', '-c', script]);
  await exited;
  return id;
};

describe('logs', () => {
  test('lines of both streams, with their times', async () => {
    const id = await ended('echo a; sleep 0.05; echo b >&2; sleep 0.05; printf unfinished');
    const lines = await collect(id);
    expect(lines.map(({ stream, text }) => [stream, String(text)])).toEqual([
      ['stdout', 'a\n'],
      ['stderr', 'b\n'],
      ['stdout', 'unfinished'],
    ]);
    for (const { time } of lines) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    expect(await texts(id, { stdout: false })).toEqual(['b\n']);
    expect(await texts(id, { stderr: false, tail: 2 })).toEqual(['unfinished']);
  });

  test('a line longer than conmon’s buffer is one line', async () => {
    const id = await ended("yes x | tr -d '\\n' | head -c 50000; echo; echo next");
    const lines = await texts(id);
    expect(lines.map((line) => line.length)).toEqual([50_001, 5]);
    expect(await texts(id, { tail: 1 })).toEqual(['next\n']);
    expect((await texts(id, { tail: 2 })).map((line) => line.length)).toEqual([50_001, 5]);
  });

  test('tail of a long log', async () => {
    const id = await ended('seq 1 20000');
    for (const tail of [0, 1, 10, 5000, 20_000, 30_000]) {
      const lines = await texts(id, { tail });
      expect(lines.length).toBe(Math.min(tail, 20_000));
      if (tail > 0) expect(lines.at(-1)).toBe('20000\n');
      if (tail > 0 && tail <= 20_000) expect(lines[0]).toBe(`${20_000 - tail + 1}\n`);
    }
  });

  test('since and until', async () => {
    const id = await ended('echo a; sleep 0.3; echo b; sleep 0.3; echo c');
    const [a, b, c] = await collect(id);
    if (!a || !b || !c) throw new Error('three lines expected');
    const between = (x: LogLine, y: LogLine) => (Date.parse(x.time) + Date.parse(y.time)) / 2;
    expect(await texts(id, { since: between(a, b) })).toEqual(['b\n', 'c\n']);
    expect(await texts(id, { until: between(b, c) })).toEqual(['a\n', 'b\n']);
    expect(await texts(id, { since: between(a, b), until: between(b, c) })).toEqual(['b\n']);
  });

  test('following sees each line soon and ends with the container', async () => {
    const { id } = await world.launch(['sh', '-c', 'echo 1; sleep 0.3; echo 2; sleep 0.3; printf 3']);
    const begun = Date.now();
    const seen: [string, number][] = [];
    for await (const line of world.runtime.logs(id, { ...ALL, follow: true }))
      seen.push([String(line.text), Date.now() - begun]);
    expect(seen.map(([text]) => text)).toEqual(['1\n', '2\n', '3']);
    expect((seen[2]?.[1] ?? 0) - (seen[0]?.[1] ?? 0)).toBeGreaterThan(400);
  });

  test('a follower who leaves while nothing happens is let go at once', async () => {
    const { id } = await world.launch(['sleep', '100']);
    const iterator = world.runtime.logs(id, { ...ALL, follow: true })[Symbol.asyncIterator]();
    const pending = iterator.next();
    await sleep(50);
    await iterator.return?.();
    // Its program runs on for longer than the test may take.
    expect((await pending).done).toBe(true);
    await world.runtime.delete(id);
  });

  test('a full log starts anew, and a follower misses nothing that is still there', async () => {
    const { id, exited } = await world.launch(
      ['sh', '-c', 'for i in $(seq 1 40); do seq $i 1000; sleep 0.01; done; echo end'],
      {
        host: { LogConfig: { Type: 'json-file', Config: { 'max-size': '100k' } } },
      },
    );
    const followed: string[] = [];
    for await (const line of world.runtime.logs(id, { ...ALL, follow: true }))
      followed.push(String(line.text));
    await exited;
    expect(followed.at(-1)).toBe('end\n');
    const kept = await texts(id);
    expect(kept.at(-1)).toBe('end\n');
    expect(kept.length).toBeLessThan(4000);
  });

  test('no log at all with the driver none', async () => {
    const { id, exited } = await world.launch(['echo', 'unheard'], {
      host: { LogConfig: { Type: 'none', Config: {} } },
    });
    await exited;
    expect(await texts(id)).toEqual([]);
  });
});
