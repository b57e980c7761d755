/** Joining and sessions over real TLS on the loopback, with etcd in memory: who is let in as what, and what a manager believes. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { identityOf } from '../../src/cluster/ca/authority.js';
import { formatToken, trustDigest } from '../../src/cluster/ca/tokens.js';
import { ClusterState } from '../../src/cluster/control/state.js';
import type { Door } from '../../src/cluster/door/contract.js';
import { openDoor } from '../../src/cluster/door/mux.js';
import type { EtcdClient } from '../../src/cluster/etcd/client.js';
import type { Etcd, EtcdAdmin, EtcdFailure, MemberId, Txn } from '../../src/cluster/etcd/contract.js';
import { EtcdError } from '../../src/cluster/etcd/failure.js';
import { createAttachments } from '../../src/cluster/life/attachments.js';
import { Epochs } from '../../src/cluster/life/epochs.js';
import { type NodeFiles, nodeFiles } from '../../src/cluster/life/files.js';
import { init } from '../../src/cluster/life/init.js';
import { join } from '../../src/cluster/life/join.js';
import { layout } from '../../src/cluster/life/layout.js';
import { createMembership } from '../../src/cluster/life/membership.js';
import { createNetworks, type NetworkRules } from '../../src/cluster/life/networks.js';
import { createReception } from '../../src/cluster/life/reception.js';
import { createRegister } from '../../src/cluster/life/register.js';
import { createReports } from '../../src/cluster/life/reports.js';
import { type ClusterSecrets, openBlob, openSecrets, sealBlob } from '../../src/cluster/life/secrets.js';
import { createStore } from '../../src/cluster/life/store.js';
import { createBringer } from '../../src/cluster/logs/bring.js';
import { createServiceLogs, type ServiceLogs } from '../../src/cluster/logs/index.js';
import { createMirror, type Mirror } from '../../src/cluster/mirror/index.js';
import type { MemberRecord } from '../../src/cluster/mirror/member.js';
import { put } from '../../src/cluster/mirror/write.js';
import { type AssignedItem, itemKey } from '../../src/cluster/session/assigned.js';
import { createAssigning } from '../../src/cluster/session/assigning.js';
import { startSession } from '../../src/cluster/session/client.js';
import { askOnce, connect } from '../../src/cluster/session/connect.js';
import type { Answer } from '../../src/cluster/session/protocol.js';
import { createSessions, type Sessions } from '../../src/cluster/session/server.js';
import { DRIVERS } from '../../src/drivers/index.js';
import { checkOfNodes } from '../../src/engine/networks/of-nodes.js';
import type { Kind, SwarmRecords } from '../../src/model/swarm/records.js';
import type { Task } from '../../src/model/swarm/task.js';
import { createFakeEtcd } from '../support/fake-etcd.js';
import { until } from '../support/run.js';
import { aNetwork, aService, aSpec, aTask, aTaskSpec, kept } from '../support/swarm-records.js';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const overlay = DRIVERS.get('overlay');
const rules: NetworkRules = {
  wish: (request, wire) => overlay?.wish?.(request, wire),
  check: () => {},
  checkOfNodes: (request) => checkOfNodes({ drivers: DRIVERS }, request),
};
const interfaces = [{ name: 'lo', ours: false, addresses: [{ address: '127.0.0.1', family: 4 as const }] }];

/** One member that always leads. */
const alone: EtcdAdmin = {
  status: async () => ({
    version: '3.4.23',
    clusterId: '1',
    memberId: '7' as never,
    leader: '7' as never,
    learner: false,
    revision: 1,
    raftTerm: 1,
    size: 0,
    inUse: 0,
    alarms: [],
  }),
  members: async () => [],
  addLearner: async () => Promise.reject(new Error('not here')),
  promote: async () => {},
  removeMember: async () => {},
  handOver: async () => {},
  defragment: async () => {},
  snapshot: async () => {},
  disarm: async () => {},
};

let directory: string;
let etcd: Etcd;
/** what the manager asks of etcd's members: a test changes how it is answered */
let admin: EtcdAdmin;
/** of each write while it is there */
/** by the clock; as of AttachmentsSettings */
let hearsUntil = 0;
let failure: EtcdFailure | undefined;
let over: AbortController;
let door: Door;
let sessions: Sessions;
let mirror: Mirror;
let files: NodeFiles;
let secrets: () => ClusterSecrets;
let logs: ServiceLogs;
const filesOf = (name: string): NodeFiles =>
  nodeFiles(layout(path(directory, name, 'data'), path(directory, name, 'run')));

