/**
 * A large cluster: how long one pass of the controllers takes, and how much a node is told of one change. `npm run sim -- --scale`
 * and the figure `control` of `npm run bench`.
 */
import { type AssignedTo, assignedTo, difference } from '../../src/cluster/control/assignment.js';
import { control } from '../../src/cluster/control/index.js';
import { Quiet } from '../../src/cluster/control/quiet.js';
import { Shared } from '../../src/cluster/control/shared.js';
import { ClusterState } from '../../src/cluster/control/state.js';
import { encodeFrame } from '../../src/cluster/session/frames.js';
import type { Node } from '../../src/model/swarm/node.js';
import type { Service, ServiceSpec } from '../../src/model/swarm/service.js';
import type { Task, TaskState } from '../../src/model/swarm/task.js';
import { aNetwork } from '../support/swarm-records.js';

export const [NODES, SERVICES, REPLICAS] = [1000, 1000, 100];
const NOW = 1_800_000_000_000;
/** As long as ids of clusters are. */
const idOf = (text: string): string => text.padEnd(25, '0');
const nodeId = (at: number): string => idOf(`n${at}x`);
const serviceId = (at: number): string => idOf(`s${at}x`);
const taskId = (service: number, slot: number): string => idOf(`t${service}x${slot}x`);
const networkId = (at: number): string => idOf(`net${at}x`);
const KEPT = { version: 1, created: 1, seen: NOW, firstSeen: NOW };

const aNode = (at: number): Node => ({
  ...KEPT,
  id: nodeId(at),
  name: '',
  labels: {},
  role: 'worker',
  availability: 'active',
  createdAt: NOW,
  updatedAt: NOW,
  number: at + 1,
  status: { state: 'ready', message: '' },
});

const SPEC: ServiceSpec = {
  name: '',
  labels: {},
  mode: { kind: 'replicated', replicas: REPLICAS },
  task: { container: { Image: 'fine' }, secrets: [], configs: [], networks: [], forceUpdate: 0 },
};

const aService = (at: number): Service => ({
  ...KEPT,
  id: serviceId(at),
  spec: { ...SPEC, name: `s${at}` },
  specVersion: 1,
  newestSpec: 1,
  createdAt: NOW,
  updatedAt: NOW,
  endpoint: { spec: 1, ports: [], virtualIps: [], err: '' },
});

const aTask = (service: number, slot: number): Task => ({
  ...KEPT,
  created: service * REPLICAS + slot,
  id: taskId(service, slot),
  serviceId: serviceId(service),
  spec: 1,
  slot,
  nodeId: nodeId((service + slot) % NODES),
  desired: 'running',
  status: { state: 'assigned', message: '', err: '', at: NOW },
  networks: [],
  delay: 0,
  createdAt: NOW,
});

/** Milliseconds of processor: the machine may be busy with other things. */
const cpu = (): number => process.cpuUsage().user / 1000;

const fill = (): ClusterState => {
  const state = new ClusterState(NOW);
  for (let at = 0; at < NODES; at += 1) {
    const node = aNode(at);
    state.set('node', node.id, node, NOW);
    state.set('session', node.id, { ...KEPT, id: node.id, manager: 'm', epoch: '1' }, NOW);
    state.set('number', String(at + 1), { ...KEPT, id: String(at + 1), owner: `node/${node.id}` }, NOW);
  }
  for (let at = 0; at < SERVICES; at += 1) {
    const service = aService(at);
    const { name, labels, task } = service.spec;
    state.set('service', service.id, service, NOW);
    state.set('service-spec', `${service.id}/1`, { ...KEPT, id: `${service.id}/1`, name, labels, task }, NOW);
    for (let slot = 1; slot <= REPLICAS; slot += 1) {
      const { id } = aTask(at, slot);
      state.set('task', id, aTask(at, slot), NOW);
      state.set(
        'task-status',
        id,
        { ...KEPT, id, state: 'running', message: '', err: '', at: NOW, runningAt: NOW },
        NOW,
      );
    }
  }
  return state;
};

export interface Pass {
  readonly what: string;
  /** of processor, milliseconds, one value a pass */
  readonly ms: readonly number[];
  /** records that the last of them changed */
  readonly changes: number;
}

const reported = (id: string, to: TaskState): Task['status'] & { readonly id: string } & typeof KEPT => ({
  ...KEPT,
  ...{ id, state: to, message: '', err: '', at: NOW, runningAt: NOW },
});

