/** What was chosen is nobody else's while plugins are asked about it, and free again when the asking has ended. */
import { describe, expect, it } from 'vitest';
import { idFor } from '../../src/engine/decision.js';
import { decideCreation } from '../../src/engine/networks/decide.js';
import { design, naming } from '../../src/engine/networks/design.js';
import { type Asking, asking } from '../../src/engine/plugins/asking.js';
import type { OwedCall } from '../../src/model/owed.js';
import { aRequest, createWorld, freshOf } from '../support/deciding.js';

const CALL: OwedCall = { plugin: 'plug', method: 'NetworkDriver.DeleteNetwork', body: {} };

/** A network `mine` that a plugin is being asked about, until `answer` is called. */
const begun = () => {
  const world = createWorld();
  const { model, ledger, view } = world;
  const told: string[] = [];
  const debts = {
    note: (owed: { id: string; calls: readonly OwedCall[] }) => void told.push(`note ${owed.calls.length}`),
    answered: (id: string) => void told.push(`answered ${id.slice(-1)}`),
    settle: async (id: string) => void told.push(`settle ${id.slice(-1)}`),
  };
  const network = design(view, naming(view, freshOf(1), aRequest('mine')));
  let answer: (error?: Error) => void = () => {};
  const answered = new Promise<void>((resolve, reject) => {
    answer = (error) => (error ? reject(error) : resolve());
  });
  const { id } = network;
  const work = async ({ owe, claim }: Asking): Promise<void> => {
    claim({ name: 'mine', subnets: network.pools.map((pool) => pool.subnet) });
    owe(CALL);
    owe(CALL);
    await answered;
    ledger.commit(decideCreation(view, network).changes);
  };
  const made = asking({ model, ledger, debts: debts as never }, { id, networkId: id, of: 'network' }, work); // all of debts that it uses
  const another = (name: string) => design(view, naming(view, freshOf(2), aRequest(name)));
  return { ...world, network, made, another, told, answer: (error?: Error) => answer(error) };
};

describe('while a plugin is asked about a network', () => {
  it('its name and subnets are nobody else’s, and nothing of that is on the disk', async () => {
    const { network, another, records, answer, made, model } = begun();
    expect(() => another('mine')).toThrow('network with name mine already exists');
    expect(another('other').pools[0]?.subnet).not.toBe(network.pools[0]?.subnet);
    expect(records.size).toBe(0);
    answer();
    await made;
    expect(model.tables.claim.records.size).toBe(0);
    expect(model.networks.get(network.id)).toBe(network);
    expect(() => another('mine')).toThrow('network with name mine already exists');
  });

  it('and where it refuses, what it is owed is paid and all is free again', async () => {
    const { network, another, answer, made, told, model } = begun();
    answer(new Error('no'));
    await expect(made).rejects.toThrow('no');
    expect(told).toEqual(['note 1', 'note 2', 'answered 1', 'settle 1']);
    expect(model.tables.claim.records.size).toBe(0);
    expect(another('mine').pools).toEqual(network.pools);
  });

  it('an address that is claimed on whichever network is given on none', () => {
    const { ledger, model, another } = begun();
    const made = another('other');
    ledger.commit([{ table: 'network', id: made.id, value: made }]);
    const [pool] = made.pools;
    if (!pool) throw new Error('no pool');
    const next = () => model.addressesOn(made).free(pool, undefined, model.taken.anywhere);
    const address = next();
    ledger.commit([
      { table: 'claim', id: 'stray', value: { id: 'stray', addresses: [{ networkId: '', address }] } },
    ]);
    expect(next()).not.toBe(address);
    ledger.commit([{ table: 'claim', id: 'stray', value: null }]);
    expect(next()).toBe(address);
  });
});

it('ids that come of one are apart, and the same each time', () => {
  expect(idFor(freshOf(1), 'a')).toBe(idFor(freshOf(1), 'a'));
  expect(new Set([1, 2].flatMap((n) => [idFor(freshOf(n), 'a'), idFor(freshOf(n), 'b')])).size).toBe(4);
});