const address = (): string => `127.0.0.1:${door.addresses[0]?.port}`;
const token = (role: 'worker' | 'manager'): string =>
  formatToken({ digest: trustDigest(files.credentials().authorities), secret: secrets().tokens[role] });

beforeEach(async () => {
  directory = mkdtempSync(path(tmpdir(), 'viaduct-cluster-'));
  over = new AbortController();
  files = filesOf('manager');
  const { state, found } = init(
    { files, interfaces, rules, routes: [], defaultAdvertise: '', now: Date.now },
    {
      listen: '127.0.0.1:0',
      advertise: '127.0.0.1',
      dataPath: '',
      dataPathPort: 4789,
      pools: [],
      subnetSize: 24,
      availability: 'active',
      forceNewCluster: false,
      spec: { spec: { heartbeatPeriod: 100_000_000 } },
    },
  );
  failure = undefined;
  admin = { ...alone };
  hearsUntil = 0;
  etcd = createFakeEtcd().connect((operation) => (operation === 'txn' ? failure : undefined));
  await found(Object.assign({}, etcd, alone, { close: () => {} }) satisfies EtcdClient);
  mirror = createMirror({
    etcd,
    clusterId: state.clusterId,
    signal: over.signal,
    log: quiet,
    now: Date.now,
    failed: new Set(),
    changed: (changes) => assigning.changed(changes),
    heard: () => {},
  });
  const dataKey = files.dataKey() ?? Buffer.alloc(0);
  const epochs = new Epochs(state.nodeId);
  const { clusterId } = state;
  const openSecret: Parameters<typeof createAssigning>[0]['openSecret'] = (secret) =>
    openBlob(dataKey, clusterId, secret);
  const { signal } = over;
  const assigning = createAssigning({ mirror, epochs, openSecret, signal });
  await mirror.ready;
  secrets = () => openSecrets(dataKey, state.clusterId, mirror.secrets?.sealed ?? '');
  const register = createRegister(etcd, mirror.prefix, over.signal);
  register.lease((await etcd.grantLease(10)).id);
  const store = createStore(
    { ...alone, ...etcd },
    {
      reached: mirror.reached,
      restarting: () => undefined,
      managers: async () => ({ reachable: 1, all: 1 }),
    },
  );
  const members = new Map<string, MemberRecord>();
  logs = createServiceLogs({
    ...{ nodeId: state.nodeId, state: mirror.state, failed: new Set<string>(), log: quiet },
    members,
    credentials: () => files.credentials(),
    tell(nodeId, message) {
      sessions.tell(nodeId, message);
      return sessions.nodes.has(nodeId);
    },
  });
  sessions = createSessions(
    createReception({
      logs,
      mirror,
      register,
      store,
      etcd,
      membership: createMembership({ etcd: admin, mirror, register, log: quiet, signal }),
      dataKey,
      secrets,
      managers: () => [{ id: state.nodeId, address: address() }],
      epochs,
      reports: createReports({ mirror, etcd, epochs, now: Date.now, signal }),
      attachments: createAttachments({
        ...{ mirror, store, epochs, now: Date.now, interest: assigning.interest },
        get from() {
          return hearsUntil;
        },
      }),
      now: Date.now,
    }),
    assigning,
    quiet,
  );
  const { certificate, key, authorities } = files.credentials();
  door = await openDoor({
    listen: [{ host: '127.0.0.1', port: 0 }],
    tls: { certificate, key, trust: authorities },
    peers: () => undefined,
    session: (visitor) => sessions.visit(visitor),
  });
  members.set(state.nodeId, { address: address(), member: '7' as MemberRecord['member'] });
});
afterEach(async () => {
  over.abort();
  sessions.close();
  await door.close();
  rmSync(directory, { recursive: true, force: true });
});

