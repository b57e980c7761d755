/** Services on networks: records that the cluster brings, and what the containers of this host make of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { NO_CHANGE } from '../../src/engine/cluster.js';
import { allSlices } from '../../src/engine/commit/derive.js';
import { put } from '../../src/engine/commit/tables.js';
import { createNames } from '../../src/engine/containers/names.js';
import { loadModel, Model } from '../../src/engine/index.js';
import { decideFollowing } from '../../src/engine/networks/follow.js';
import type { Balancer } from '../../src/model/balancer.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { openStore } from '../../src/store/store.js';
import { commitInMemory } from '../support/commit.js';
import { aBalancer, aNetwork, anEndpoint, anOverlay, aSandbox } from '../support/views.js';

const [network, sandbox, endpoint] = [anOverlay(), aSandbox(), anEndpoint()];
const other = aNetwork({ id: 'b0', name: 'other' });

const world = () => {
  const made = commitInMemory();
  made.ledger.commit([put('network', network), put('network', other)]);
  made.ledger.commit([put('sandbox', sandbox), put('endpoint', endpoint)]);
  return made;
};
type World = ReturnType<typeof world>;

const following = ({ model, ledger }: World, balancer: Balancer | null, id = aBalancer([]).id): void =>
  ledger.commit(decideFollowing({ model }, { ...NO_CHANGE, balancers: new Map([[id, balancer]]) }).changes);

const there = ({ kernel }: World): readonly KernelObject[] =>
  kernel.objects().filter(({ kind }) => kind === 'services');
const ips = (...numbers: readonly number[]): readonly string[] => numbers.map((n) => `172.18.1.${n}`);

describe('S6 a service on a network of a container', () => {
  it('is reached from there, with its backends in slots that little moves in', () => {
    const w = world();
    following(w, aBalancer([5, 6, 7]));
    const object = (backends: readonly string[], leaving: readonly string[] = []) => ({
      kind: 'services',
      ns: sandbox.netns,
      services: [{ address: '172.18.1.1', backends, leaving }],
    });
    expect(there(w)).toEqual([object(ips(5, 6, 7))]);
    following(w, aBalancer([6, 7, 8], { leaving: ips(5) }));
    expect(there(w)).toEqual([object(ips(8, 6, 7), ips(5))]);
    const told = w.ledger.preview(
      decideFollowing(w, {
        ...NO_CHANGE,
        balancers: new Map([[aBalancer([]).id, aBalancer([8, 7, 6], { leaving: ips(5) })]]),
      }).changes,
    );
    expect(told).toEqual([]);
    following(w, null);
    expect(there(w)).toEqual([]);
  });

  it('costs nothing where it has no address, and none of its network’s containers is here', () => {
    const w = world();
    const { vip4: _, ...rest } = aBalancer([5]);
    following(w, rest);
    following(w, aBalancer([5], { id: 'x', networkId: other.id }), 'x');
    expect(there(w)).toEqual([]);
  });

  it('comes with a network that is connected, and goes with it', () => {
    const w = world();
    following(w, aBalancer([5], { id: 'x', networkId: other.id }), 'x');
    const second = anEndpoint({
      id: 'e1',
      ifname: 'eth1',
      networkId: other.id,
      mac: '02:42:ac:12:00:03',
      ipv4: '172.18.0.3/16',
    });
    w.ledger.commit([put('endpoint', second)]);
    expect(there(w)).toMatchObject([{ services: [{ address: '172.18.1.1', backends: ips(5) }] }]);
    w.ledger.commit([{ table: 'endpoint', id: second.id, value: null }]);
    expect(there(w)).toEqual([]);
  });

  it('goes with its network, and its address is nobody else’s until then', () => {
    const w = commitInMemory();
    w.ledger.commit([put('network', network)]);
    following(w, aBalancer([5]));
    expect(w.model.addressesOn(network).has('172.18.1.1')).toBe(true);
    const gone = { ...NO_CHANGE, networks: new Map([[network.id, null]]) };
    w.ledger.commit(decideFollowing(w, gone).changes);
    expect(w.model.tables.balancer.records.size).toBe(0);
  });
});

describe('S6 a daemon that starts while no manager is there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-services-'));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('has the services as they were, each backend in its place', async () => {
    const places = { dataRoot: join(folder, 'data'), execRoot: join(folder, 'exec') };
    const first = await openStore(places);
    const balancer = aBalancer([7, 5, 6]);
    const records = [
      put('network', network),
      put('sandbox', sandbox),
      put('endpoint', endpoint),
      put('balancer', balancer),
    ];
    first.store.commit(records, true);
    await first.store.close();
    const second = await openStore(places);
    const model = new Model();
    loadModel(model, second.store);
    await second.store.close();
    expect([...model.tables.balancer.records.values()]).toEqual([balancer]);
    const w = commitInMemory(undefined, { model });
    expect(allSlices(model).flatMap((slice) => w.derive(model, slice))).toContainEqual(
      expect.objectContaining({
        kind: 'services',
        services: [expect.objectContaining({ backends: ips(7, 5, 6) })],
      }),
    );
    expect(createNames(model).resolve(sandbox.id, 'shop')?.ipv4).toEqual(ips(1));
  });
});

describe('S6 names', () => {
  const asked = (balancer: Balancer, name: string) => {
    const w = world();
    following(w, balancer, balancer.id);
    return createNames(w.model).resolve(sandbox.id, name);
  };
  it.each(['shop', 'store', `shop.${network.name}`])('%s is the service’s address', (name) => {
    expect(asked(aBalancer([5, 6]), name)).toEqual({ ipv4: ips(1), ipv6: [] });
    expect(asked(aBalancer([5], { vip6: 'fd00::1' }), name)).toEqual({ ipv4: ips(1), ipv6: ['fd00::1'] });
  });
  it.each(['tasks.shop', 'tasks.store', `tasks.shop.${network.name}`])(
    '%s is each of its tasks, for a while',
    (name) => {
      expect(asked(aBalancer([5, 6]), name)).toEqual({ ipv4: ips(5, 6), ipv6: [], ttl: 5 });
    },
  );
  it('without an address of its own it is its tasks, also while there are none', () => {
    const { vip4: _, ...rest } = aBalancer([5, 6]);
    expect(asked(rest, 'shop')).toEqual({ ipv4: ips(5, 6), ipv6: [], ttl: 5 });
    expect(asked({ ...rest, backends: [] }, 'shop')).toEqual({ ipv4: [], ipv6: [], ttl: 5 });
  });
  it('is known on its own network alone, and gives way to a container', () => {
    expect(asked(aBalancer([5], { networkId: other.id }), 'shop')).toBeUndefined();
    expect(asked(aBalancer([5], { names: ['web'] }), 'web')?.ipv4).toEqual(['172.18.0.2']);
    expect(asked(aBalancer([5]), 'nobody')).toBeUndefined();
  });
  it('several services under one alias are all of them', () => {
    const w = world();
    const second = aBalancer([8], { id: 'x', serviceId: 'x', names: ['cart', 'store'], vip4: '172.18.1.2' });
    following(w, aBalancer([5]));
    following(w, second, 'x');
    expect(createNames(w.model).resolve(sandbox.id, 'store')?.ipv4).toEqual(ips(1, 2));
    expect(createNames(w.model).resolve(sandbox.id, 'tasks.store')?.ipv4).toEqual(ips(5, 8));
  });
  it('an address answers the service’s name', () => {
    const w = world();
    following(w, aBalancer([5]));
    expect(createNames(w.model).reverse(sandbox.id, '172.18.1.1')).toBe(`Shop.${network.name}`);
    expect(createNames(w.model).reverse(sandbox.id, '172.18.1.2')).toBeUndefined();
  });
});
