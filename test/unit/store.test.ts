import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Container } from '../../src/model/container.js';
import { valuesOf } from '../../src/store/database.js';
import { readPages } from '../../src/store/pages.js';
import { type StoredChange as Change, openStore } from '../../src/store/store.js';
import { checksum, formerChecksum } from '../../src/store/values.js';
import { aNetwork, anEndpoint } from '../support/views.js';

let folder = '';
const paths = (): [string, string] => [join(folder, 'intent.mdb'), join(folder, 'intent.tail')];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vd-store-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const network = aNetwork();
const put = (name: string): Change => ({ table: 'network', id: network.id, value: { ...network, name } });
const endpoint = anEndpoint();
const put6: Change = { table: 'endpoint', id: endpoint.id, value: endpoint };
const gone: Change = { table: 'endpoint', id: endpoint.id, value: null };

/** The store reads of a container what the patch has, and keeps the rest as it is. */
const container = (pid: number, name = 'web'): Change => ({
  table: 'container',
  id: 'c0',
  value: { id: 'c0', name, state: { pid }, endpointIds: [], sandboxId: null, restartCount: 0 } as never,
});
const looksWhole = (path: string): boolean => !('damage' in readPages(readFileSync(path)));
/** The lines of the tail. */
const written = (): string => {
  const all = readFileSync(paths()[1]);
  return all.toString('utf8', 0, all.indexOf(0));
};
const read = (): Map<string, Change> => {
  const { store } = openStore(...paths());
  return new Map([...store.load()].map((c) => [`${c.table}/${c.id}`, c]));
};
const pidOf = (change: Change | undefined): number =>
  change?.table === 'container' ? ((change.value as Container).state.pid ?? -1) : -1;

