/** What must hold of a cluster at every moment, whoever leads and whatever fails. Each answers sentences; none: it holds. */
import { assignedTo, itemsOf } from '../../src/cluster/control/assignment.js';
import { updating } from '../../src/cluster/control/defaults.js';
import { specOf } from '../../src/cluster/control/restart.js';
import { isOver, slotsOf, wantedIn } from '../../src/cluster/control/slots.js';
import { type ClusterState, isWanted } from '../../src/cluster/control/state.js';
import { bare } from '../../src/model/address.js';
import { NEXT_LIVENESS } from '../../src/model/swarm/node.js';
import { type Kind, keyOf, type SwarmRecords } from '../../src/model/swarm/records.js';
import { NEXT_UPDATE, type Service } from '../../src/model/swarm/service.js';
import { isAfter, NEXT_DESIRED, type Task } from '../../src/model/swarm/task.js';

type Broken = readonly string[];

export interface Seen {
  readonly kind: Kind;
  readonly id: string;
  readonly before: SwarmRecords[Kind] | undefined;
  readonly after: SwarmRecords[Kind] | undefined;
  /** the leader's doing, not a user's */
  readonly byLeader: boolean;
}

const pair = <K extends Kind>(
  kind: K,
  seen: Seen,
): readonly [SwarmRecords[K], SwarmRecords[K]] | undefined =>
  seen.kind === kind && seen.before && seen.after
    ? [seen.before as SwarmRecords[K], seen.after as SwarmRecords[K]] // the change is of this kind
    : undefined;

/** Nothing goes back, and nothing takes a way that is not in the tables. */
export const transitions = (seen: Seen): Broken => {
  const broken: string[] = [];
  const say = (what: string, from: string, to: string): void => {
    broken.push(`${seen.kind} ${seen.id}: ${what} from ${from} to ${to}`);
  };
  const task = pair('task', seen);
  if (task && task[0].desired !== task[1].desired && !NEXT_DESIRED[task[0].desired].includes(task[1].desired))
    say('is wanted', task[0].desired, task[1].desired);
  if (task && isAfter(task[0].status.state, task[1].status.state))
    say('goes back', task[0].status.state, task[1].status.state);
  if (task && task[0].nodeId !== '' && task[0].nodeId !== task[1].nodeId)
    say('moves', task[0].nodeId, task[1].nodeId);
  const report = pair('task-status', seen);
  if (report && isAfter(report[0].state, report[1].state)) say('goes back', report[0].state, report[1].state);
  const node = pair('node', seen);
  const [was, is] = node?.map(({ status }) => status.state) ?? [];
  if (was && is && was !== is && !NEXT_LIVENESS[was].includes(is)) say('is', was, is);
  const service = seen.byLeader ? pair('service', seen) : undefined;
  const [former, present] = service?.map(({ update }) => update?.state) ?? [];
  if (former && present && former !== present && !NEXT_UPDATE[former].includes(present))
    say('update', former, present);
  return broken;
};

/** Every address is of exactly one, and whoever has one has its key. */
export const addresses = (state: ClusterState): Broken => {
  const broken: string[] = [];
  const holders = new Map<string, string>();
  const hold = (owner: string, networkId: string, all: readonly string[]): void => {
    for (const address of all) {
      const id = `${networkId}/${bare(address)}`;
      const other = holders.get(id);
      if (other) broken.push(`${id} is of ${owner} and of ${other}`);
      holders.set(id, owner);
      const claimed = state.get('ip', id)?.owner;
      if (claimed !== owner) broken.push(`${id} is of ${owner}, but its key says ${claimed}`);
    }
  };
  for (const task of state.all('task').values())
    if (!isOver(state, task))
      for (const { networkId, addresses: all } of task.networks) hold(keyOf('task', task.id), networkId, all);
  for (const service of state.all('service').values())
    for (const { networkId, addresses: all } of service.endpoint?.virtualIps ?? [])
      hold(keyOf('service', service.id), networkId, all);
  return broken;
};