const joinAs = (role: 'worker' | 'manager', with_ = token(role)) => {
  const own = filesOf(`node-${role}`);
  return join(
    { files: own, interfaces, defaultAdvertise: '' },
    {
      listen: '0.0.0.0:2377',
      advertise: '',
      dataPath: '',
      remotes: [address()],
      token: with_,
      availability: 'drain',
    },
  ).then((state) => ({ state, files: own }));
};

const description = {
  hostname: 'h',
  architecture: 'x86_64',
  os: 'linux',
  nanoCpus: 1,
  memoryBytes: 1,
  engineVersion: '1',
  labels: {},
  plugins: [],
  tls: { trustRoot: '', issuerSubject: '', issuerPublicKey: '' },
};
const hello = { type: 'hello', description, advertise: ':2377', dataPath: '' } as const;

test.each(['worker', 'manager'] as const)(
  'S1: who has the token of a %s gets that certificate, and a record',
  async (role) => {
    const { state, files: own } = await joinAs(role);
    expect(identityOf(own.credentials().certificate)).toEqual({
      nodeId: state.nodeId,
      role,
      clusterId: mirror.state.get('cluster', '')?.id,
    });
    expect(state.advertise).toBe('127.0.0.1:2377');
    expect(mirror.state.get('node', state.nodeId)).toMatchObject({ role, availability: 'drain' });
    expect(statSync(own.keys.path('node.key')).mode & 0o077).toBe(0);
  },
);

test('S1: another secret is refused, and another cluster’s token before the secret is sent', async () => {
  const [, , digest] = token('worker').split('-');
  for (const missing of ['', `SWMTKN-1-${digest}-${'0'.repeat(25)}`])
    await expect(joinAs('worker', missing)).rejects.toThrow(
      'A valid join token is necessary to join this cluster',
    );
  await expect(joinAs('worker', token('worker').replace(digest ?? '', `${'0'.repeat(49)}1`))).rejects.toThrow(
    'remote CA does not match fingerprint',
  );
  expect(mirror.state.all('node').size).toBe(1);
});

test('S1: a node says hello, beats, and has a session until it is silent', async () => {
  const { state, files: own } = await joinAs('worker');
  const end = new AbortController();
  const welcomes: string[] = [];
  const session = startSession({
    managers: () => [address()],
    credentials: own.credentials,
    hello: () => hello,
    welcome: ({ role }) => welcomes.push(role),
    told: () => {},
    log: quiet,
    signal: end.signal,
  });
  await until('it has a session', () => mirror.state.get('session', state.nodeId) !== undefined);
  expect(mirror.state.get('node-state', state.nodeId)).toMatchObject({
    address: '127.0.0.1',
    description: { hostname: 'h' },
  });
  await until('it was welcomed', () => welcomes.length > 0 && session.current() !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 500)); // five beats
  expect(mirror.state.get('session', state.nodeId)).toBeDefined();
  end.abort();
  await until('it has none', () => mirror.state.get('session', state.nodeId) === undefined);
});

test('S1: a node whose hello waits for the store keeps the session that it begins, whatever ends of the former one', async () => {
  const { state, files: own } = await joinAs('worker');
  const epoch = (): string | undefined => mirror.state.get('session', state.nodeId)?.epoch;
  const begin = async (): Promise<{ readonly told: string[]; close(): void }> => {
    const told: string[] = [];
    const on = { told: ({ type }: { readonly type: string }) => told.push(type), closed: () => {} };
    const connection = await connect(address(), own.credentials(), on);
    connection.say(hello);
    return { told, close: () => connection.close() };
  };
  const former = await begin();
  await until('it has a session', () => epoch() !== undefined && former.told.includes('welcome'));
  const first = epoch();
  failure = { kind: 'no-leader' };
  former.close();
  const next = await begin();
  await new Promise((resolve) => setTimeout(resolve, 400)); // of the former one no beat is waited for any more
  failure = undefined;
  await until('it is welcomed', () => next.told.includes('welcome'));
  await until('others know of it', () => epoch() !== undefined && epoch() !== first);
  next.close();
});

test('S1: a worker may not enrol, nor may anybody without a certificate say hello', async () => {
  const { files: own } = await joinAs('worker');
  await expect(
    askOnce(address(), own.credentials(), { type: 'enrol', address: '127.0.0.1:1' }, 'enrolled'),
  ).rejects.toThrow('this node is no manager');
  const closed = new Promise<string>((resolve) => {
    void connect(
      address(),
      { authorities: own.credentials().authorities },
      { told: () => {}, closed: resolve },
    ).then((connection) => connection.say(hello));
  });
  expect(await closed).toBeTypeOf('string');
  expect(mirror.state.all('session').size).toBe(0);
});

