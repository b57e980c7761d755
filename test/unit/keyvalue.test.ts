/** A cluster without swarm, on an etcd in memory: what one host does the others know, and nothing is given twice. */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { EtcdFailure } from '../../src/cluster/etcd/contract.js';
import { KeyValue } from '../../src/cluster/keyvalue/cluster.js';
import { toldOf } from '../../src/engine/attach/ask-cluster.js';
import { type ClusterChange, type ClusterSide, clusterCalls } from '../../src/engine/cluster.js';
import { createClusterSide } from '../../src/engine/cluster-side.js';
import { drop, put } from '../../src/engine/commit/tables.js';
import { createEvents } from '../../src/engine/events.js';
import { Locks } from '../../src/engine/locks.js';
import { evictRemote } from '../../src/engine/networks/in-cluster.js';
import { createNetworkCommands } from '../../src/engine/networks/index.js';
import { Debts } from '../../src/engine/plugins/debts.js';
import { owedForEndpoint } from '../../src/engine/plugins/owed-calls.js';
import type { Network } from '../../src/model/network.js';
import { createWorld } from '../support/deciding.js';
import { createFakeEtcd, type FakeEtcd } from '../support/fake-etcd.js';
import { anEndpoint, aSandbox } from '../support/views.js';

const SETTINGS = { store: 'etcd://192.0.2.9/net', path: 'net', heartbeat: 20, ttl: 60 };
const AWAY: EtcdFailure = { kind: 'unavailable', sent: false };
const LOST: EtcdFailure = { kind: 'unavailable', sent: true };
const REQUEST = {
  driver: 'overlay',
  scope: '',
  internal: false,
  attachable: false,
  ingress: false,
  configOnly: false,
  configFrom: '',
  options: {},
  labels: {},
  ipam: { driver: '', options: null, config: [] },
};

/** Nothing is attached by it here. */
const ATTACHING = { connect: undefined as never, disconnect: undefined as never };

let open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open) await each.close();
  open = [];
});

/** Of a host by its number. */
const tunnelOf = (number: number) => ({ key: Buffer.alloc(32, number).toString('base64'), port: 51_820 });

/** A daemon as far as networks go; `world`: of a former one, that was killed. */
const startHost = (etcd: FakeEtcd, number: number, world = createWorld(), mtu = 1500) => {
  const { model, ledger, view, kernel } = world;
  const gate: { failure: EtcdFailure | undefined; only: string } = { failure: undefined, only: '' };
  const said: string[] = [];
  const say = (_: object, text: string): void => void said.push(text);
  const log = { debug() {}, info() {}, warn: say, error: say };
  const id = `node${number}`;
  const cluster = new KeyValue(SETTINGS, {
    etcd: etcd.connect((operation) =>
      gate.only === '' || gate.only === operation ? gate.failure : undefined,
    ),
    self: { id, name: `host${number}`, address: `192.0.2.${number}`, tunnel: tunnelOf(number) },
    wire: () => ({ mtu, family: 4 }),
    log,
  });
  const debts = new Debts({ model, ledger, plugins: { tell: (call) => cluster.store.tell(call) }, log });
  const parts = {
    ...view,
    kernel,
    seed: id,
    ledger,
    log,
    debts,
    events: createEvents(),
    cluster: cluster.store,
    networkLocks: new Locks(),
    plugins: undefined as never,
  };
  debts.open();
  cluster.start(createClusterSide(parts));
  const close = async (): Promise<void> => {
    debts.close();
    await cluster.close();
  };
  open.push({ close });
  const networks = createNetworkCommands(parts, ATTACHING);
  /** A container of this host on the network, as an attachment ends. */
  const attach = async (network: Network, n: number, address: string): Promise<readonly string[]> => {
    const sandbox = aSandbox({ id: `5a${number}${n}` });
    const endpoint = anEndpoint({
      id: `e${number}${n}`,
      networkId: network.id,
      sandboxId: sandbox.id,
      containerName: `c${number}-${n}`,
      dnsNames: [`c${number}-${n}`],
      mac: `02:42:00:00:0${number}:0${n}`,
      ipv4: address,
    });
    const taken = await cluster.store.claimEndpoint(network.id, toldOf(endpoint));
    if (taken.length === 0) ledger.commit([put('sandbox', sandbox), put('endpoint', endpoint)]);
    return taken;
  };
  /** Its container ends. */
  const detach = (network: Network, n: number): void => {
    const endpoint = model
      .endpointsOfNetwork(network.id)
      .find(({ id: own }) => own.startsWith(`e${number}${n}`));
    const owed = endpoint && owedForEndpoint(view, network, endpoint);
    if (!endpoint || !owed) return;
    ledger.commit([drop('endpoint', endpoint.id), put('owed', owed)]);
    void debts.settle(endpoint.id);
  };
  return { ...world, parts, cluster, networks, attach, detach, gate, said, close, id };
};
type TestHost = ReturnType<typeof startHost>;

