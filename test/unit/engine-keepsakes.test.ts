/** What lies beside a running container, and how it is taken back into a record that lost it (A K5). */
import { describe, expect, test, vi } from 'vitest';
import { belongings, keepsakes, sealed, unsealed } from '../../src/engine/commit/keepsakes.js';
import { findLost, fitting, lossWarnings } from '../../src/engine/commit/lost-records.js';
import { settleStrays } from '../../src/engine/commit/restore.js';
import type { Change } from '../../src/engine/commit/tables.js';
import { Model } from '../../src/engine/index.js';
import type { Container } from '../../src/model/container.js';
import { NO_SETTINGS } from '../../src/model/container.js';
import type { Store } from '../../src/store/store.js';
import { aNetwork, anEndpoint, aSandbox } from '../support/views.js';

const network = aNetwork({ name: 'net' });
const sandbox = aSandbox();
const endpoint = anEndpoint({ networkId: network.id, sandboxId: sandbox.id, dnsNames: ['web', 'pal'] });
const container = {
  id: sandbox.containerId,
  name: 'web',
  networks: [{ networkId: network.id, name: 'net', settings: NO_SETTINGS }],
  sandboxId: sandbox.id,
  endpointIds: [endpoint.id],
} as unknown as Container; // nothing else of it is looked at

const added = (value: { readonly id: string }, table: Change['table']): Change =>
  ({ table, id: value.id, value }) as Change; // each of its own table
const ALL: readonly Change[] = [
  added(network, 'network'),
  added(sandbox, 'sandbox'),
  added(endpoint, 'endpoint'),
  added(container, 'container'),
];
const modelOf = (...changes: readonly Change[]): Model => {
  const model = new Model();
  for (const change of changes) model.change(change);
  return model;
};

