import { describe, expect, it, vi } from 'vitest';
import { allSlices } from '../../src/engine/commit/derive.js';
import { repair } from '../../src/engine/commit/repair.js';
import { type Change, drop, put as record } from '../../src/engine/commit/tables.js';
import { createNames } from '../../src/engine/containers/names.js';
import type { Network } from '../../src/model/network.js';
import { objectKey, sliceKey } from '../../src/plan/objects.js';
import type { Plan } from '../../src/plan/plan.js';
import { commitInMemory } from '../support/commit.js';
import { aNetwork, anEndpoint, anOverlay, aPeer, aSandbox } from '../support/views.js';

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
    const { ledger, kernel, records, model, derive } = commitInMemory();
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
      const { ledger, kernel, records, model } = commitInMemory();
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

  it('keeps what others have decided where the kernel refuses it, and tries again until it does not', async () => {
    const world = commitInMemory();
    const { ledger, kernel, model, records, derive } = world;
    ledger.accept([put(network)]);
    kernel.failAt(3);
    ledger.accept(container);
    expect(model.endpoints.size + model.sandboxes.size).toBe(2);
    expect(records.size).toBe(3);
    const wanted = allSlices(model).flatMap((slice) => derive(model, slice));
    await vi.waitFor(() => {
      expect(new Set(kernel.objects().map(objectKey))).toEqual(new Set(wanted.map(objectKey)));
    });
    expect(world.dirty.list()).toEqual([]);
    world.dirty.close();
  });

  it('takes away what others have taken away, also beside what is dirty', () => {
    const world = commitInMemory();
    const [overlay, peer] = [anOverlay(), aPeer()];
    const own = { id: 'node1', name: 'one', address: '192.0.2.2', own: true };
    world.ledger.accept([
      record('network', overlay),
      record('vtep', own),
      ...container.filter(({ table }) => table === 'sandbox'),
      record('endpoint', { ...endpoint, networkId: overlay.id }),
      record('peer', peer),
    ]);
    const entries = () => world.kernel.objects().filter(({ kind }) => kind === 'fdb' || kind === 'neighbour');
    expect(entries().length).toBeGreaterThan(0);
    const other = { ...own, id: 'node9', address: '192.0.2.9', own: false };
    const slice = { kind: 'vtep', id: other.id } as const;
    world.dirty.mark([{ op: 'create', object: { kind: 'netns', path: '/none' }, slice }], 'a port is taken');
    world.ledger.accept([drop('peer', peer.id), record('vtep', other)]);
    expect(entries()).toEqual([]);
    world.dirty.close();
  });

  it('keeps with each step whose record wants it, or wanted it', () => {
    const { ledger } = commitInMemory();
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
    const { ledger, kernel, records, model } = commitInMemory();
    expect(ledger.preview([put(network)]).length).toBeGreaterThan(0);
    expect(without(kernel.objects().map(objectKey))).toEqual([]);
    expect(records.size + model.networks.size).toBe(0);
  });

  it('waits for the disk for what the user asked, not for what a reboot ends', () => {
    const { ledger, waited } = commitInMemory();
    ledger.commit([put(network)]);
    ledger.commit(container);
    expect(waited).toEqual([true, false]);
  });
});

describe('repair (O4)', () => {
  it('rebuilds a bridge that somebody deleted, and leaves what is not ours', async () => {
    const world = commitInMemory();
    const { ledger, kernel } = world;
    ledger.commit([put(network)]);
    ledger.commit(container);
    const bridge = kernel.objects().find((o) => o.kind === 'link' && o.type === 'bridge');
    if (bridge?.kind !== 'link') throw new Error('no bridge');
    kernel.meddle('delete', bridge);
    const drift = [{ kind: 'link', ns: 'host', name: bridge.name } as const];
    expect(await repair(world, drift)).toBeGreaterThan(0);
    expect(kernel.present(bridge)).toBe(true);
    expect(await repair(world, drift)).toBe(0);
    expect(await repair(world, [{ kind: 'link', ns: 'host', name: 'somebodys0' }])).toBe(0);
  });
});

describe('names (E4, E6)', () => {
  it('finds a name, its qualified form and its address, on networks of the sandbox alone', () => {
    const { ledger, model } = commitInMemory();
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
