import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Container } from '../../src/model/container.js';
import { type StoredChange as Change, openStore, type Store } from '../../src/store/store.js';
import { asKilled } from '../support/killed-store.js';
import { until } from '../support/run.js';
import { aNetwork, anEndpoint } from '../support/views.js';

let folder = '';
/** Of the daemon that lives now. */
let root = '';
const living = new Set<Store>();
const at = (...names: readonly string[]): string => join(root, ...names);
/** Whoever lives is killed. */
const opening = async (warn: (message: string) => void = () => {}) => {
  const next = mkdtempSync(join(folder, 'next-'));
  asKilled(root, next);
  root = next;
  const opened = await openStore({ dataRoot: at('data'), execRoot: at('exec') }, warn);
  living.add(opened.store);
  return opened;
};
const opened = async (): Promise<Store> => (await opening()).store;
const close = async (store: Store): Promise<void> => {
  living.delete(store);
  await store.close();
};
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vd-store-'));
  root = join(folder, 'first');
  mkdirSync(root);
});
afterEach(async () => {
  for (const store of living) await close(store);
  rmSync(folder, { recursive: true, force: true });
});

const network = aNetwork();
const put = (name: string): Change => ({ table: 'network', id: network.id, value: { ...network, name } });
const endpoint = anEndpoint();
const putEndpoint: Change = { table: 'endpoint', id: endpoint.id, value: endpoint };
const gone: Change = { table: 'endpoint', id: endpoint.id, value: null };

/** The store reads of a container what the patch has, and keeps the rest as it is. */
const container = (pid: number, name = 'web', id = 'c0'): Change => ({
  table: 'container',
  id,
  value: { id, name, state: { pid }, endpointIds: [], sandboxId: null, restartCount: 0 } as never,
});
const files = (place: readonly string[], kind: string): readonly string[] =>
  readdirSync(at(...place)).filter((name) => name.endsWith(kind));
const HOME = ['data', 'record'];
const COPIES = [
  ['data', 'record-copy'],
  ['exec', 'record'],
];
const tailOf = (place: readonly string[] = HOME): string => at(...place, files(place, '.tail')[0] ?? '');
/** The lines of the tail. */
const written = (): string => {
  const all = readFileSync(tailOf());
  return all.toString('utf8', 0, all.indexOf(0));
};
/** With nothing behind them that was there before. */
const rewrite = (text: string, place: readonly string[] = HOME): void => {
  const all = Buffer.alloc(statSync(tailOf(place)).size);
  all.write(text);
  writeFileSync(tailOf(place), all);
};
const read = async (): Promise<Map<string, Change>> => {
  const store = await opened();
  return new Map([...store.load()].map((c) => [`${c.table}/${c.id}`, c]));
};
const tables = async (): Promise<string[]> => [...(await read()).values()].map(({ table }) => table).sort();
const pidOf = (change: Change | undefined): number =>
  (change?.value as Container | undefined)?.state.pid ?? -1;

describe('the store (O3)', () => {
  it('has what was committed before a kill, durable or not', async () => {
    const store = await opened();
    store.commit([put('a')], true);
    store.commit([putEndpoint], false);
    store.commit([container(0)], true);
    store.commit([container(7)], false);
    const found = await read(); // as a new daemon: the old one never closed it
    expect([...found.keys()].sort()).toEqual([
      `container/c0`,
      `endpoint/${endpoint.id}`,
      `network/${network.id}`,
    ]);
    expect(pidOf(found.get('container/c0'))).toBe(7);
  });

  it('writes a running container’s change without its whole configuration', async () => {
    const store = await opened();
    store.commit([container(0, 'x'.repeat(10_000))], true);
    store.commit([container(7, 'x'.repeat(10_000))], false);
    expect(written().length).toBeLessThan(11_000); // the first has it, the second only what changed
  });

  it('writes all of a container of which more has changed than what a patch has', async () => {
    const store = await opened();
    store.commit([container(0, 'before')], true);
    store.commit([container(7, 'after')], false);
    const found = (await read()).get('container/c0');
    expect(found?.value).toMatchObject({ name: 'after' });
    expect(pidOf(found)).toBe(7);
  });

  it('goes on where the last daemon ended, and not on a line that it did not end', async () => {
    const store = await opened();
    store.commit([put('a')], true);
    store.commit([putEndpoint], false);
    const lines = written();
    for (const place of [HOME, ...COPIES]) rewrite(lines.slice(0, -2), place);
    const told: string[] = [];
    const next = await opening((message) => told.push(message));
    expect(told).toEqual([expect.stringContaining('not whole')]);
    expect(next.quarantined).toBeUndefined();
    next.store.commit([container(1)], true);
    expect(await tables()).toEqual(['container', 'network']);
    expect((await opening((message) => told.push(message))).restored).toBeUndefined();
    expect(told).toHaveLength(1);
  });

  it('does not play lines of another history', async () => {
    const store = await opened();
    store.commit([put('a')], true);
    const begun = written();
    store.commit([putEndpoint], true);
    store.commit([gone], true);
    const [, second = '', third = ''] = written().split('\n');
    for (const place of [HOME, ...COPIES]) rewrite(`${begun}${third}\n${second}\n`, place);
    expect(await tables()).toEqual(['network']);
  });

  it('says when a durable commit is on the disk, and asks nobody to wait for the others', async () => {
    const store = await opened();
    store.commit([putEndpoint], false);
    expect(store.written()).toBeUndefined();
    store.commit([put('a')], true);
    const waiting = store.written();
    expect(waiting).toBeInstanceOf(Promise);
    await waiting;
    expect(store.written()).toBeUndefined();
    await close(store);
  });

  it('keeps a setting', async () => {
    const store = await opened();
    expect(store.setting('id', () => 'a')).toBe('a');
    expect(store.setting('id', () => 'b')).toBe('a');
    expect((await opened()).setting('id', () => 'b')).toBe('a');
  });

  it('refuses a record that a later version wrote, and leaves it as it is', async () => {
    const store = await opened();
    store.commit([put('a')], true);
    await close(store);
    const { lineOf, BEGINNING } = await import('../../src/store/lines.js');
    const head = JSON.stringify([{ table: 'end', id: '2', value: { something: 'else' } }]);
    const later = lineOf(BEGINNING, head).bytes.subarray(0, -1);
    writeFileSync(at(...HOME, '0.snapshot'), later);
    await expect(opening()).rejects.toThrow('later version');
    expect(readFileSync(at(...HOME, '0.snapshot'))).toEqual(later);
  });
});

