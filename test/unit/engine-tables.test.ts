/** Tables are rows: what the commit does with a record follows from its row alone, also of a table that a test makes up. */
import { describe, expect, it } from 'vitest';
import { DRIVERS } from '../../src/drivers/index.js';
import { allSlices, createDerive } from '../../src/engine/commit/derive.js';
import { Model } from '../../src/engine/commit/model.js';
import { Table } from '../../src/engine/commit/table.js';
import { type Change, isKnown, put, type Rows, row, TABLES } from '../../src/engine/commit/tables.js';
import { distinctSlices, HOST_SLICE } from '../../src/plan/objects.js';
import { commitInMemory } from '../support/commit.js';
import { aNetwork, anEndpoint, anOverlay, aPeer, aSandbox, HOST } from '../support/views.js';

interface Far {
  readonly networkId: string;
  readonly address: string;
}

const far = row<Far>()({
  source: 'cluster',
  outlivesReboot: () => true,
  indices: { network: ({ networkId }) => [networkId] },
  touches: (_id, before, after) =>
    [before, after].flatMap((p) => (p ? [{ kind: 'network', id: p.networkId } as const] : [])),
});

it('a table of the cluster’s is one row: found, taken back, its slices asked for, and never written to our store', () => {
  const { model, ledger, records, derived } = commitInMemory({ ...TABLES, far } as Rows);
  const peers = (model.tables as unknown as { far: Table<Far, 'network'> }).far;
  const network = aNetwork();
  const value: Far = { networkId: network.id, address: '192.0.2.1' };
  const change = { table: 'far', id: 'p1', value } as unknown as Change; // of `rows`
  derived.length = 0;
  ledger.commit([change]);
  const slice = { kind: 'network', id: network.id };
  expect(derived).toEqual([slice, slice]);
  expect(peers.all('network', network.id)).toEqual([value]);
  ledger.commit([{ table: 'network', id: network.id, value: network }]);
  expect([...records.values()].map(({ table }) => table)).toEqual(['network']);
  ledger.preview([{ ...change, value: null } as Change]);
  expect(peers.first('network', network.id)).toBe(value);
});

it('records of a table that this version does not know are nobody’s', () => {
  expect(isKnown({ table: 'network', id: 'n', value: null })).toBe(true);
  for (const table of ['far', 'toString', 'setting'])
    expect(isKnown({ table, id: 'x', value: {} })).toBe(false);
});

it('an index follows its records, and a changed one keeps its place', () => {
  const table = new Table<{ readonly names: readonly string[] }, 'name'>({ name: ({ names }) => names });
  table.set('1', { names: ['a', 'b'] });
  table.set('2', { names: ['a'] });
  expect(table.set('1', { names: ['a', 'c'] })).toEqual({ names: ['a', 'b'] });
  expect(table.all('name', 'a')).toEqual([{ names: ['a', 'c'] }, { names: ['a'] }]);
  expect(table.all('name', 'b')).toEqual([]);
  expect(table.first('name', 'c')).toBe(table.records.get('1'));
  table.set('1', null);
  expect(table.first('name', 'a')).toEqual({ names: ['a'] });
  expect(table.first('name', 'c')).toBeUndefined();
});

it('two networks of one name in one commit: whichever goes, the other is found by it', () => {
  const model = new Model();
  const [old, fresh] = [aNetwork({ id: 'a0' }), aNetwork({ id: 'b0' })];
  model.change({ table: 'network', id: old.id, value: old });
  model.change({ table: 'network', id: fresh.id, value: fresh });
  model.change({ table: 'network', id: old.id, value: null });
  expect(model.networkNamed(old.name)).toBe(fresh);
});

it('what another host has on a network is a slice of its own, with names and addresses that are taken', () => {
  const model = new Model();
  const [network, peer] = [anOverlay(), aPeer()];
  model.change({ table: 'network', id: network.id, value: network });
  model.change({ table: 'peer', id: peer.id, value: peer });
  const slices = allSlices(model);
  expect(slices).toEqual([HOST_SLICE, { kind: 'network', id: network.id }, { kind: 'peer', id: peer.id }]);
  expect(distinctSlices([...slices, ...structuredClone(slices)])).toEqual(slices);
  expect(model.endpointsNamed(network.id, 'STORE')).toEqual(peer.endpoints);
  expect(model.endpointsNamed(network.id, 'nobody')).toEqual([]);
  expect(model.endpointAt(network.id, '172.18.0.9')).toBe(peer.endpoints[0]);
  expect(model.addressesOn(network).has('172.18.0.9')).toBe(true);
  model.change({ table: 'peer', id: peer.id, value: null });
  expect(model.addressesOn(network).has('172.18.0.9')).toBe(false);
});

describe('a network that spans hosts', () => {
  const own = { id: 'node1', name: 'one', address: '192.0.2.2', own: true };
  const records = (...changes: readonly Change[]): Model => {
    const model = new Model();
    for (const change of changes) model.change(change);
    return model;
  };
  const derive = createDerive({ host: HOST, drivers: DRIVERS, daemon: [] });
  const [network, peer, endpoint] = [anOverlay(), aPeer(), anEndpoint()];
  const all = [put('network', network), put('peer', peer), put('vtep', own), put('sandbox', aSandbox())];

  it('is nothing in the kernel of a host without a container on it, but for the guard', () => {
    const model = records(...all);
    expect(derive(model, { kind: 'network', id: network.id })).toEqual([]);
    expect(derive(model, { kind: 'peer', id: peer.id })).toEqual([]);
  });

  it('comes with the first container, what other hosts have too', () => {
    const model = records(...all, put('endpoint', endpoint));
    const links = derive(model, { kind: 'network', id: network.id }).flatMap((o) =>
      o.kind === 'link' ? [o.type] : [],
    );
    expect(links).toEqual(['bridge', 'vxlan']);
    expect(derive(model, { kind: 'peer', id: peer.id }).map(({ kind }) => kind)).toEqual([
      'fdb',
      'neighbour',
    ]);
    const before = records(...all);
    const touched = TABLES.endpoint.touches(endpoint.id, null, endpoint, before);
    expect(touched).toContainEqual({ kind: 'peer', id: peer.id });
    const second = anEndpoint({ id: 'e1' });
    expect(TABLES.endpoint.touches(second.id, null, second, model)).toEqual([
      { kind: 'endpoint', id: second.id },
      { kind: 'sandbox', id: second.sandboxId },
    ]);
  });

  it('touches nothing but the container where it does not span hosts', () => {
    const local = aNetwork();
    const model = records(put('network', local));
    expect(TABLES.endpoint.touches(endpoint.id, null, endpoint, model)).toEqual([
      { kind: 'endpoint', id: endpoint.id },
      { kind: 'sandbox', id: endpoint.sandboxId },
    ]);
    expect(TABLES.endpoint.touches(endpoint.id, endpoint, endpoint, model)).toEqual([
      { kind: 'endpoint', id: endpoint.id },
    ]);
  });

  it('another address of this host makes everything anew', () => {
    const model = records(...all, put('endpoint', endpoint));
    expect(TABLES.vtep.touches(own.id, own, { ...own, address: '192.0.2.9' }, model)).toEqual([
      HOST_SLICE,
      { kind: 'vtep', id: own.id },
      { kind: 'network', id: network.id },
      { kind: 'peer', id: peer.id },
    ]);
  });
});
