/** How long one pass takes with many nodes and tasks: `npm run sim -- --scale`. */
import { control } from '../../src/cluster/control/index.js';
import { Quiet } from '../../src/cluster/control/quiet.js';
import { ClusterState } from '../../src/cluster/control/state.js';
import type { Node } from '../../src/model/swarm/node.js';
import type { Service, ServiceSpec } from '../../src/model/swarm/service.js';
import type { Task } from '../../src/model/swarm/task.js';

const [NODES, SERVICES, REPLICAS] = [1000, 1000, 100];
const NOW = 1_800_000_000_000;
const KEPT = { version: 1, created: 1, seen: NOW, firstSeen: NOW };

const aNode = (at: number): Node => ({
  ...KEPT,
  id: `n${at}`,
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
  id: `s${at}`,
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
  id: `t${service}-${slot}`,
  serviceId: `s${service}`,
  spec: 1,
  slot,
  nodeId: `n${(service + slot) % NODES}`,
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

/** Prints the milliseconds of each kind of pass, the median of five. */
export const measure = (): void => {
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
  const pass = (what: string, before: () => void): void => {
    const times: number[] = [];
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
      times.push(cpu() - began);
      changes = units.flat().length;
    }
    times.sort((a, b) => a - b);
    console.log(`${(times[2] ?? 0).toFixed(1)} ms\t${what} (${changes} changes)`);
  };
  const report = (id: string, to: 'failed' | 'running'): void =>
    state.set(
      'task-status',
      id,
      { ...KEPT, id, state: to, message: '', err: '', at: NOW, runningAt: NOW },
      NOW,
    );
  console.log(`${NODES} nodes, ${SERVICES} services of ${REPLICAS} tasks`);
  const times = settle();
  const sum = times.reduce((a, b) => a + b, 0);
  console.log(
    `${Math.max(...times).toFixed(1)} ms\tthe longest of a new leader’s first ${times.length} passes, ${sum.toFixed(0)} ms in all`,
  );
  pass('nothing new', () => {});
  pass('one task failed', () => report('t7-7', 'failed'));
  report('t7-7', 'running');
  const node = aNode(5);
  pass('a node is lost', () => {
    state.set('session', node.id, undefined, NOW);
    state.set('node', node.id, { ...node, status: { state: 'down', message: '' } }, NOW);
  });
  state.set('session', node.id, { ...KEPT, id: node.id, manager: 'm', epoch: '1' }, NOW);
  state.set('node', node.id, node, NOW);
  const service = aService(9);
  const more = {
    ...service,
    spec: { ...service.spec, mode: { kind: 'replicated', replicas: 200 } as const },
  };
  pass('a service gets 100 tasks more', () => state.set('service', service.id, more, NOW));
  const huge = {
    ...service,
    spec: { ...service.spec, mode: { kind: 'replicated', replicas: 100_000 } as const },
  };
  pass('a service gets 100,000', () => state.set('service', service.id, huge, NOW));
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
};
