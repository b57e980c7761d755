/** What could not be repaired is tried again until it can be, and told once; what of ours nobody wants goes with it. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { derivedAhead } from '../../src/engine/commit/derive.js';
import { watchDrift } from '../../src/engine/commit/repair.js';
import type { Change } from '../../src/engine/commit/tables.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { commitInMemory } from '../support/commit.js';
import { aNetwork, anEndpoint, aSandbox } from '../support/views.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const network = aNetwork();
const sandbox = aSandbox();
const endpoint = anEndpoint({
  bindings: [{ protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 }],
});
const NETWORK: readonly Change[] = [{ table: 'network', id: network.id, value: network }];
const CONTAINER: readonly Change[] = [
  { table: 'sandbox', id: sandbox.id, value: sandbox },
  { table: 'endpoint', id: endpoint.id, value: endpoint },
];
const gone = (changes: readonly Change[]): readonly Change[] =>
  changes.map((change): Change => ({ ...change, value: null }));

/** All but sysctls, which never go. */
const there = ({ kernel }: ReturnType<typeof commitInMemory>): ReadonlySet<KernelObject> =>
  new Set(kernel.objects().filter(({ kind }) => kind !== 'sysctl'));

const STRAY_VETH: KernelObject = {
  kind: 'link',
  type: 'veth',
  ns: 'host',
  name: 'veth0123456789a',
  mtu: 1500,
  up: true,
  master: '',
  hairpin: false,
  isolated: false,
  peerNs: '',
  peerName: '',
  peerMac: '',
};

/** What is repaired is so some turns later. */
const turns = () => vi.advanceTimersByTimeAsync(0);

/** A running world, and the elements by which the container's port is published. */
const running = () => {
  const world = commitInMemory();
  const watch = watchDrift(world, { routesChanged() {}, suspended() {} });
  world.ledger.commit(NETWORK);
  const bare = there(world);
  world.ledger.commit(CONTAINER);
  const published = [...there(world)].filter(
    (o) => !bare.has(o) && o.kind === 'element' && o.set.startsWith('publish'),
  );
  return { ...world, watch, bare, published };
};

it('M4: a bridge of somebody else’s that is gone is asked for ever more rarely, told of once, and taken up when it is back', async () => {
  const world = commitInMemory();
  const { kernel } = world;
  world.model.change({ table: 'network', id: network.id, value: network });
  const parent: KernelObject = { kind: 'foreign', ns: 'host', name: 'lan', missing: 'no lan' };
  const link: KernelObject = { kind: 'link', type: 'dummy', ns: 'host', name: 'dm-1', mtu: 1500, up: true };
  let tries = 0;
  const derive = (): readonly KernelObject[] => {
    tries += 1;
    return [parent, link];
  };
  const { dirty, said } = commitInMemory(undefined, { ...world, derive });
  const watch = watchDrift({ ...world, derive, dirty }, { routesChanged() {}, suspended() {} });
  kernel.meddle('delete', link);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(dirty.list()).not.toEqual([]);
  expect(said).toHaveLength(dirty.list().length);
  expect(tries).toBeLessThan(100);
  kernel.meddle('create', parent);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(kernel.objects()).toContainEqual(link);
  expect(dirty.list()).toEqual([]);
  const before = tries;
  watch.close();
  dirty.close();
  kernel.meddle('delete', link);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(tries).toBe(before);
});

describe('what of ours no record wants', () => {
  it('goes when somebody made it: a veth, an element, each at once, with whatever was broken beside it', async () => {
    const world = running();
    const before = there(world);
    world.kernel.meddle('create', STRAY_VETH);
    await turns();
    expect(there(world)).toEqual(before);
    for (const element of world.published) {
      const stray = {
        ...element,
        key: ['9.9.9.9', ...('key' in element ? element.key.slice(1) : [])],
      } as KernelObject;
      world.kernel.meddle('create', stray);
      await turns();
      expect(there(world)).toEqual(before);
    }
    expect(world.published.length).toBeGreaterThan(0);
    expect(world.dirty.list()).toEqual([]);
  });

  it('stays while containers run that no record knows, for it may be theirs, and goes when they have ended', async () => {
    const world = running();
    const before = there(world);
    world.strays.run = true;
    world.kernel.meddle('create', STRAY_VETH);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(there(world).has(STRAY_VETH)).toBe(true);
    world.strays.run = false;
    world.dirty.restore(world.kernel.observe());
    expect(there(world)).toEqual(before);
  });

  it('is not what a container or the administrator has put on an interface of ours', async () => {
    const world = running();
    const theirs: KernelObject = {
      kind: 'address',
      ns: sandbox.netns,
      link: 'eth0',
      address: '10.99.0.1/24',
    };
    world.kernel.meddle('create', theirs);
    world.kernel.meddle('create', STRAY_VETH);
    await turns();
    expect(there(world).has(theirs)).toBe(true);
    expect(there(world).has(STRAY_VETH)).toBe(false);
  });
});