/** A manager that joins, whose etcd is a learner until `promote` has succeeded. */
const enrolled = async (): Promise<string> => {
  const { state, files: own } = await joinAs('manager');
  const member = {
    id: '8' as MemberId,
    name: '',
    peerUrls: ['https://127.0.0.1:1'],
    clientUrls: [],
    learner: true,
  };
  admin.addLearner = async () => member;
  admin.members = async () => [member];
  await askOnce(address(), own.credentials(), { type: 'enrol', address: '127.0.0.1:1' }, 'enrolled');
  return state.nodeId;
};

const recordOf = async (id: string): Promise<string | undefined> =>
  (await etcd.range({ key: `${mirror.prefix}member/${id}` })).entries[0]?.value;

test('S1: a manager that joins has its vote, and is known to have it, however long etcd does not answer meanwhile', async () => {
  const refusals: EtcdFailure[] = [{ kind: 'unavailable', sent: true }, { kind: 'no-leader' }];
  admin.promote = async () => {
    const refused = refusals.shift();
    if (refused) throw new EtcdError(refused, refused.kind);
    failure = { kind: 'no-leader' };
  };
  const id = await enrolled();
  await until('it has its vote', () => failure !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 700)); // it is tried, and refused
  expect(await recordOf(id)).toBeUndefined();
  failure = undefined;
  await until('others know', async () => (await recordOf(id)) !== undefined);
  expect(await recordOf(id)).toBe('{"address":"127.0.0.1:1","member":"8"}');
});

test('S1: the place of a manager that never follows is taken back, also where etcd has no leader just then', async () => {
  const removed: string[] = [];
  let asked = 0;
  admin.promote = async () => {
    throw new EtcdError({ kind: 'not-ready' }, 'etcd: it does not follow');
  };
  admin.removeMember = async (id) => {
    asked += 1;
    if (asked === 1) throw new EtcdError({ kind: 'no-leader' }, 'etcd has no leader');
    removed.push(id);
  };
  await enrolled();
  await until('its place is free', () => removed.length > 0);
  expect(removed).toEqual(['8']);
});

/** What a node is told that says hello. */
const answerTo = async (own: NodeFiles): Promise<string> => {
  const told: string[] = [];
  const connection = await connect(address(), own.credentials(), {
    told: ({ type }) => told.push(type),
    closed: () => {},
  });
  connection.say(hello);
  await until('it is answered', () => told.length > 0);
  connection.close();
  return told[0] ?? '';
};

test('S1: a node that was removed is told so; one that a mirror only does not know yet is not', async () => {
  const { state, files: own } = await joinAs('worker');
  mirror.state.set('node', state.nodeId, undefined, Date.now());
  expect(await answerTo(own)).toBe('refused');
  await etcd.delete({ key: `${mirror.prefix}node/${state.nodeId}` });
  expect(await answerTo(own)).toBe('removed');
});

test('S1: a node that leaves is down at once', async () => {
  const { state, files: own } = await joinAs('worker');
  const connection = await connect(address(), own.credentials());
  connection.say(hello);
  await until('it has a session', () => mirror.state.get('session', state.nodeId) !== undefined);
  await connection.ask({ type: 'leave' }, 'done');
  expect(mirror.state.get('session', state.nodeId)).toBeUndefined();
  expect(mirror.state.get('node', state.nodeId)?.status.state).toBe('down');
});

/** As the leader or the API would. */
const write = async <K extends Kind>(kind: K, record: SwarmRecords[K]): Promise<void> => {
  const { revision } = await etcd.txn({ success: [put(mirror.prefix, kind, record)] });
  await mirror.reached(revision);
};