describe('the store (O3)', () => {
  it('has what was committed before a kill, durable or not', () => {
    const { store } = openStore(...paths());
    store.commit([put('a')], true);
    store.commit([put6], false);
    store.commit([container(0)], true);
    store.commit([container(7)], false);
    const found = read(); // as a new daemon: the old one never closed it
    expect([...found.keys()].sort()).toEqual([
      `container/c0`,
      `endpoint/${endpoint.id}`,
      `network/${network.id}`,
    ]);
    expect(pidOf(found.get('container/c0'))).toBe(7);
  });

  it('writes a running container’s change without its whole configuration', () => {
    const { store } = openStore(...paths());
    store.commit([container(0, 'x'.repeat(10_000))], true);
    store.commit([container(7, 'x'.repeat(10_000))], false);
    expect(written().length).toBeLessThan(11_000); // the first has it, the second only what changed
  });

  it('writes all of a container of which more has changed than what a patch has', () => {
    const { store } = openStore(...paths());
    store.commit([container(0, 'before')], true);
    store.commit([container(7, 'after')], false);
    const found = read().get('container/c0');
    expect(found?.value).toMatchObject({ name: 'after' });
    expect(pidOf(found)).toBe(7);
  });

  it('does not play a tail again that the database has gone beyond', async () => {
    const { store } = openStore(...paths());
    store.commit([put6], false);
    const before = readFileSync(paths()[1]);
    store.commit([gone], true);
    await store.close();
    writeFileSync(paths()[1], before); // killed before the tail was cleared
    expect(read().has(`endpoint/${endpoint.id}`)).toBe(false);
  });

  const OTHER_BOOT = '00000000-0000-0000-0000-000000000000';
  /** Opens a store whose tail has this text. */
  const readWith = (tail: string): string[] => {
    for (const path of paths()) rmSync(path, { force: true });
    rmSync(`${paths()[0]}-lock`, { force: true });
    writeFileSync(paths()[1], tail);
    return [...read().keys()].map((key) => key.split('/')[0] ?? '').sort();
  };
  const tailOf = (work: (store: ReturnType<typeof openStore>['store']) => void): string => {
    work(openStore(...paths()).store);
    return written();
  };

  it('plays the tail up to the line that was being written', () => {
    const tail = tailOf((store) => {
      store.commit([put('a')], true);
      store.commit([put6], false);
    });
    expect(readWith(tail)).toEqual(['endpoint', 'network']);
    expect(readWith(tail.slice(0, -2))).toEqual(['network']);
    expect(readWith(`${tail}0 ${OTHER_BOOT} d [{"table":"netw`)).toEqual(['endpoint', 'network']);
  });

  it('does not believe a line of which the disk has only a part', () => {
    const tail = tailOf((store) => {
      store.commit([put('a')], true);
      store.commit([put6], true);
    });
    expect(readWith(tail.replace('"name":"a"', '"name":"b"'))).toEqual([]);
  });

  it('of another boot’s tail plays what was waited for, and what came before it', () => {
    const tail = tailOf((store) => {
      store.commit([put6], false);
      store.commit([put('a')], true);
      store.commit([container(7)], false);
    });
    const [, boot = ''] = tail.split(' ');
    expect(readWith(tail)).toEqual(['container', 'endpoint', 'network']);
    const line = /^\+(\d+) (\S+) (.) \S+ (.*)$/gm;
    const moved = tail.replace(line, (_, generation: string, __, kind: string, json: string) => {
      const sum = checksum(generation, OTHER_BOOT, kind, json);
      return `+${generation} ${OTHER_BOOT} ${kind} ${sum} ${json}`;
    });
    expect(moved).not.toContain(boot);
    expect(readWith(moved)).toEqual(['endpoint', 'network']);
  });

  it('says when a durable commit is on the disk, and asks nobody to wait for the others', async () => {
    const { store } = openStore(...paths());
    store.commit([put6], false);
    expect(store.written()).toBeUndefined();
    store.commit([put('a')], true);
    const waiting = store.written();
    expect(waiting).toBeInstanceOf(Promise);
    await waiting;
    expect(store.written()).toBeUndefined();
    await store.close();
  });

  it('goes on when the tail has outgrown what was laid out for it', () => {
    const { store } = openStore(...paths());
    const big = 'x'.repeat(300_000);
    for (let i = 0; i < 8; i += 1) store.commit([{ ...container(i, big), id: `c${i}` } as Change], true);
    store.commit([put('a')], false);
    expect(read().size).toBe(9);
  });

  it('sets a file that was cut short aside, wherever it was cut', async () => {
    const { store } = openStore(...paths());
    for (let i = 0; i < 50; i += 1) store.commit([{ ...put('a'), id: `n${i}` } as Change], true);
    await store.close();
    const whole = readFileSync(paths()[0]);
    expect(looksWhole(paths()[0])).toBe(true);
    for (const bytes of [0, 100, 4096, 8192, Math.floor(whole.length / 2), whole.length - 4096]) {
      writeFileSync(paths()[0], whole);
      truncateSync(paths()[0], bytes);
      const { store: again, quarantined } = openStore(...paths());
      expect(quarantined?.path, `${bytes} bytes`).toContain('unreadable');
      await again.close();
    }
  });

  it('reads a file that is shorter than it says, where only pages are missing that nothing leads to', async () => {
    const { store } = openStore(...paths());
    for (let i = 0; i < 50; i += 1) store.commit([{ ...put('a'), id: `n${i}` } as Change], true);
    store.commit([{ ...container(0, 'x'.repeat(10_000)), id: 'large' } as Change], true);
    await store.close();
    const whole = readFileSync(paths()[0]);
    // As after a transaction that took pages at the end and gave them back: they are counted, and never written.
    for (const meta of [0, 4096]) {
      const counted = meta + 24 + 24 + 2 * 48; // `mm_last_pg`
      whole.writeBigUInt64LE(whole.readBigUInt64LE(counted) + 3n, counted);
    }
    writeFileSync(paths()[0], whole);
    const { store: again, quarantined } = openStore(...paths());
    expect(quarantined).toBeUndefined();
    expect([...again.load()]).toHaveLength(51);
    await again.close();
    for (let pages = 0; pages < whole.length / 4096; pages += 1) {
      writeFileSync(paths()[0], whole.subarray(0, pages * 4096));
      expect(looksWhole(paths()[0]), `${pages} pages`).toBe(false);
    }
  });

  it('reads what a former version wrote, without checksums, and writes it anew', async () => {
    const old = open<unknown, string>({ path: paths()[0], noSubdir: true, encoding: 'json', pageSize: 4096 });
    const { value } = put('a');
    old.transactionSync(() => {
      old.putSync(`network/${network.id}`, value);
      old.putSync('setting/id', 'mine');
      old.putSync('setting/generation', '7');
    });
    await old.close();
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const json = JSON.stringify([put6]);
    const tail = Buffer.alloc(1 << 20);
    tail.write(`7 ${boot} s ${formerChecksum(json)} ${json}\n`);
    writeFileSync(paths()[1], tail);
    const told: string[] = [];
    for (const _ of ['former', 'present']) {
      const { store, quarantined } = openStore(...paths(), (message) => told.push(message));
      expect(quarantined).toBeUndefined();
      expect([...store.load()].map(({ table }) => table).sort()).toEqual(['endpoint', 'network']);
      expect(store.setting('id', () => 'another')).toBe('mine');
      await store.close();
    }
    expect(told).toEqual([]);
    const now = valuesOf(readFileSync(paths()[0]));
    expect('values' in now && now.unsealed).toBe(false);
  });

  it('A K5: takes the later of two copies, and says which', async () => {
    const memory = join(folder, 'memory');
    mkdirSync(memory);
    const { store } = openStore(...paths(), () => {}, memory);
    store.commit([put('a')], true);
    await store.close(); // both copies have it
    const next = openStore(...paths(), () => {}, memory).store;
    next.commit([put6], true);
    await next.close();
    const early = readFileSync(`${paths()[0]}-copy`);
    const third = openStore(...paths(), () => {}, memory).store;
    third.commit([container(7)], true);
    await third.close();
    writeFileSync(`${paths()[0]}-copy`, early);
    writeFileSync(paths()[0], 'nothing');
    const { store: again, quarantined, restored } = openStore(...paths(), () => {}, memory);
    expect(quarantined?.damage).toContain('cut short');
    expect(restored?.path).toBe(join(memory, 'intent.mdb-copy'));
    expect([...again.load()]).toHaveLength(3);
    await again.close();
    expect([...read().keys()]).toHaveLength(3);
  });

  it('keeps a setting', () => {
    const { store } = openStore(...paths());
    expect(store.setting('id', () => 'a')).toBe('a');
    expect(store.setting('id', () => 'b')).toBe('a');
  });
});