/** A start that is refused at its last opening, on a kernel that also refuses to take an element away. */
const refusedStart = (refusesToUndo: () => boolean) => {
  const world = commitInMemory();
  watchDrift(world, { routesChanged() {}, suspended() {} });
  world.ledger.commit(NETWORK);
  const bare = there(world);
  world.kernel.refuse(({ op, object }) =>
    op === 'delete' ? object.kind === 'element' && refusesToUndo() : object.kind === 'resolver',
  );
  expect(() => world.ledger.commit(CONTAINER)).toThrow('told to refuse');
  expect(world.model.endpoints.size + world.model.sandboxes.size).toBe(0);
  world.kernel.refuse(({ op, object }) => op === 'delete' && object.kind === 'element' && refusesToUndo());
  return { ...world, bare };
};

describe('dirty slices', () => {
  it('a kernel that refuses an inverse once: what is left goes at the next turn, and both are told', async () => {
    let refusals = 0;
    const world = refusedStart(() => {
      refusals += 1;
      return refusals === 1;
    });
    expect(there(world)).not.toEqual(world.bare);
    expect(world.dirty.list().map(({ owner }) => owner.name)).toEqual([
      'container 5a0000000000',
      'container web on network mynetwork',
    ]);
    await vi.advanceTimersByTimeAsync(1);
    expect(there(world)).toEqual(world.bare);
    expect(world.dirty.list()).toEqual([]);
    expect(world.said.filter((line) => line.endsWith('as the records want it again'))).toHaveLength(2);
  });

  it('a kernel that refuses for a minute: tried ever more rarely, told once, the rest is done meanwhile', async () => {
    const began = Date.now();
    let refusals = 0;
    const world = refusedStart(() => {
      refusals += 1;
      return Date.now() - began < 60_000;
    });
    const since = world.dirty.list().map((each) => each.since);
    await vi.advanceTimersByTimeAsync(1_000);
    const left = [...there(world)].filter((o) => !world.bare.has(o));
    expect(new Set(left.map(({ kind }) => kind))).toEqual(new Set(['element']));
    await vi.advanceTimersByTimeAsync(58_000);
    expect(world.dirty.list().map((each) => each.since)).toEqual(since);
    expect(world.dirty.list()[0]?.error).toContain('told to refuse');
    const during = refusals;
    await vi.advanceTimersByTimeAsync(11_000);
    expect(there(world)).toEqual(world.bare);
    expect(world.dirty.list()).toEqual([]);
    expect(during).toBeLessThan(500);
    const done = refusals;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(refusals).toBe(done);
  });

  it('what the next command wants meanwhile is there, and stays', async () => {
    const began = Date.now();
    const world = refusedStart(() => Date.now() - began < 60_000);
    world.ledger.commit(CONTAINER);
    const wanted = there(world);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(there(world)).toEqual(wanted);
    expect(world.dirty.list()).toEqual([]);
    world.ledger.commit(gone(CONTAINER));
    expect(there(world)).toEqual(world.bare);
  });

  it('a start that the kernel refuses in part leaves the rest as it should be, and goes on trying', async () => {
    const world = running();
    const before = there(world);
    world.watch.close();
    for (const o of before) if (o.kind === 'element' || o.kind === 'link') world.kernel.meddle('delete', o);
    const next = commitInMemory(undefined, world);
    const began = Date.now();
    world.kernel.refuse(
      ({ op, object }) => op === 'create' && object.kind === 'netns' && Date.now() - began < 5_000,
    );
    for (const o of world.kernel.objects()) if (o.kind === 'netns') world.kernel.meddle('delete', o);
    expect(next.dirty.restore(world.kernel.observe())).toBeGreaterThan(0);
    expect(next.dirty.list().length).toBeGreaterThan(0);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(next.dirty.list()).toEqual([]);
    expect(there(world).size).toBe(before.size);
  });
});