describe('A K5: what lies beside a container', () => {
  test('is all that is recorded of it and of its networks, and nothing else', () => {
    const other = added(aNetwork({ id: 'bb', name: 'other' }), 'network');
    expect(belongings(modelOf(other, ...ALL), container)).toEqual(ALL);
  });
  test('of one that shares another’s namespace it is its own record alone', () => {
    const guest = { ...container, id: 'd1', networks: [], endpointIds: [] } as unknown as Container; // as above
    expect(belongings(modelOf(...ALL), guest)).toEqual([added(guest, 'container')]);
  });
  test('is believed only whole, and only beside that container', () => {
    const text = sealed(container.id, ALL);
    expect(unsealed(container.id, text)).toEqual(ALL);
    expect(unsealed('another', text)).toBeUndefined();
    expect(unsealed(container.id, undefined)).toBeUndefined();
    for (let at = 0; at < text.length; at += 1) {
      const flipped = `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
      if (unsealed(container.id, flipped) || unsealed(container.id, text.slice(0, at))) expect.fail(`${at}`);
    }
  });
  test('is written after commits that concern it, once for many, and never of one that does not run', () => {
    const model = modelOf(...ALL);
    const kept: string[] = [];
    const commit = (): void => {};
    const { store, close } = keepsakes(
      { commit } as unknown as Store, // nothing else is called
      model,
      { keep: (id) => void kept.push(id), kept: () => undefined },
      () => {},
    );
    store.commit([added(endpoint, 'endpoint')], false);
    store.commit([added(sandbox, 'sandbox'), added(network, 'network')], false);
    store.commit([added({ ...container, id: 'gone' } as never, 'container')], false);
    expect(kept).toEqual([]); // no client waits for it
    close();
    expect(kept).toEqual([container.id]);
    model.change(added({ ...container, sandboxId: null } as never, 'container'));
    store.commit([added(container, 'container')], false);
    close();
    expect(kept).toEqual([container.id]);
  });
});

test('A K5: it is written some time after, once, and believed', () => {
  vi.useFakeTimers();
  try {
    const kept: string[] = [];
    const { store, close } = keepsakes(
      { commit() {} } as unknown as Store, // nothing else is called
      modelOf(...ALL),
      { keep: (_, text) => void kept.push(text), kept: () => undefined },
      () => {},
    );
    for (const change of ALL) store.commit([change], false);
    expect(kept).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(kept.map((text) => unsealed(container.id, text))).toEqual([ALL]);
    vi.advanceTimersByTime(10_000);
    expect(kept).toHaveLength(1);
    close();
  } finally {
    vi.useRealTimers();
  }
});

test('A K5: at a start those are written that are not as they should be, and none at its end', () => {
  vi.useFakeTimers();
  try {
    let there: string | undefined = 'an older one';
    let written = 0;
    const aDaemon = () =>
      keepsakes(
        { commit() {} } as unknown as Store, // nothing else is called
        modelOf(...ALL),
        {
          keep(_, text) {
            there = text;
            written += 1;
          },
          kept: () => there,
        },
        () => {},
      );
    const short = aDaemon();
    short.all();
    short.close();
    expect(written).toBe(0);
    for (const _ of ['the first', 'the next']) {
      aDaemon().all();
      vi.advanceTimersByTime(1_000);
      expect([unsealed(container.id, there), written]).toEqual([ALL, 1]);
    }
  } finally {
    vi.useRealTimers();
  }
});

describe('A K5: taken back into a record that lacks it', () => {
  const ofOthers = (...changes: readonly Change[]) => fitting(modelOf(...changes), ALL);
  test('whole, but for networks that are known', () => {
    expect(ofOthers()).toEqual(ALL);
    expect(ofOthers(added({ ...network, labels: { newer: 'yes' } } as never, 'network'))).toEqual(
      ALL.slice(1),
    );
  });
  test('under another name where somebody has its own by now', () => {
    const changes = ofOthers(added({ ...container, id: 'c1' } as never, 'container'));
    const name = `web_${container.id.slice(0, 12)}`;
    expect(changes).toContainEqual(added({ ...container, name } as never, 'container'));
    const renamed = { ...endpoint, containerName: name, dnsNames: [name, 'pal'] };
    expect(changes).toContainEqual(added(renamed, 'endpoint'));
  });
  test('not where its network contradicts one that is there', () => {
    const named = added(aNetwork({ id: 'bb', name: 'net', pools: [] }), 'network');
    expect(() => ofOthers(named)).toThrow('another network net');
    const overlapping = added(aNetwork({ id: 'bb', name: 'other' }), 'network');
    expect(() => ofOthers(overlapping)).toThrow('172.18.0.0/16');
    expect(found(modelOf(overlapping), false, 7, text)).toEqual({ ids: [], committed: [] });
  });

  const found = (model: Model, behind: boolean, pid: number, text: string | undefined) => {
    const committed: Change[] = [];
    const ids = findLost({
      model,
      behind,
      ledger: {
        commit: (changes) => {
          for (const change of changes) model.change(change);
          committed.push(...changes);
        },
      },
      runtime: {
        strays: (known) => (known(container.id) ? [] : [{ id: container.id, pid }]),
        kept: () => text,
      },
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
    return { ids, committed };
  };
  const text = sealed(container.id, ALL);
  test('only what runs, and is whole', () => {
    expect(found(modelOf(), false, 0, text).ids).toEqual([]);
    expect(found(modelOf(), false, 7, `${text}x`).ids).toEqual([]);
    const model = modelOf();
    expect(found(model, false, 7, text)).toEqual({ ids: [container.id], committed: ALL });
    expect(model.endpointOnLink(endpoint.hostIfname)).toEqual(endpoint);
  });
  test('of one that is known to the record only where that is an old copy and says that it does not run', () => {
    const stopped = added({ ...container, sandboxId: null, endpointIds: [] } as never, 'container');
    expect(found(modelOf(stopped), false, 7, text).ids).toEqual([]);
    expect(found(modelOf(stopped), true, 7, text).ids).toEqual([container.id]);
    expect(found(modelOf(...ALL), true, 7, text).ids).toEqual([]);
  });
  test('of a stray that ends while it is looked at, the daemon starts all the same', () => {
    const warnings: string[] = [];
    const strays = settleStrays(
      {
        model: modelOf(),
        ledger: { commit() {} },
        runtime: { strays: () => [{ id: container.id, pid: 7 }], onExit() {} },
        kernel: {
          addressesOf: () => {
            throw new Error('it is gone');
          },
        },
        log: {
          debug() {},
          info() {},
          warn: (_: object, text: string) => void warnings.push(text),
          error() {},
        },
      } as unknown as Parameters<typeof settleStrays>[0], // nothing else is called
      () => {},
    );
    expect([...strays]).toEqual([[container.id, 7]]);
    expect(warnings).toEqual([expect.stringContaining('its addresses are not seen')]);
  });
  test('and told', () => {
    const damaged = { quarantined: { path: '/x.broken', damage: 'its first page' } };
    expect(lossWarnings(damaged, 2, new Map([[container.id, 7]]))).toEqual([
      'the record was set aside as /x.broken at the start: its first page',
      expect.stringContaining('2 containers ran on'),
      expect.stringContaining('kill 7'),
    ]);
    expect(lossWarnings({}, 0, new Map())).toEqual([]);
  });
});