/** Published ports, VXLAN and node numbers, subnets. */
export const numbers = (state: ClusterState): Broken => {
  const broken: string[] = [];
  const twice = (what: string, values: readonly (string | number)[]): void => {
    if (new Set(values).size < values.length) broken.push(`${what} twice among ${values.join(' ')}`);
  };
  twice(
    'a node number',
    [...state.all('node').values()].map(({ number }) => number).filter((n) => n > 0),
  );
  twice(
    'a VXLAN number',
    [...state.all('network').values()].map(({ vni }) => vni),
  );
  const services = [...state.all('service').values()];
  const ports = services.flatMap(({ id, endpoint }) =>
    (endpoint?.ports ?? [])
      .filter(({ mode }) => mode === 'ingress')
      .map((port) => ({ id, port: `${port.protocol}/${port.publishedPort}` })),
  );
  twice(
    'a port',
    ports.map(({ port }) => port),
  );
  for (const { id, port } of ports)
    if (state.get('port', port)?.owner !== keyOf('service', id))
      broken.push(`port ${port} of ${id} has another's key`);
  const subnets = [...state.all('network').values()].flatMap(({ network }) =>
    network.pools.map(({ subnet }) => subnet),
  );
  twice('a subnet', subnets);
  for (const subnet of subnets)
    if (state.routes.overlaps(subnet)) broken.push(`${subnet} is what a node routes itself`);
  return broken;
};

/** Of a slot one task is wanted to run; `most`: two only while an update starts the new one first. */
export const slots = (state: ClusterState, service: Service, most: number): Broken => {
  const broken: string[] = [];
  for (const [key, slot] of slotsOf(service, state.tasksOf(service.id))) {
    const running = wantedIn(slot).filter(
      (task) => task.desired !== 'ready' && !isAfter(state.status(task).state, 'running'),
    );
    if (running.length > most)
      broken.push(
        `${service.spec.name}: ${running.length} tasks are to run in slot ${key}: ${running.map(({ id }) => id).join(' ')}`,
      );
  }
  return broken;
};

/** No more slots at work than the update may have, and it goes no further than its failures allow. */
export const updates = (state: ClusterState, service: Service): Broken => {
  const { update } = service;
  if (!update || (update.state !== 'updating' && update.state !== 'rollback_started')) return [];
  const broken: string[] = [];
  const { parallelism, failureAction, maxFailureRatio } = updating(service);
  const atWork = [...state.tasksOf(service.id).tasks.values()].filter(
    (task) =>
      task.updating === update.from &&
      task.spec === service.specVersion &&
      isWanted(task) &&
      isAfter('running', state.status(task).state),
  );
  if (update.state === 'updating' && atWork.length > parallelism)
    broken.push(`${service.spec.name}: ${atWork.length} at once, ${parallelism} are allowed`);
  if (failureAction !== 'continue' && update.failures / Math.max(1, update.slots) > maxFailureRatio)
    broken.push(`${service.spec.name}: ${update.failures} of ${update.slots} failed, and it goes on`);
  return broken;
};

/** A node has no more than it has room for, and no secret that none of its tasks needs. */
export const onNode = (state: ClusterState, nodeId: string): Broken => {
  const broken: string[] = [];
  const tasks = [...state.tasksOn(nodeId).tasks.values()].filter(
    (task) => !isAfter('assigned', task.status.state) && !isOver(state, task),
  );
  const has = state.get('node-state', nodeId)?.description;
  let [memory, cpus] = [0, 0];
  const ports = new Map<string, string>();
  for (const task of tasks) {
    const spec = specOf(state, task);
    memory += spec?.task.resources?.reservations?.memoryBytes ?? 0;
    cpus += spec?.task.resources?.reservations?.nanoCpus ?? 0;
    for (const { mode, protocol, publishedPort } of spec?.endpoint?.ports ?? []) {
      if (mode !== 'host' || publishedPort === 0) continue;
      const other = ports.get(`${protocol}/${publishedPort}`);
      if (other) broken.push(`${nodeId}: ${other} and ${task.id} publish ${publishedPort}`);
      ports.set(`${protocol}/${publishedPort}`, task.id);
    }
  }
  if (has && (memory > has.memoryBytes || cpus > has.nanoCpus))
    broken.push(`${nodeId} has more tasks than room`);
  const needed = new Set(
    tasks.filter(isWanted).flatMap((task) => specOf(state, task)?.task.secrets.map(({ id }) => id) ?? []),
  );
  const to = { nodeId, asked: new Set<string>(), openSecret: () => '' };
  for (const item of itemsOf(assignedTo(state, to)).values())
    if (item.kind === 'secret' && !needed.has(item.id))
      broken.push(`${nodeId} is given the secret ${item.id}, which no task of it needs`);
  return broken;
};

