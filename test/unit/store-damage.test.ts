/**
 * A K5: whatever byte of the record is flipped, wherever it is cut: never a crash, never another state without a word. Our
 * reader meets every byte of a small store; the whole store, with lmdb writing into what was let through, meets every byte of both
 * meta pages and a sample of the others in processes of their own (STORE_DAMAGE_EACH=1: all of them, a few minutes).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readDatabase, valuesOf } from '../../src/store/database.js';
import { type StoredChange as Change, openStore } from '../../src/store/store.js';
import { leftIn } from '../../src/store/tail.js';
import type { Damage, Outcome } from '../support/damaged-store.js';
import { aNetwork, anEndpoint } from '../support/views.js';

const EACH = process.env.STORE_DAMAGE_EACH === '1';
const PAGE = 4096;
/** Header and `MDB_meta`; lmdb knows nothing of the rest of the page. */
const META = 24 + 144;
const FLIPS = [0x01, 0x80, 0xff];

let folder = '';
const at = (name: string) => join(folder, name);
const network = (id: string, text = ''): Change => {
  const value = { ...aNetwork(), name: id, labels: { text } };
  return { table: 'network', id, value };
};

/** A database with a free list, a value on pages of its own and two meta pages that differ; a copy; and a tail of three lines. */
beforeAll(async () => {
  folder = mkdtempSync('/dev/shm/vd-damage-');
  const first = openStore(at('intent.mdb'), at('intent.tail'));
  first.store.setting('id', () => 'mine');
  for (const id of ['host', 'none', 'bridge', 'inner']) first.store.commit([network(id)], true);
  first.store.commit([network('big', 'x'.repeat(5_000))], true);
  await first.store.close();
  const second = openStore(at('intent.mdb'), at('intent.tail'));
  second.store.commit([{ table: 'network', id: 'none', value: null }], true);
  await second.store.close();
  const third = openStore(at('intent.mdb'), at('intent.tail'));
  const endpoint = anEndpoint();
  third.store.commit([{ table: 'endpoint', id: endpoint.id, value: endpoint }], false);
  third.store.commit([network('late')], true);
  third.store.commit([{ table: 'endpoint', id: endpoint.id, value: null }], false);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** With one byte of it as it should not be. */
const flipped = <T>(bytes: Buffer, position: number, flip: number, work: (damaged: Buffer) => T): T => {
  const before = bytes.readUInt8(position);
  bytes.writeUInt8(before ^ flip, position);
  const result = work(bytes);
  bytes.writeUInt8(before, position);
  return result;
};
const isMeta = (position: number) => position < 2 * PAGE && position % PAGE < META;

test('A K5: every byte of the database flipped, and every cut: it is refused, or the records are the same', () => {
  const whole = readFileSync(at('intent.mdb'));
  const stateOf = (bytes: Buffer): string => {
    const found = valuesOf(bytes);
    return 'damage' in found ? 'refused' : JSON.stringify([...found.values]);
  };
  const state = stateOf(whole);
  expect(state).toContain('bridge');
  const seen = { refused: 0, same: 0 };
  for (let position = 0; position < whole.length; position += 1)
    for (const flip of EACH || isMeta(position) ? FLIPS : [FLIPS[position % 3] ?? 1]) {
      const now = flipped(whole, position, flip, stateOf);
      if (now !== 'refused' && now !== state) expect.fail(`byte ${position} ^ ${flip}: another state`);
      seen[now === 'refused' ? 'refused' : 'same'] += 1;
    }
  expect(seen.refused).toBeGreaterThan(1_000);
  expect(seen.same).toBeGreaterThan(1_000); // what nothing leads to
  for (let length = 0; length < whole.length; length += EACH ? 1 : 37) {
    const now = stateOf(whole.subarray(0, length));
    if (now !== state) expect(now, `cut at ${length}`).toBe('refused');
  }
}, 600_000);

test('A K5: every byte of the journal flipped, and every cut: its commits are all there, or it is told', () => {
  const database = readDatabase(at('intent.mdb'));
  const generation =
    database && 'values' in database
      ? Number(JSON.parse(database.values.get('setting/generation') ?? ''))
      : 0;
  const whole = readFileSync(at('intent.tail'));
  const read = (bytes: Buffer) => leftIn(bytes, generation);
  const all = JSON.stringify(read(whole).commits);
  expect(read(whole).ahead).toBe(false);
  expect(read(whole).damage).toBeUndefined();
  expect(read(whole).commits).toHaveLength(3);
  const end = whole.indexOf(0) + 1;
  const lines = new Set([0, ...[...whole.subarray(0, end).keys()].filter((n) => whole[n - 1] === 10)]);
  for (let position = 0; position < end; position += 1)
    for (const flip of [FLIPS[position % 3] ?? 1, whole.readUInt8(position)]) {
      const isNear = lines.has(position) || lines.has(position - 1) || lines.has(position + 1);
      if (flip === 0 || !(EACH || isNear || position % 3 === 0)) continue;
      const left = flipped(whole, position, flip, read);
      if (JSON.stringify(left.commits) !== all && !left.damage && !left.ahead)
        expect.fail(`byte ${position} ^ ${flip}: commits are missing without a word`);
    }
  for (let length = 0; length < end; length += 5)
    expect(read(whole.subarray(0, length)).damage, `cut at ${length}`).toBeDefined();
}, 600_000);

const sampled = (): readonly Damage[] => {
  const whole = readFileSync(at('intent.mdb'));
  const metas = [0, PAGE].flatMap((page) => Array.from({ length: META }, (_, n) => page + n));
  const step = EACH ? 1 : 331;
  const others = Array.from({ length: Math.floor(whole.length / step) }, (_, n) => n * step);
  const flips = [...metas, ...others].flatMap((position, n) =>
    (EACH ? FLIPS : [FLIPS[n % 3]]).map((flip) => ({ file: 'intent.mdb', at: position, flip })),
  );
  const cuts = Array.from({ length: 24 }, (_, n) => ({
    file: 'intent.mdb',
    at: Math.floor((n * whole.length) / 24) + (n % 3),
  }));
  return [...flips.flatMap((f) => (f.flip === undefined ? [] : [{ ...f, flip: f.flip }])), ...cuts];
};

/** In one process; where that ends, the rest is tried in another, and what ended it is an outcome too. */
const tryAll = (damages: readonly Damage[]): Promise<{ outcomes: Outcome[]; crash: string | undefined }> =>
  new Promise((resolve) => {
    const script = fileURLToPath(new URL('../support/damaged-store.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', script, folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(damages.map((damage) => `${JSON.stringify(damage)}\n`).join(''));
    child.on('close', (code, signal) => {
      const lines = text.split('\n').filter((line) => line !== '');
      const outcomes = lines
        .filter((line) => line.includes('"state"'))
        .map((line) => JSON.parse(line) as Outcome);
      const crash = code === 0 ? undefined : `${signal ?? code} at ${lines.at(-1)}`;
      resolve({ outcomes, crash });
    });
  });

test(
  'A K5: a store opened, written to, closed and opened again, damaged before: no crash, no other state without a word',
  async () => {
    const damages = sampled();
    const half = Math.ceil(damages.length / 2);
    const parts = await Promise.all([damages.slice(0, half), damages.slice(half)].map(tryAll));
    expect(parts.map(({ crash }) => crash)).toEqual([undefined, undefined]);
    const outcomes = parts.flatMap((part) => part.outcomes);
    expect(outcomes).toHaveLength(damages.length);
    const untold = outcomes.filter(({ told }) => !told);
    expect(untold.length).toBeGreaterThan(0);
    expect(untold.length).toBeLessThan(outcomes.length);
    const states = new Set(untold.map(({ state }) => state));
    expect([...states]).toHaveLength(1);
    const lost = outcomes.filter(({ state, later }) => state !== later).map(({ damage }) => damage);
    expect(lost).toEqual([]);
  },
  EACH ? 3_600_000 : 120_000,
);