const writeTask = async (nodeId: string, of: Partial<Task> = {}): Promise<Task> => {
  const secret = { id: 'secret1', name: 'password' };
  const task = aTaskSpec({ secrets: [{ ...secret, file: { name: 'p', uid: '0', gid: '0', mode: 0o444 } }] });
  const service = aService(aSpec({ task }));
  const { labels, name } = service.spec;
  const data = sealBlob(files.dataKey() ?? Buffer.alloc(0), mirror.state.get('cluster', '')?.id ?? '', {
    id: secret.id,
    data: 'c2VjcmV0',
  });
  await write('secret', { ...kept, ...secret, labels: {}, data, createdAt: 0, updatedAt: 0 });
  await write('service', service);
  await write('service-spec', { ...kept, id: `${service.id}/1`, name, labels, task });
  const made = aTask(service, { id: 'task1', nodeId, ...of });
  await write('task', made);
  return made;
};

/** A node with a session, and what it has been told. */
const present = async (role: 'worker' | 'manager' = 'worker') => {
  const { state, files: own } = await joinAs(role);
  const items = new Map<string, AssignedItem>();
  const brings: Answer<'bring'>[] = [];
  let messages = 0;
  const connection = await connect(address(), own.credentials(), {
    told: (message) => {
      if (message.type === 'bring') brings.push(message);
      if (message.type !== 'assign') return;
      messages += 1;
      if (message.whole) items.clear();
      for (const key of message.unset) items.delete(key);
      for (const item of message.set) items.set(itemKey(item), item);
    },
    closed: () => {},
  });
  connection.say(hello);
  const beat = setInterval(() => connection.say({ type: 'beat' }), 50);
  over.signal.addEventListener('abort', () => clearInterval(beat), { once: true });
  await until('it was told all', () => messages > 0);
  return { nodeId: state.nodeId, files: own, connection, items, brings, told: () => messages };
};

test('S3: a node is told of its tasks and what they need, then what changes, and no more', async () => {
  const { nodeId, items, connection, told } = await present();
  const ingress = [...mirror.state.all('network').keys()].map((id) => `network/${id}`);
  const own = (): string[] =>
    [...items.keys()].filter((key) => !key.startsWith('node/') && !ingress.includes(key));
  expect(ingress).toHaveLength(1);
  expect(own()).toEqual([]);
  const task = await writeTask(nodeId);
  await until('it has its task', () => items.has('task/task1'));
  expect(own().sort()).toEqual(['secret/secret1', 'task/task1']);
  expect(items.get('secret/secret1')).toMatchObject({ data: 'c2VjcmV0' });
  const before = told();
  await write('task', { ...task, id: 'task2', nodeId: 'another' });
  await write('task', { ...task, desired: 'shutdown' });
  await until(
    'it is told to stop',
    () => items.get('task/task1')?.kind === 'task' && !items.has('secret/secret1'),
  );
  expect(own()).toEqual(['task/task1']);
  expect(told() - before).toBeLessThanOrEqual(2);
  connection.close();
});

test('S3: a node reports what has become of its tasks; a stolen certificate changes nothing else', async () => {
  const { nodeId, connection, items } = await present();
  const task = await writeTask(nodeId);
  await write('task', { ...task, id: 'others', nodeId: 'another' });
  const said = { message: '', err: '', at: 1 };
  const status = (id: string) => mirror.state.get('task-status', id)?.state;
  const before = new Set((await etcd.range({ prefix: '' })).entries.map(({ key }) => key));
  connection.say({
    type: 'report',
    tasks: [
      { ...said, id: 'task1', state: 'preparing' },
      { ...said, id: 'others', state: 'failed' },
      { ...said, id: 'nobody', state: 'running' },
      { ...said, id: 'task1', state: 'running', runningAt: 2 },
    ],
  });
  await until('it is written', () => status('task1') === 'running');
  connection.say({ type: 'report', tasks: [{ ...said, id: 'task1', state: 'starting' }] });
  connection.say({
    type: 'report',
    tasks: [{ ...said, id: 'task1', state: 'complete', err: 'x'.repeat(5000) }],
  });
  await until('it has ended', () => status('task1') === 'complete');
  const known = mirror.state.get('task-status', 'task1');
  expect(known).toMatchObject({ runningAt: 2, err: 'x'.repeat(1000) });
  const after = (await etcd.range({ prefix: '' })).entries.map(({ key }) => key);
  expect(after.filter((key) => !before.has(key))).toEqual([`${mirror.prefix}task-status/task1`]);
  await until('it hears that this is known', () => {
    const task = items.get('task/task1');
    return task?.kind === 'task' && task.status.state === 'complete';
  });
  // Another manager has the session: this one writes nothing more of it.
  await write('task', { ...task, id: 'task3' });
  await write('session', { ...kept, id: nodeId, manager: 'another', epoch: 'another' });
  connection.say({ type: 'report', tasks: [{ ...said, id: 'task3', state: 'running' }] });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(status('task3')).toBeUndefined();
  connection.close();
});