/** By which hosts this one's kernel reaches others' containers. */
const remoteOf = ({ kernel }: TestHost): readonly string[] =>
  [...(kernel.world.namespaces.get('host')?.interfaces.values() ?? [])].flatMap(({ fdb }) =>
    [...fdb].map((entry) => entry.split(' ')[1] ?? ''),
  );

const until = (what: () => unknown): Promise<void> => expect.poll(what, { timeout: 5_000 }).toBeTruthy();
const known = ({ model }: TestHost, name: string): Network | undefined => model.networkNamed(name);
const create = async ({ networks }: TestHost, name: string, more = {}): Promise<void> =>
  void (await networks.create({ ...REQUEST, name, ...more }));
const stored = (etcd: FakeEtcd): readonly string[] =>
  etcd.entries().map(({ key }) => key.replace('net/viaduct/1/', ''));

const two = async () => {
  const etcd = createFakeEtcd();
  const [a, b] = [startHost(etcd, 1), startHost(etcd, 2)];
  await create(a, 'web');
  await until(() => known(b, 'web'));
  const network = known(a, 'web') as Network;
  return { etcd, a, b, network };
};

describe('S2: networks', () => {
  it('made on one host are known on the others, alike, and go from all of them', async () => {
    const { a, b, etcd } = await two();
    expect(known(b, 'web')).toEqual(known(a, 'web'));
    expect(known(a, 'web')).toMatchObject({ scope: 'global', overlay: { vni: 4096, port: 4789, mtu: 1450 } });
    await b.networks.remove('web');
    await until(() => known(a, 'web') === undefined);
    expect(stored(etcd).filter((key) => !/^(node|subnets)/.test(key))).toEqual([]);
  });

  it('two of one name, or of one subnet, are refused in Docker’s words', async () => {
    const { a, b } = await two();
    await expect(create(b, 'web')).rejects.toThrow('network with name web already exists');
    const subnet = known(a, 'web')?.pools[0]?.subnet ?? '';
    const same = { ipam: { driver: '', options: null, config: [{ subnet }] } };
    await expect(create(b, 'other', same)).rejects.toThrow(
      'Pool overlaps with other one on this address space',
    );
  });

  it('two hosts that make some at once get different subnets and identifiers', async () => {
    const etcd = createFakeEtcd();
    const [a, b] = [startHost(etcd, 1), startHost(etcd, 2)];
    await Promise.all([create(a, 'one'), create(b, 'two'), create(a, 'three'), create(b, 'four')]);
    await until(() => a.model.overlays().length === 4 && b.model.overlays().length === 4);
    const all = a.model.overlays();
    expect(new Set(all.map(({ overlay }) => overlay?.vni)).size).toBe(4);
    expect(new Set(all.flatMap(({ pools }) => pools.map((p) => p.subnet))).size).toBe(4);
  });

  it('an identifier that was wished for is had, or refused', async () => {
    const { a, b } = await two();
    const wish = { options: { 'com.docker.network.driver.overlay.vxlanid_list': '77' } };
    await create(a, 'wished', wish);
    expect(known(a, 'wished')?.overlay?.vni).toBe(77);
    await expect(create(b, 'again', wish)).rejects.toThrow('VXLAN network id 77 is another network');
  });

  it('fit through the smallest of the wires that are known; a host that comes later with a smaller one warns', async () => {
    const etcd = createFakeEtcd();
    const [a, b] = [startHost(etcd, 1), startHost(etcd, 2, createWorld(), 1400)];
    await until(() => stored(etcd).includes('node/node2') && a.model.tables.vtep.records.size === 2);
    await create(a, 'web');
    expect(known(a, 'web')?.overlay?.mtu).toBe(1350);
    const c = startHost(etcd, 3, createWorld(), 1300);
    await until(() => known(c, 'web') && known(b, 'web'));
    expect(b.cluster.store.warnings()).toEqual([]);
    expect(c.cluster.store.warnings()).toEqual([expect.stringContaining('this host’s wire of 1300')]);
  });

  it('stay while a container of any host is on them', async () => {
    const { a, b, network } = await two();
    await a.attach(network, 1, '172.16.0.2/16');
    await expect(b.networks.remove('web')).rejects.toThrow(
      /error while removing network: network web has active endpoints \(name:"c1-1" id:"e11000000000"\)/,
    );
  });

  it('whose making was answered by nobody are not there twice, and go where they could not be had', async () => {
    const { a, b, etcd } = await two();
    a.gate.failure = LOST;
    a.gate.only = 'txn';
    await expect(create(a, 'lost')).rejects.toMatchObject({ kind: 'unavailable' });
    a.gate.failure = undefined;
    await until(() => !stored(etcd).includes('name/lost'));
    await until(() => known(b, 'lost') === undefined);
    expect(known(a, 'lost')).toBeUndefined();
  });
});

