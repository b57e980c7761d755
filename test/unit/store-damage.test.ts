/**
 * A K5: whatever byte of the record is flipped, wherever it is cut: never a crash, never another state without a word. The
 * readers meet every byte of a small store; the whole store, with a commit, a close and another start, meets a sample of them
 * (STORE_DAMAGE_EACH=1: all, a few minutes).
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BEGINNING, commitsIn, damageOf } from '../../src/store/lines.js';
import { makePlace, snapshotPath } from '../../src/store/place.js';
import { parseSnapshot, writeSnapshot } from '../../src/store/snapshot.js';
import { type StoredChange as Change, openStore } from '../../src/store/store.js';
import { aNetwork, anEndpoint } from '../support/views.js';

const EACH = process.env.STORE_DAMAGE_EACH === '1';
const FLIPS = [0x01, 0x80, 0xff];

let folder = '';
const network = (id: string): Change => ({ table: 'network', id, value: { ...aNetwork(), name: id } });

/** A snapshot of four records and a tail of three lines, in all three places. */
beforeAll(async () => {
  folder = mkdtempSync('/dev/shm/vd-damage-');
  const places = { dataRoot: join(folder, 'whole/data'), execRoot: join(folder, 'whole/exec') };
  const home = join(places.dataRoot, 'record');
  await makePlace(home);
  const records = ['host', 'none', 'bridge', 'inner'].map(network);
  await writeSnapshot(snapshotPath(home, BEGINNING.seq), { point: BEGINNING, records });
  const { store } = await openStore(places);
  const endpoint = anEndpoint();
  store.commit([{ table: 'endpoint', id: endpoint.id, value: endpoint }], false);
  store.commit([network('late')], true);
  store.commit([{ table: 'endpoint', id: endpoint.id, value: null }], false);
  await store.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SNAPSHOT = 'whole/data/record/0.snapshot';
const TAIL = 'whole/data/record/0.tail';
const bytesOf = (name: string): Buffer => readFileSync(join(folder, name));

/** With one byte of it as it should not be. */
const flipped = <T>(bytes: Buffer, position: number, flip: number, work: (damaged: Buffer) => T): T => {
  const before = bytes.readUInt8(position);
  bytes.writeUInt8(before ^ flip, position);
  const result = work(bytes);
  bytes.writeUInt8(before, position);
  return result;
};

test('A K5: every byte of the snapshot flipped, and every cut: it is refused', () => {
  const whole = bytesOf(SNAPSHOT);
  expect(parseSnapshot(whole)).toMatchObject({ point: BEGINNING });
  for (let position = 0; position < whole.length; position += 1)
    for (const flip of FLIPS)
      if (typeof flipped(whole, position, flip, parseSnapshot) !== 'string')
        expect.fail(`byte ${position} ^ ${flip}`);
  for (let length = 0; length < whole.length; length += 1)
    expect(parseSnapshot(whole.subarray(0, length)), `cut at ${length}`).toBeTypeOf('string');
});

test('A K5: every byte of the tail flipped, and every cut: its commits are all there, or it is told', () => {
  const whole = bytesOf(TAIL);
  const read = (bytes: Buffer) => {
    const lines = commitsIn(bytes, BEGINNING);
    return { commits: lines.commits, damage: damageOf(bytes, lines) };
  };
  const all = JSON.stringify(read(whole).commits);
  expect(read(whole).damage).toBeUndefined();
  expect(read(whole).commits).toHaveLength(3);
  const end = whole.indexOf(0) + 1;
  const lines = new Set([0, ...[...whole.subarray(0, end).keys()].filter((n) => whole[n - 1] === 10)]);
  for (let position = 0; position < end; position += 1)
    for (const flip of [FLIPS[position % 3] ?? 1, whole.readUInt8(position)]) {
      const isNear = lines.has(position) || lines.has(position - 1) || lines.has(position + 1);
      if (flip === 0 || !(EACH || isNear || position % 3 === 0)) continue;
      const left = flipped(whole, position, flip, read);
      if (JSON.stringify(left.commits) !== all && !left.damage)
        expect.fail(`byte ${position} ^ ${flip}: commits are missing without a word`);
    }
  for (let length = 0; length < end; length += 1)
    expect(read(whole.subarray(0, length)).damage, `cut at ${length}`).toBeDefined();
}, 600_000);

interface Damage {
  /** of the places of the record, how many have it */
  readonly places: number;
  readonly file: '0.snapshot' | '0.tail';
  /** a byte that gets another value, or from where all is cut away */
  readonly at: number;
  readonly flip?: number;
}

const sampled = (): readonly Damage[] =>
  (['0.snapshot', '0.tail'] as const).flatMap((file) => {
    const whole = bytesOf(`whole/data/record/${file}`);
    const end = file === '0.tail' ? whole.indexOf(0) + 1 : whole.length;
    const step = EACH ? 1 : 97;
    const at = Array.from({ length: Math.ceil(end / step) }, (_, n) => n * step);
    return at.flatMap((position, n): Damage[] => [
      { places: 1 + (n % 3), file, at: position, flip: FLIPS[n % 3] ?? 1 },
      { places: 1 + (n % 3), file, at: position },
    ]);
  });

const damaged = (bytes: Buffer, { at, flip }: Damage): Buffer => {
  if (flip !== undefined) bytes.writeUInt8(bytes.readUInt8(at) ^ flip, at);
  return flip === undefined ? bytes.subarray(0, at) : bytes;
};

/** The records that a store has after the damage; then after another commit, which does not count, a close and a start. */
const tryOut = async (damage: Damage) => {
  const root = join(folder, 'try');
  rmSync(root, { recursive: true, force: true });
  cpSync(join(folder, 'whole'), root, { recursive: true });
  for (const place of ['data/record', 'data/record-copy', 'exec/record'].slice(0, damage.places)) {
    const path = join(root, place, damage.file);
    writeFileSync(path, damaged(readFileSync(path), damage));
  }
  let told = false;
  const opening = async () => {
    const { store, ...loss } = await openStore(
      { dataRoot: join(root, 'data'), execRoot: join(root, 'exec') },
      () => {
        told = true;
      },
    );
    told ||= Object.keys(loss).length > 0;
    const state = [...store.load()].map(({ id }) => id).sort();
    return { store, state: state.filter((id) => id !== 'added').join() };
  };
  const { store, state } = await opening();
  for (let n = 0; n < 3; n += 1) store.commit([network('added')], true);
  await store.close();
  const later = await opening();
  await later.store.close();
  expect([later.state, readdirSync(join(root, 'data/record')).length], JSON.stringify(damage)).toEqual([
    state,
    2,
  ]);
  return { told, state };
};

test(
  'A K5: a store opened, written to, closed and opened again, damaged before: no other state without a word, and none at all while one place is whole',
  async () => {
    const whole = 'bridge,host,inner,late,none';
    const outcomes = { same: 0, other: 0 };
    for (const damage of sampled()) {
      const { told, state } = await tryOut(damage);
      if (!told || damage.places < 3) expect(state, JSON.stringify(damage)).toBe(whole);
      outcomes[state === whole ? 'same' : 'other'] += 1;
    }
    expect(outcomes.same).toBeGreaterThan(10);
    expect(outcomes.other).toBeGreaterThan(10);
  },
  EACH ? 3_600_000 : 120_000,
);