it('what a repair of everything would do is told, by whom it is for, and not done', async () => {
  const world = running();
  const { kernel, dirty, watch, published } = world;
  watch.close();
  expect(await dirty.outstanding()).toEqual([]);
  const [element] = published;
  if (!element) throw new Error('nothing is published');
  kernel.meddle('delete', element);
  kernel.meddle('create', STRAY_VETH);
  const now = there(world);
  expect(await dirty.outstanding()).toEqual([
    { op: 'delete', object: STRAY_VETH },
    { op: 'create', object: element, slice: { kind: 'endpoint', id: endpoint.id } },
  ]);
  expect(there(world)).toEqual(now);
});

it('I10: a repair reads the model as it is when it acts, however long it took to derive it', async () => {
  const world = running();
  const before = there(world);
  const [element] = world.published;
  if (!element) throw new Error('nothing is published');
  world.derived.length = 0;
  world.kernel.meddle('delete', element);
  // It derives now, and acts in a later turn: meanwhile the container ends.
  expect(world.derived.length).toBeGreaterThan(0);
  world.ledger.commit(gone(CONTAINER));
  await turns();
  expect(there(world)).toEqual(world.bare);
  world.ledger.commit(CONTAINER);
  await turns();
  expect(there(world).size).toBe(before.size);
  expect(world.dirty.list()).toEqual([]);
});

it('I10: of many containers the one that was meddled with is brought, and no other is touched', async () => {
  const world = commitInMemory();
  watchDrift(world, { routesChanged() {}, suspended() {} });
  world.ledger.commit(NETWORK);
  const containers = Array.from({ length: 20 }, (_, n): readonly Change[] => {
    const there = {
      ...sandbox,
      id: `5a${n}`.padStart(12, '0') as typeof sandbox.id,
      netns: `/run/netns/${n}`,
    };
    const value = {
      ...endpoint,
      id: `e${n}`.padStart(12, '0') as typeof endpoint.id,
      sandboxId: there.id,
      hostIfname: `veth${`${n}`.padStart(11, '0')}`,
      ipv4: `172.18.0.${n + 10}/16`,
      bindings: endpoint.bindings.map((binding) => ({ ...binding, hostPort: 8080 + n })),
    };
    return [
      { table: 'sandbox', id: there.id, value: there },
      { table: 'endpoint', id: value.id, value },
    ];
  });
  for (const container of containers) world.ledger.commit(container);
  const before = there(world);
  const applied = vi.spyOn(world.kernel, 'apply');
  const element = [...before].find((o) => o.kind === 'element' && o.set.startsWith('publish'));
  if (!element) throw new Error('nothing is published');
  expect(await world.dirty.outstanding()).toEqual([]);
  world.kernel.meddle('delete', element);
  expect(await world.dirty.outstanding()).toMatchObject([{ op: 'create', object: element }]);
  await turns();
  expect(there(world)).toEqual(before);
  expect(applied.mock.calls.map(([plan]) => plan.length)).toEqual([1]);
  expect(world.dirty.list()).toEqual([]);
});

it('I10: a large model is derived in slices, and none of them twice', async () => {
  vi.useRealTimers();
  const world = commitInMemory();
  const many = Array.from({ length: 200 }, (_, n) =>
    aNetwork({ id: `${n}`.padStart(64, '0') as typeof network.id }),
  );
  for (const value of many) world.model.change({ table: 'network', id: value.id, value });
  let [held, turning] = [0, 0];
  const slow = (...asked: Parameters<typeof world.derive>) => {
    const began = performance.now();
    while (performance.now() - began < 1);
    held += 1;
    return world.derive(...asked);
  };
  const timer = setInterval(() => {
    turning += 1;
  }, 1);
  const ahead = await derivedAhead(world.model, slow);
  clearInterval(timer);
  expect(turning).toBeGreaterThan(5);
  expect(held).toBe(201);
  for (const { id } of many) ahead(world.model, { kind: 'network', id });
  expect(held).toBe(201);
  const [first] = many;
  if (!first) throw new Error('none');
  world.model.change({ table: 'network', id: first.id, value: { ...first, name: 'renamed' } });
  ahead(world.model, { kind: 'network', id: first.id });
  expect(held).toBe(202);
});