describe('S2: containers', () => {
  it('of one host are found by name on the others, with an address that is taken', async () => {
    const { a, b, network } = await two();
    expect(await a.attach(network, 1, '172.16.0.2/16')).toEqual([]);
    await until(() => b.model.endpointsNamed(network.id, 'c1-1').length === 1);
    expect(b.model.addressesOn(network).has('172.16.0.2')).toBe(true);
    expect(await b.attach(network, 1, '172.16.0.2/16')).toEqual(['172.16.0.2']);
    expect(await b.attach(network, 1, '172.16.0.3/16')).toEqual([]);
    expect(remoteOf(b)).toContain('192.0.2.1');
    await until(() => remoteOf(a).includes('192.0.2.2'));
  });

  it('that ended while the store was away are given back when it is there again', async () => {
    const { a, b, etcd, network } = await two();
    await a.attach(network, 1, '172.16.0.2/16');
    await until(() => b.model.endpointsNamed(network.id, 'c1-1').length === 1);
    a.gate.failure = AWAY;
    const id = [...a.model.endpoints.keys()][0] as string;
    a.ledger.commit([{ table: 'endpoint', id, value: null }]);
    a.gate.failure = undefined;
    await a.close();
    startHost(etcd, 1, a);
    await until(() => b.model.endpointsNamed(network.id, 'c1-1').length === 0);
    expect(stored(etcd).filter((key) => key.startsWith('ip/'))).toEqual([]);
  });

  it('are told again to a store that was emptied, with their networks', async () => {
    const { a, b, etcd, network } = await two();
    await a.attach(network, 1, '172.16.0.2/16');
    const admin = etcd.connect();
    await admin.delete({ prefix: 'net/' });
    await until(() => stored(etcd).includes(`name/web`));
    await until(() => stored(etcd).some((key) => key.startsWith('endpoint/')));
    await until(() => known(b, 'web') && b.model.endpointsNamed(network.id, 'c1-1').length === 1);
  });

  it('of a host that is gone for good can be ended by force, those of one that is there cannot', async () => {
    const { a, b, etcd, network } = await two();
    await a.attach(network, 1, '172.16.0.2/16');
    await until(() => b.model.peersOf(network.id).length === 1);
    const evict = () => evictRemote({ model: b.model, cluster: b.cluster.store }, network, 'c1-1', true);
    await until(() => stored(etcd).includes('node/node1'));
    await expect(evict()).rejects.toThrow('disconnect it on that host');
    await a.close();
    await until(() => !stored(etcd).includes('node/node1'));
    expect(await evict()).toBe(true);
    await until(() => b.model.peersOf(network.id).length === 0);
    await b.networks.remove('web');
  });

  it('that say what cannot be are not believed', async () => {
    const { a, b, etcd, network } = await two();
    await a.attach(network, 1, '172.16.0.2/16');
    await until(() => b.model.peersOf(network.id).length === 1);
    const admin = etcd.connect();
    const key = `net/viaduct/1/endpoint/${network.id}/node9/${'ab'.repeat(32)}`;
    const endpoint = {
      id: 'ab'.repeat(32),
      containerId: 'cd'.repeat(32),
      containerName: 'x',
      mac: '02:42:ac:10:00:09',
      dnsNames: ['x'],
    };
    const value = (more: object, address = '192.0.2.66') =>
      JSON.stringify({ version: 1, address, endpoint: { ...endpoint, ...more } });
    for (const text of [
      'junk',
      '{}',
      value({ ipv4: '10.66.0.1/16' }),
      value({ ipv4: '172.16.0.9/16', mac: '01:00:5e:00:00:01' }),
      value({ ipv4: '172.16.0.9/16', mac: '02:42; rm -rf /' }),
      value({ ipv4: '172.16.0.9/16' }, 'nowhere'),
      value({ ipv4: network.pools[0]?.gateway && `${network.pools[0].gateway}/16` }),
    ]) {
      await admin.put(key, text);
      await sleep(5);
      expect(b.model.peersOf(network.id)).toHaveLength(1);
    }
    await admin.put(key, value({ ipv4: '172.16.0.9/16' }));
    await until(() => b.model.peersOf(network.id).length === 2);
  });
});

