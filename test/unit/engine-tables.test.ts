/** Tables are rows: what the commit does with a record follows from its row alone, also of a table that a test makes up. */

import { expect, it } from 'vitest';
import { DRIVERS } from '../../src/drivers/index.js';
import { allSlices, createDerive } from '../../src/engine/commit/derive.js';
import { Model } from '../../src/engine/commit/model.js';
import { Table } from '../../src/engine/commit/table.js';
import { type Change, isKnown, knownOf, type Rows, row, TABLES } from '../../src/engine/commit/tables.js';
import { distinctSlices, HOST_SLICE } from '../../src/plan/objects.js';
import { commitInMemory } from '../support/commit.js';
import { aNetwork, anEndpoint, HOST } from '../support/views.js';

interface Peer {
  readonly networkId: string;
  readonly address: string;
}

const peer = row<Peer>()({
  source: 'cluster',
  outlivesReboot: () => true,
  indices: { network: ({ networkId }) => [networkId] },
  touches: (_id, before, after) =>
    [before, after].flatMap((p) => (p ? [{ kind: 'network', id: p.networkId } as const] : [])),
});

it('a table of the cluster’s is one row: found, taken back, its slices asked for, and never written to our store', () => {
  const { model, ledger, records, derived } = commitInMemory({ ...TABLES, peer } as Rows);
  const peers = (model.tables as unknown as { peer: Table<Peer, 'network'> }).peer;
  const network = aNetwork();
  const value: Peer = { networkId: network.id, address: '192.0.2.1' };
  const change = { table: 'peer', id: 'p1', value } as unknown as Change; // of `rows`
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
  for (const table of ['peer', 'toString', 'setting'])
    expect(isKnown({ table, id: 'x', value: {} })).toBe(false);
});

it('what an earlier version called otherwise is read by today’s name', () => {
  const [change] = knownOf([{ table: 'endpoint', id: 'e', value: { id: 'e', remote: { external: true } } }]);
  expect(change?.value).toEqual({ id: 'e', plugin: { external: true } });
  expect(knownOf([{ table: 'endpoint', id: 'e', value: null }])[0]?.value).toBeNull();
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

it('an endpoint of another host’s has nothing in this kernel, and its slice is one among the others', () => {
  const model = new Model();
  const network = aNetwork();
  const endpoint = anEndpoint({ sandboxId: null });
  model.change({ table: 'network', id: network.id, value: network });
  model.change({ table: 'endpoint', id: endpoint.id, value: endpoint });
  const slices = allSlices(model);
  expect(slices).toEqual([
    HOST_SLICE,
    { kind: 'network', id: network.id },
    { kind: 'endpoint', id: endpoint.id },
  ]);
  expect(distinctSlices([...slices, ...structuredClone(slices)])).toEqual(slices);
  const derive = createDerive({ host: HOST, drivers: DRIVERS, daemon: [] });
  expect(derive(model, { kind: 'endpoint', id: endpoint.id })).toEqual([]);
  expect(model.endpointsOfNetwork(network.id)).toEqual([endpoint]);
});