/** So many bytes of records that the tail is long enough for another generation. */
const large = (n: number): Change => ({
  table: 'network',
  id: `n${n}`,
  value: { text: 'x'.repeat(300_000) },
});
const generation = (place: readonly string[] = HOME): string => [...files(place, '')].sort().join(' ');

describe('the store’s next generation', () => {
  it('begins when the tail is long, and the old one goes once the new one is there; in the copies too', async () => {
    const store = await opened();
    for (let n = 0; n < 4; n += 1) store.commit([large(n)], true);
    expect(generation()).toContain('0.snapshot 0.tail 4.tail');
    store.commit([put('late')], true);
    await until('it is there', () =>
      [HOME, ...COPIES].every((place) => generation(place) === '4.snapshot 4.tail'),
    );
    store.commit([put('later')], true);
    expect((await read()).size).toBe(5);
    for (const place of COPIES) expect(readFileSync(tailOf(place)).equals(readFileSync(tailOf()))).toBe(true);
  });

  it('is what the snapshot and the tail have, however often it is begun', async () => {
    const store = await opened();
    for (let n = 0; n < 30; n += 1) {
      store.commit([large(n % 7), container(n, 'web', `c${n}`)], n % 2 === 0);
      await store.written();
    }
    const found = await read();
    expect(found.size).toBe(37);
    expect(pidOf(found.get('container/c29'))).toBe(29);
    await close(store);
    expect((await read()).size).toBe(37);
  });
});

describe('A K5: copies of the record', () => {
  const filled = async (): Promise<void> => {
    const store = await opened();
    store.commit([put('a')], true);
    store.commit([putEndpoint], false);
    store.setting('id', () => 'mine');
  };
  const places = [HOME, ...COPIES];
  const lose = (place: readonly string[]): void => rmSync(at(...place), { recursive: true });

  it.each([
    ['the record', [0], 1],
    ['the record and the copy beside it', [0, 1], 2],
    ['the record and the copy in memory', [0, 2], 1],
  ])('without %s the third has it, not behind', async (_, lost, from) => {
    await filled();
    for (const index of lost) lose(places[index] ?? []);
    const { store, quarantined, restored } = await opening();
    expect(quarantined).toBeUndefined(); // nothing was there to be set aside
    expect(restored?.path).toBe(at(...(places[from] ?? [])));
    expect([...store.load()]).toHaveLength(3);
    store.commit([container(1)], true);
    lose(HOME); // all three are whole again
    lose(places[from] ?? []);
    expect((await read()).size).toBe(4);
  });

  it('of which one is behind, the other is taken', async () => {
    await filled();
    cpSync(at('data', 'record-copy'), at('old'), { recursive: true });
    const store = await opened();
    store.commit([container(7)], true);
    await close(store);
    lose(['data', 'record-copy']);
    cpSync(at('old'), at('data', 'record-copy'), { recursive: true });
    writeFileSync(at(...HOME, '0.snapshot'), 'nothing');
    const { store: again, quarantined, restored } = await opening();
    expect(quarantined?.damage).toContain('not as it was written');
    expect(readFileSync(join(quarantined?.path ?? '', '0.snapshot'), 'utf8')).toBe('nothing');
    expect(restored?.path).toBe(at('exec', 'record'));
    expect([...again.load()]).toHaveLength(4);
  });

  it('take over what of the record’s tail is damaged', async () => {
    await filled();
    const tail = readFileSync(tailOf());
    tail.write('x', tail.indexOf(10) + 40);
    writeFileSync(tailOf(), tail);
    const { store, quarantined, restored } = await opening();
    expect(quarantined?.damage).toContain('not whole');
    expect(restored?.path).toBe(at('data', 'record-copy'));
    expect([...store.load()]).toHaveLength(3);
  });

  it('that cannot be written to hold nobody up', async () => {
    writeFileSync(at('exec'), 'no directory');
    const told: string[] = [];
    const { store } = await opening((message) => told.push(message));
    for (let n = 0; n < 5; n += 1) store.commit([large(n)], true);
    await until('the next generation is there', () => generation() === '4.snapshot 4.tail');
    expect(told).toContainEqual(
      expect.stringContaining(`the copy of the records in ${at('exec', 'record')} is old`),
    );
    await close(store);
    expect((await read()).size).toBe(5);
  });
});