it('S2: a host that is in no cluster any more may forget its networks, but makes none', async () => {
  const { a, b, network } = await two();
  await a.attach(network, 1, '172.16.0.2/16');
  await until(() => b.model.peersOf(network.id).length === 1);
  await b.close();
  const alone = createNetworkCommands({ ...b.parts, cluster: undefined } as never, ATTACHING); // it has no more
  await expect(alone.create({ ...REQUEST, name: 'more' })).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('this host is in none: make or join a swarm'),
  });
  await alone.remove('web');
  expect(b.model.overlays()).toEqual([]);
  expect(b.model.tables.peer.records.size).toBe(0);
});

describe('S2: the store is away', () => {
  it('is told in words and as 503; what is known stays known', async () => {
    const { b, network } = await two();
    b.gate.failure = AWAY;
    await expect(create(b, 'more')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('store etcd://192.0.2.9/net does not answer'),
    });
    await expect(b.attach(network, 1, '172.16.0.3/16')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(known(b, 'web')).toBeDefined();
    b.gate.failure = undefined;
    await create(b, 'more');
  });

  it('and when it is there again, what is being asked for at that moment is not taken back', async () => {
    const { a, etcd } = await two();
    const side = createClusterSide(a.parts);
    for (let turns = 0; turns < 40; turns += 1) {
      const making = create(a, `more${turns}`);
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      side.settle();
      await making;
      await sleep(1);
      expect(stored(etcd)).toContain(`network/${known(a, `more${turns}`)?.id}`);
      await a.networks.remove(`more${turns}`);
    }
  });
});

it('S2: what this host could not do is tried again in seconds, also while the next comparison is far', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    const etcd = createFakeEtcd();
    const cluster = new KeyValue(SETTINGS, {
      etcd: etcd.connect(),
      self: { id: 'own', name: 'own', address: '192.0.2.1' },
      wire: () => ({ mtu: 1500, family: 4 }),
      log: { debug() {}, info() {}, warn() {}, error() {} },
    });
    open.push(cluster);
    const followed: ClusterChange[] = [];
    let refuses = false;
    const none = () => [];
    const side: ClusterSide = {
      ...{
        id: 'own',
        networks: none,
        peers: none,
        vteps: none,
        balancers: none,
        endpoints: none,
        routes: none,
      },
      wayTo: () => undefined,
      isUnderWay: () => false,
      makeGateway() {},
      makeOwn() {},
      settle() {},
      follow(change) {
        if (refuses) throw new Error('no');
        followed.push(change);
      },
      onChange: () => () => {},
    };
    cluster.start(side);
    await vi.advanceTimersByTimeAsync(1_000); // the first comparison
    refuses = true;
    const value = JSON.stringify({ version: 1, name: 'other', address: '192.0.2.2', mtu: 1500 });
    await etcd.connect().put('net/viaduct/1/node/other', value);
    await vi.advanceTimersByTimeAsync(100);
    refuses = false;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(followed.some(({ vteps }) => vteps.get('other')?.address === '192.0.2.2')).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});