test('S3: reports wait while the store does not answer, the newest of each task', async () => {
  const { nodeId, connection } = await present();
  const task = await writeTask(nodeId);
  const said = { id: task.id, message: '', err: '', at: 1 };
  failure = { kind: 'no-leader' };
  connection.say({ type: 'report', tasks: [{ ...said, state: 'preparing' }] });
  await new Promise((resolve) => setTimeout(resolve, 100));
  connection.say({ type: 'report', tasks: [{ ...said, state: 'running' }] });
  connection.say({ type: 'report', tasks: [{ ...said, state: 'starting' }] });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(mirror.state.get('task-status', task.id)).toBeUndefined();
  failure = undefined;
  await until('it is written', () => mirror.state.get('task-status', task.id) !== undefined);
  await until('the newest', () => mirror.state.get('task-status', task.id)?.state === 'running');
});

const endpoint = (id: string, ipv4: string) => ({
  ...{
    id,
    containerId: `c${id}`,
    containerName: `name-${id}`,
    mac: '02:42:0a:00:01:05',
    ipv4,
    dnsNames: [id],
  },
});

test('D8: a node’s own containers get addresses that are nobody else’s, and are the node’s alone to give back', async () => {
  const pool = { family: 4, subnet: '10.0.1.0/24', gateway: '10.0.1.1', auxiliary: {} } as const;
  const { network, ...rest } = aNetwork('net', pool.subnet);
  await write('network', { ...rest, network: { ...network, name: 'shop', pools: [pool] } });
  await write('network', {
    ...rest,
    id: 'closed',
    network: { ...network, name: 'closed', attachable: false },
  });
  const [one, other] = [await present('worker'), await present('manager')];
  const ask = (reference: string) => one.connection.ask({ type: 'network', reference }, 'network');
  expect((await ask('shop')).id).toBe('net');
  expect(one.items.has('network/net')).toBe(true);
  expect((await ask('absent')).id).toBe('');
  await expect(ask('closed')).rejects.toMatchObject({
    ...{ kind: 'forbidden', message: expect.stringContaining('network closed not manually attachable') },
  });
  const attach = async (node: typeof one, id: string, ipv4: string, of: object = {}, has = false) => {
    const message = {
      ...({ type: 'attach', networkId: 'net' } as const),
      ...{ endpoint: { ...endpoint(id, ipv4), ...of }, has },
    } as const;
    return (await node.connection.ask(message, 'attached')).taken;
  };
  // A cluster that begins anew hears who has addresses before it gives any.
  hearsUntil = Date.now() + 60_000;
  await expect(attach(one, 'x', '10.0.1.5/24')).rejects.toThrow('has just begun anew');
  expect(await attach(one, 'a', '10.0.1.5/24', {}, true)).toEqual([]);
  hearsUntil = 0;
  expect(await attach(other, 'b', '10.0.1.5/24')).toEqual(['10.0.1.5']);
  expect(await attach(other, 'b', '10.0.1.6/24')).toEqual([]);
  for (const wrong of ['10.0.1.1/24', '10.0.1.7/25', '10.9.9.9/24'])
    await expect(attach(other, 'c', wrong)).rejects.toThrow('is none for a container on network shop');
  expect(await attach(other, 'c', '10.0.1.255/24')).toContain('10.0.1.255');
  await until('one knows the other’s', () => one.items.has(`peer/net/${other.nodeId}`));
  // Again: what has changed of it. Nobody else's is changed, or taken away.
  expect(await attach(one, 'a', '10.0.1.5/24', { dnsNames: ['renamed'] })).toEqual([]);
  expect(mirror.state.get('attach', 'a')).toMatchObject({ nodeId: one.nodeId, dnsNames: ['renamed'] });
  await expect(attach(other, 'a', '10.0.1.8/24')).rejects.toThrow('is on another node or network');
  await other.connection.ask({ type: 'detach', id: 'a', node: '' }, 'done');
  await expect(other.connection.ask({ type: 'detach', id: 'a', node: one.nodeId }, 'done')).rejects.toThrow(
    'whose daemon is there: disconnect it on that host',
  );
  const { known } = await one.connection.ask({ type: 'attachments' }, 'attachments');
  expect(known).toEqual([
    { id: 'a', networkId: 'net', addresses: ['10.0.1.5'], containerName: 'name-a', dnsNames: ['renamed'] },
  ]);
  // A manager that has not seen yet who is on the network cannot remove it.
  const behind = new ClusterState(0);
  const record = mirror.state.get('network', 'net');
  behind.set('network', 'net', record, 0);
  const store = { commit: async (txn: Txn) => (await etcd.txn(txn)).succeeded };
  const view = { state: behind, prefix: mirror.prefix };
  const commands = createNetworks({ mirror: view, store, rules, dataAddress: '127.0.0.1', now: Date.now });
  await expect(commands.removeNetwork(network.id)).rejects.toThrow('update out of sequence');
  await one.connection.ask({ type: 'detach', id: 'a', node: '' }, 'done');
  expect(mirror.state.get('attach', 'a')).toBeUndefined();
  expect(mirror.state.get('ip', 'net/10.0.1.5')).toBeUndefined();
});