/** Each kind of pass five times. */
export const measurePasses = (): readonly Pass[] => {
  const state = fill();
  const quiet = new Quiet();
  let ids = 0;
  /** Passes until there is nothing to do; nothing of them is carried out. */
  const settle = (): readonly number[] => {
    const times: number[] = [];
    for (let wake = 0; wake <= NOW + 100_000 && times.length < 200; ) {
      const began = cpu();
      ({ wake } = control(state, NOW + 100_000, () => 'x', quiet));
      times.push(cpu() - began);
    }
    return times;
  };
  const made: Pass[] = [];
  const pass = (what: string, before: () => void): void => {
    const ms: number[] = [];
    let changes = 0;
    settle();
    for (let again = 0; again < 5; again += 1) {
      before();
      const began = cpu();
      const { units } = control(
        state,
        NOW + 100_000,
        () => {
          ids += 1;
          return `x${ids}`;
        },
        quiet,
      );
      ms.push(cpu() - began);
      changes = units.flat().length;
    }
    made.push({ what, ms, changes });
  };
  const report = (id: string, to: TaskState): void => state.set('task-status', id, reported(id, to), NOW);
  const first = settle();
  made.push({ what: `a new leader’s first ${first.length} passes, each`, ms: first, changes: 0 });
  pass('nothing new', () => {});
  pass('one task failed', () => report(taskId(7, 7), 'failed'));
  report(taskId(7, 7), 'running');
  const node = aNode(5);
  pass('a node is lost', () => {
    state.set('session', node.id, undefined, NOW);
    state.set('node', node.id, { ...node, status: { state: 'down', message: '' } }, NOW);
  });
  state.set('session', node.id, { ...KEPT, id: node.id, manager: 'm', epoch: '1' }, NOW);
  state.set('node', node.id, node, NOW);
  const service = aService(9);
  const withReplicas = (replicas: number) => ({
    ...service,
    spec: { ...service.spec, mode: { kind: 'replicated', replicas } as const },
  });
  pass('a service gets 100 tasks more', () => state.set('service', service.id, withReplicas(200), NOW));
  pass('a service gets 100,000', () => state.set('service', service.id, withReplicas(100_000), NOW));
  for (let at = 0; at < SERVICES; at += 1) {
    const waiting = aTask(at, 101);
    state.set(
      'task',
      waiting.id,
      { ...waiting, nodeId: '', status: { ...waiting.status, state: 'pending' } },
      NOW,
    );
  }
  for (const { id } of state.all('node').values()) {
    const node = state.get('node', id);
    if (node) state.set('node', id, { ...node, availability: 'pause' }, NOW);
  }
  pass('1,000 services have a task that no node takes', () => {});
  return made;
};

const subnetOf = (service: number): string => `10.${service >> 8}.${service & 255}`;

/** Each service on a network of its own, with an address. */
const connect = (state: ClusterState): void => {
  for (let at = 0; at < SERVICES; at += 1) {
    const [network, service] = [aNetwork(networkId(at), `${subnetOf(at)}.0/24`), aService(at)];
    state.set('network', network.id, network, NOW);
    const virtualIps = [{ networkId: network.id, addresses: [`${subnetOf(at)}.254/24`] }];
    const networks = [{ target: network.id, aliases: [], options: {} }];
    const spec = { ...service.spec, task: { ...service.spec.task, networks } };
    const endpoint = { spec: 1, ports: [], virtualIps, err: '' };
    state.set('service', service.id, { ...service, spec, endpoint }, NOW);
    const id = `${service.id}/1`;
    state.set('service-spec', id, { ...KEPT, id, name: spec.name, labels: {}, task: spec.task }, NOW);
    for (let slot = 1; slot <= REPLICAS; slot += 1) putOn(state, at, slot, aTask(at, slot));
  }
};

const putOn = (state: ClusterState, service: number, host: number, task: Task): void =>
  state.set(
    'task',
    task.id,
    {
      ...task,
      networks: [{ networkId: networkId(service), addresses: [`${subnetOf(service)}.${host}/24`] }],
    },
    NOW,
  );

export interface Told {
  readonly who: string;
  /** of the session's message, with its length */
  readonly bytes: number;
}

/** What nodes are told: all, when a session begins; then, that one task has come to its end and another one, on another node, runs. */
export const measureTold = (): readonly Told[] => {
  const state = fill();
  connect(state);
  const shared = new Shared(state);
  const to = (nodeId: string): AssignedTo => ({ nodeId, asked: new Set(), openSecret: () => undefined });
  const assigned = (nodeId: string) => assignedTo(state, to(nodeId), shared);
  const SERVICE = 7;
  const NEW_NODE = 500; // none of its tasks is there
  const nodes = {
    'the node that has the task': nodeId(SERVICE + 1),
    'the node that gets another one': nodeId(NEW_NODE),
    'each of 99 others with tasks of the service': nodeId(SERVICE + 2),
    'a node that has no part in it': nodeId(NEW_NODE + 1),
  };
  const before = new Map(Object.values(nodes).map((id) => [id, assigned(id)]));
  const bytesOf = (nodeId: string, whole: boolean): number => {
    const former = whole ? new Map() : (before.get(nodeId) ?? new Map());
    const change = difference(former, assigned(nodeId));
    if (!whole && change.set.length + change.unset.length === 0) return 0;
    return encodeFrame({ type: 'assign', whole, ...change }).length;
  };
  const all = {
    who: 'a node whose session begins, which is told all',
    bytes: bytesOf(nodes['a node that has no part in it'], true),
  };
  const former = taskId(SERVICE, 1);
  state.set('task-status', former, reported(former, 'shutdown'), NOW);
  const next = { ...aTask(SERVICE, 1), id: idOf('next'), nodeId: nodeId(NEW_NODE) };
  putOn(state, SERVICE, 201, next);
  state.set('task-status', next.id, reported(next.id, 'running'), NOW);
  return [all, ...Object.entries(nodes).map(([who, id]) => ({ who, bytes: bytesOf(id, false) }))];
};