it('S2: no address is ever two containers’, whoever asks, whoever gives back, whatever answer is lost', async () => {
  const step = fc.record({
    host: fc.integer({ min: 0, max: 2 }),
    n: fc.integer({ min: 1, max: 3 }),
    address: fc.integer({ min: 2, max: 4 }),
    does: fc.constantFrom('claim' as const, 'release' as const),
    lost: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const etcd = createFakeEtcd();
      const hosts = [1, 2, 3].map((number) => startHost(etcd, number));
      await create(hosts[0] as TestHost, 'web');
      const network = known(hosts[0] as TestHost, 'web') as Network;
      await Promise.all(
        steps.map(async ({ host, n, address, does, lost }) => {
          const { cluster, gate } = hosts[host] as TestHost;
          const endpoint = anEndpoint({
            id: `e${host}${n}`,
            ipv4: `172.16.0.${address}/16`,
            networkId: network.id,
          });
          gate.failure = lost ? LOST : undefined;
          gate.only = 'txn';
          const work =
            does === 'claim'
              ? cluster.store.claimEndpoint(network.id, toldOf(endpoint))
              : cluster.store.tell(clusterCalls.releaseEndpoint(network.id, endpoint));
          await work.catch(() => {});
          gate.failure = undefined;
        }),
      );
      const endpoints = stored(etcd).filter((key) => key.startsWith('endpoint/'));
      const addresses = etcd.entries().filter(({ key }) => key.includes('/ip/'));
      const holders = addresses.map(({ value }) => value);
      // Each endpoint that is there has its address, and no address is held by one that is not there.
      for (const key of endpoints) expect(holders).toContain(key.split('/').at(-1));
      for (const holder of holders) expect(endpoints.some((key) => key.endsWith(holder))).toBe(true);
      for (const host of hosts) await host.close();
    }),
    { numRuns: 30 },
  );
});

it('S2: whatever happens to daemons and store, at rest all hosts know the same, and no address is held for nothing', async () => {
  const step = fc.record({
    host: fc.integer({ min: 0, max: 2 }),
    n: fc.integer({ min: 1, max: 2 }),
    address: fc.integer({ min: 2, max: 5 }),
    does: fc.constantFrom('attach', 'attach', 'attach', 'detach', 'restart', 'cut', 'heal', 'wait'),
  });
  const endpointsOf = ({ model }: TestHost): readonly string[] =>
    [...model.endpoints.values()].map(({ id, ipv4 }) => `${id} ${ipv4}`);
  const peersOf = ({ model }: TestHost): readonly string[] =>
    [...model.tables.peer.records.values()].flatMap((peer) =>
      peer.endpoints.map(({ id, ipv4 }) => `${id} ${ipv4}`),
    );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const etcd = createFakeEtcd();
      const hosts = [1, 2, 3].map((number) => startHost(etcd, number));
      await create(hosts[0] as TestHost, 'web');
      await until(() => hosts.every((host) => known(host, 'web')));
      const network = known(hosts[0] as TestHost, 'web') as Network;
      for (const { host, n, address, does } of steps) {
        const at = hosts[host] as TestHost;
        const there = [...at.model.endpoints.keys()].some((id) => id.startsWith(`e${host + 1}${n}`));
        if (does === 'attach' && !there)
          await at.attach(network, n, `172.16.0.${address}/16`).catch(() => {});
        if (does === 'detach') at.detach(network, n);
        if (does === 'cut') at.gate.failure = AWAY;
        if (does === 'heal') at.gate.failure = undefined;
        if (does === 'wait') await sleep(5);
        if (does === 'restart') {
          await at.close();
          hosts[host] = startHost(etcd, host + 1, at);
        }
      }
      for (const { gate } of hosts) gate.failure = undefined;
      etcd.expire();
      const rest = () =>
        hosts.every((host) => {
          const others = hosts.filter((other) => other !== host).flatMap(endpointsOf);
          return JSON.stringify([...peersOf(host)].sort()) === JSON.stringify([...others].sort());
        });
      const all = () => hosts.flatMap(endpointsOf);
      const held = () => etcd.entries().filter(({ key }) => key.includes('/ip/')).length;
      await expect.poll(() => rest() && held() === all().length, { timeout: 20_000 }).toBe(true);
      expect(new Set(all().map((text) => text.split(' ')[1])).size).toBe(all().length);
      for (const host of hosts) {
        const here = [...host.model.endpoints].length > 0;
        expect(remoteOf(host)).toHaveLength(here ? peersOf(host).length : 0);
      }
      for (const host of hosts) await host.close();
    }),
    { numRuns: 15 },
  );
}, 120_000);
