import { describe, expect, it } from 'vitest';
import { DRIVERS } from '../../src/drivers/index.js';
import { allSlices, createDerive } from '../../src/engine/commit/derive.js';
import { Ledger } from '../../src/engine/commit/ledger.js';
import { Model } from '../../src/engine/commit/model.js';
import { repair } from '../../src/engine/commit/repair.js';
import type { Change } from '../../src/engine/commit/tables.js';
import { createNames } from '../../src/engine/containers/names.js';
import type { Network } from '../../src/model/network.js';
import { build } from '../../src/plan/diff.js';
import { HOST_SLICE, objectKey, sliceKey } from '../../src/plan/objects.js';
import type { Plan } from '../../src/plan/plan.js';
import type { Store, StoredChange } from '../../src/store/store.js';
import { createFakeKernel } from '../support/fake-kernel.js';
import { aNetwork, anEndpoint, aSandbox, HOST } from '../support/views.js';

/** A disk that remembers, and what it was asked to wait for. */
const memoryStore = () => {
  const records = new Map<string, StoredChange>();
  const waited: boolean[] = [];
  const store: Store = {
    load: () => records.values(),
    commit(changes, durable) {
      waited.push(durable);
      for (const c of changes)
        if (c.value === null) records.delete(`${c.table}/${c.id}`);
        else records.set(`${c.table}/${c.id}`, c);
    },
    written: () => undefined,
    setting: (_key, fresh) => fresh(),
    close: async () => {},
  };
  return { store, records, waited };
};

const engine = () => {
  const model = new Model();
  const kernel = createFakeKernel();
  const disk = memoryStore();
  const derive = createDerive({ host: HOST, drivers: DRIVERS, daemon: [] });
  const ledger = new Ledger({ model, store: disk.store, kernel, derive });
  // As a daemon's start does: the host's own slice is there before any command.
  kernel.apply(build(derive(model, HOST_SLICE)));
  ledger.follow();
  return { model, kernel, derive, ledger, ...disk };
};

const network = aNetwork();
const put = (value: Network): Change => ({ table: 'network', id: value.id, value });
const sandbox = aSandbox();
const endpoint = anEndpoint();
const container: readonly Change[] = [
  { table: 'sandbox', id: sandbox.id, value: sandbox },
  { table: 'endpoint', id: endpoint.id, value: endpoint },
];
const gone = (changes: readonly Change[]): Change[] =>
  changes.map(({ table, id }) => ({ table, id, value: null }));

/** Sysctls cannot be absent: what was written stays written. */
const without = (keys: readonly string[]): readonly string[] => keys.filter((k) => !k.startsWith('sysctl'));

describe('the ledger', () => {
  it('makes records, disk and kernel agree, and takes everything away again', () => {
    const { ledger, kernel, records, model, derive } = engine();
    ledger.commit([put(network)]);
    const bare = without(kernel.objects().map(objectKey)).length;
    ledger.commit(container);
    const wanted = allSlices(model).flatMap((slice) => derive(model, slice));
    expect(new Set(kernel.objects().map(objectKey))).toEqual(new Set(wanted.map(objectKey)));
    expect(records.size).toBe(3);
    ledger.commit(gone(container));
    expect(without(kernel.objects().map(objectKey))).toHaveLength(bare);
    ledger.commit(gone([put(network)]));
    expect(without(kernel.objects().map(objectKey))).toEqual([]);
    expect(records.size).toBe(0);
  });

  it('takes records and disk back when the kernel refuses any step', () => {
    for (let step = 1; ; step += 1) {
      const { ledger, kernel, records, model } = engine();
      ledger.commit([put(network)]);
      const before = without(kernel.objects().map(objectKey));
      kernel.failAt(step);
      let refused = false;
      try {
        ledger.commit(container);
      } catch {
        refused = true;
      }
      if (!refused) {
        expect(step).toBeGreaterThan(5);
        return;
      }
      expect(without(kernel.objects().map(objectKey))).toEqual(before);
      expect(records.size).toBe(1);
      expect(model.endpoints.size + model.sandboxes.size).toBe(0);
    }
  });

  it('keeps with each step whose record wants it, or wanted it', () => {
    const { ledger } = engine();
    const owners = (plan: Plan): ReadonlySet<string> =>
      new Set(plan.map(({ slice }) => (slice ? sliceKey(slice) : 'nobody')));
    expect(owners(ledger.preview([put(network)]))).toEqual(new Set([`network ${network.id}`]));
    ledger.commit([put(network)]);
    const own = new Set([`sandbox ${sandbox.id}`, `endpoint ${endpoint.id}`]);
    expect(owners(ledger.preview(container))).toEqual(own);
    ledger.commit(container);
    expect(owners(ledger.preview(gone(container)))).toEqual(own);
  });

  it('previews a plan and changes nothing', () => {
    const { ledger, kernel, records, model } = engine();
    expect(ledger.preview([put(network)]).length).toBeGreaterThan(0);
    expect(without(kernel.objects().map(objectKey))).toEqual([]);
    expect(records.size + model.networks.size).toBe(0);
  });

  it('waits for the disk for what the user asked, not for what a reboot ends', () => {
    const { ledger, waited } = engine();
    ledger.commit([put(network)]);
    ledger.commit(container);
    expect(waited).toEqual([true, false]);
  });
});

describe('repair (O4)', () => {
  it('rebuilds a bridge that somebody deleted, and leaves what is not ours', () => {
    const { ledger, kernel, model, derive } = engine();
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    ledger.commit([put(network)]);
    ledger.commit(container);
    const bridge = kernel.objects().find((o) => o.kind === 'link' && o.type === 'bridge');
    if (bridge?.kind !== 'link') throw new Error('no bridge');
    kernel.meddle('delete', bridge);
    const drift = [{ kind: 'link', ns: 'host', name: bridge.name } as const];
    expect(repair({ kernel, model, derive, log }, drift)).toBeGreaterThan(0);
    expect(kernel.present(bridge)).toBe(true);
    expect(repair({ kernel, model, derive, log }, drift)).toBe(0);
    expect(repair({ kernel, model, derive, log }, [{ kind: 'link', ns: 'host', name: 'somebodys0' }])).toBe(
      0,
    );
  });
});

describe('names (E4, E6)', () => {
  it('finds a name, its qualified form and its address, on networks of the sandbox alone', () => {
    const { ledger, model } = engine();
    ledger.commit([put(network)]);
    ledger.commit(container);
    const names = createNames(model);
    const [name = ''] = endpoint.dnsNames;
    const address = (endpoint.ipv4 ?? '').split('/')[0] ?? '';
    expect(names.resolve(sandbox.id, name)?.ipv4).toEqual([address]);
    expect(names.resolve(sandbox.id, `${name}.${network.name}`)?.ipv4).toEqual([address]);
    expect(names.resolve(sandbox.id, `${name}.elsewhere`)).toBeUndefined();
    expect(names.reverse(sandbox.id, address)).toBe(`${endpoint.containerName}.${network.name}`);
    expect(names.resolve('another sandbox', name)).toBeUndefined();
  });
});