test('S3: logs come from the node that was asked, on a connection of its own, and from nobody else', async () => {
  const cluster = mirror.state.get('cluster', '');
  // Sessions are to stand, however busy the machine is.
  if (cluster)
    await write('cluster', { ...cluster, spec: { ...cluster.spec, heartbeatPeriod: 5_000_000_000 } });
  const [one, other] = [await present(), await present('manager')];
  const node = mirror.state.get('node', one.nodeId);
  if (node) await write('node', { ...node, status: { state: 'ready', message: '' } });
  const task = await writeTask(one.nodeId);
  const gone = new AbortController();
  const wish = { stdout: true, stderr: true, since: 0, follow: true, tail: -1 };
  const lines = logs.logs({ serviceId: task.serviceId }, wish, gone.signal)[Symbol.asyncIterator]();
  const next = lines.next();
  await until('the node is told', () => one.brings.length > 0);
  const [bring] = one.brings as [Answer<'bring'>];
  expect(bring.manager.address).toBe(address());
  const { stream } = bring;
  const open = (by: typeof one, id: string) =>
    askOnce(address(), by.files.credentials(), { type: 'stream', stream: id }, 'done');
  await expect(open(other, stream)).rejects.toThrow('nobody has asked for these logs');
  await expect(open(one, 'another')).rejects.toThrow('nobody has asked for these logs');
  await expect(
    one.connection.ask({ type: 'summon', node: other.nodeId, stream: 'mine' }, 'done'),
  ).rejects.toThrow('who asks is no manager');
  await expect(one.connection.ask({ type: 'stream', stream }, 'done')).rejects.toThrow(
    'a connection of their own',
  );
  expect(other.brings).toEqual([]);

  const end = new AbortController();
  createBringer({
    credentials: one.files.credentials,
    placeOf: (manager) => manager.address,
    standing: () => 'coming',
    engine: {
      container: () => ({ id: 'c', status: 'running', pid: 1, exitCode: 0, error: '', ports: [] }),
      onChange: () => () => {},
      async *logs() {
        yield { stream: 'stderr', time: '2026-01-02T03:04:05.000000001Z', text: Buffer.from('hello\n') };
        await new Promise((resolve) => end.signal.addEventListener('abort', resolve));
      },
    },
    log: quiet,
    signal: end.signal,
  })(bring);
  expect((await next).value).toEqual({
    ...{ stream: 'stderr', time: '2026-01-02T03:04:05.000000001Z', text: Buffer.from('hello\n') },
    ...{ nodeId: one.nodeId, serviceId: task.serviceId, taskId: 'task1' },
  });
  await expect(open(one, stream)).rejects.toThrow('nobody has asked for these logs');
  const last = lines.next();
  gone.abort();
  expect((await last).done).toBe(true);
  end.abort();
  for (const each of [one, other]) each.connection.close();
});