/** At rest: nothing is there that nobody needs. */
export const leaks = (state: ClusterState): Broken => {
  const broken: string[] = [];
  for (const kind of ['ip', 'port', 'vni', 'number', 'name'] as const)
    for (const { id, owner } of state.all(kind).values())
      if (!state.has(owner)) broken.push(`${kind} ${id} is of ${owner}, which is not there`);
  for (const task of state.all('task').values()) {
    if (!state.get('service', task.serviceId) && isOver(state, task))
      broken.push(`task ${task.id} is left of a service that is gone`);
    if (isOver(state, task) && state.owned(keyOf('task', task.id)).length > 0)
      broken.push(`task ${task.id} is over and has addresses`);
  }
  for (const { id } of state.all('task-status').values())
    if (!state.get('task', id)) broken.push(`a status of ${id} is left`);
  for (const { id } of state.all('service-spec').values()) {
    const [serviceId = '', version] = id.split('/');
    const service = state.get('service', serviceId);
    const used = [service?.specVersion, service?.previous?.specVersion].includes(Number(version));
    const tasks = [...state.tasksOf(serviceId).tasks.values()].some(({ spec }) => spec === Number(version));
    if (!used && !tasks) broken.push(`spec ${id} is left`);
  }
  return broken;
};

const running = (state: ClusterState, slot: readonly Task[]): readonly Task[] =>
  wantedIn(slot).filter((task) => state.status(task).state === 'running');

/** It has no place, and says so. */
const waits = (state: ClusterState, slot: readonly Task[]): boolean =>
  wantedIn(slot).some(
    (task) => state.status(task).err !== '' && isAfter('assigned', state.status(task).state),
  );

/** It ended, and its policy wants no other. */
const stays = (slot: readonly Task[]): boolean => wantedIn(slot).length === 0;

const history = (state: ClusterState, service: Service): Broken => {
  const { maxAttempts = 0 } = service.spec.task.restart ?? {};
  const limit = Math.max(
    1,
    state.get('cluster', '')?.spec.historyLimit ?? 5,
    maxAttempts > 0 ? maxAttempts + 1 : 0,
  );
  return [...slotsOf(service, state.tasksOf(service.id))].flatMap(([key, slot]) =>
    slot.length > limit && slot.slice(0, -1).some((task) => !isWanted(task) && isOver(state, task))
      ? [`${service.spec.name}: ${slot.length} tasks in slot ${key}, ${limit} are to be kept`]
      : [],
  );
};

/** At rest: what runs is what is wanted, where it may be. */
export const settled = (state: ClusterState, service: Service): Broken => {
  const broken: string[] = [...history(state, service)];
  const { mode, name } = service.spec;
  const all = slotsOf(service, state.tasksOf(service.id));
  for (const [key, slot] of all) {
    if (mode.kind.endsWith('job') || stays(slot) || waits(state, slot)) continue;
    if (running(state, slot).length !== 1)
      broken.push(`${name}: ${running(state, slot).length} run in slot ${key}`);
    for (const task of running(state, slot)) {
      const node = state.get('node', task.nodeId);
      if (node?.availability === 'drain' || node?.status.state !== 'ready')
        broken.push(`${name}: ${task.id} runs on ${task.nodeId}`);
    }
  }
  if (mode.kind === 'replicated' && all.size < mode.replicas)
    broken.push(`${name}: ${all.size} of ${mode.replicas} slots`);
  if (mode.kind === 'replicated')
    for (const [key, slot] of all)
      if (
        Number(key) > 1000 ||
        (all.size > mode.replicas &&
          wantedIn(slot).length > 0 &&
          [...all.values()].filter((s) => wantedIn(s).length > 0).length > mode.replicas)
      )
        broken.push(`${name}: slot ${key} is too many`);
  if (mode.kind === 'replicated-job') {
    const done = [...all.values()].filter((slot) =>
      slot.some((task) => state.status(task).state === 'complete'),
    ).length;
    const open = [...all.values()].filter((slot) => stays(slot) || waits(state, slot)).length;
    if (done + open < Math.min(mode.totalCompletions, mode.maxConcurrent))
      broken.push(`${name}: ${done} done, ${open} given up`);
  }
  if (service.update?.state === 'updating' || service.update?.state === 'rollback_started') {
    const stuck = [...all.values()].some((slot) => waits(state, slot)) || service.endpoint?.err !== '';
    if (!stuck) broken.push(`${name}: its update does not end`);
  }
  return broken;
};
