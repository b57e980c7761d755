/** Records of a small cluster, for tests of its controllers. */
import { control, type Pass } from '../../src/cluster/control/index.js';
import { ClusterState } from '../../src/cluster/control/state.js';
import type { Network } from '../../src/model/network.js';
import type { SwarmNetwork } from '../../src/model/swarm/cluster.js';
import type { Kept } from '../../src/model/swarm/kept.js';
import type { Node } from '../../src/model/swarm/node.js';
import type { Kind, SwarmRecords } from '../../src/model/swarm/records.js';
import type { Service, ServiceSpec, TaskSpec } from '../../src/model/swarm/service.js';
import type { Task, TaskReport } from '../../src/model/swarm/task.js';

export const NOW = 1_800_000_000_000;

export const kept: Kept = { version: 1, created: 1, seen: NOW, firstSeen: NOW };

export const aNode = (id: string, of: Partial<Node> = {}): Node => ({
  ...kept,
  id,
  name: '',
  labels: {},
  role: 'worker',
  availability: 'active',
  createdAt: NOW,
  updatedAt: NOW,
  number: Number(id.slice(1)),
  status: { state: 'ready', message: '' },
  ...of,
});

export const aTaskSpec = (of: Partial<TaskSpec> = {}): TaskSpec => ({
  container: { Image: 'fine' },
  secrets: [],
  configs: [],
  networks: [],
  forceUpdate: 0,
  ...of,
});

export const aSpec = (of: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name: 'web',
  labels: {},
  mode: { kind: 'replicated', replicas: 1 },
  task: aTaskSpec(),
  ...of,
});

export const aService = (spec: ServiceSpec, of: Partial<Service> = {}): Service => ({
  ...kept,
  id: `id${spec.name}`,
  spec,
  specVersion: 1,
  newestSpec: 1,
  createdAt: NOW,
  updatedAt: NOW,
  ...of,
});

/** Assigned, and to run. */
export const aTask = (service: Service, of: Partial<Task> = {}): Task => ({
  ...kept,
  id: 'task',
  serviceId: service.id,
  spec: service.specVersion,
  slot: 1,
  nodeId: 'n1',
  desired: 'running',
  status: { state: 'assigned', message: '', err: '', at: NOW },
  networks: [],
  delay: 0,
  createdAt: NOW,
  ...of,
});

/** Of one subnet, attachable. */
export const aNetwork = (id: string, subnet: string, ingress = false): SwarmNetwork => ({
  ...kept,
  id,
  network: {
    id: id as Network['id'],
    name: id,
    driver: 'overlay',
    scope: 'swarm',
    createdAt: '',
    ipv4: true,
    ipv6: false,
    internal: false,
    attachable: true,
    configOnly: false,
    configFrom: '',
    options: {},
    labels: {},
    ipam: { driver: 'default', options: null, config: [] },
    pools: [{ family: 4, subnet, auxiliary: {} }],
    overlay: { vni: 4096, port: 4789, mtu: 1450 },
    predefined: false,
  },
  ingress,
  vni: 4096,
  updatedAt: NOW,
});

/** A cluster in memory, whose decisions are carried out when it is told to. */
export class SmallCluster {
  readonly state = new ClusterState(NOW);
  now = NOW;
  #revision = 1;
  #ids = 0;

  set<K extends Kind>(kind: K, record: SwarmRecords[K]): this {
    const id = kind === 'cluster' ? '' : record.id;
    const former = this.state.get(kind, id);
    this.#revision += 1;
    const mirrored = {
      version: this.#revision,
      created: former?.created ?? this.#revision,
      seen: this.now,
      firstSeen: former?.firstSeen ?? this.now,
    };
    this.state.set(kind, id, { ...record, ...mirrored }, this.now);
    return this;
  }

  node(id: string, of: Partial<Node> = {}): this {
    this.set('node', aNode(id, of));
    return this.set('session', { ...kept, id, manager: 'm', epoch: 'e' });
  }

  service(spec: ServiceSpec, of: Partial<Service> = {}): Service {
    const service = aService(spec, of);
    const { name, labels, task, endpoint } = spec;
    const id = `${service.id}/${service.specVersion}`;
    this.set('service', service);
    this.set('service-spec', { ...kept, id, name, labels, task, ...(endpoint ? { endpoint } : {}) });
    return service;
  }

  report(task: Task, state: TaskReport['state'], of: Partial<TaskReport> = {}): this {
    const { id } = task;
    return this.set('task-status', { ...kept, id, state, message: '', err: '', at: this.now, ...of });
  }

  /** One pass, carried out. */
  pass(): Pass {
    const decided = control(this.state, this.now, () => {
      this.#ids += 1;
      return `t${this.#ids}`;
    });
    for (const { kind, id, record } of decided.units.flat()) {
      if (record)
        this.set(kind, record as never); // of its own kind
      else this.state.set(kind, id, undefined, this.now);
    }
    return decided;
  }

  get tasks(): readonly Task[] {
    return [...this.state.all('task').values()];
  }

  /** Those that are not told to stop. */
  get wanted(): readonly Task[] {
    return this.tasks.filter(({ desired }) => desired !== 'shutdown' && desired !== 'remove');
  }
}
