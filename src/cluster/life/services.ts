/** Services and tasks, as a manager is asked for them: reads from its mirror, writes as the pure commands decide. */
import { refused } from '../../errors.js';
import { REGISTRY_CREDENTIALS, type Service, type ServiceSpec } from '../../model/swarm/service.js';
import { containerNameOf, type Task } from '../../model/swarm/task.js';
import type { Manager, ServiceCounts, TaskView } from '../contract.js';
import {
  createService,
  removeService,
  rollbackService,
  updateService,
} from '../control/commands/services.js';
import { isDirty } from '../control/dirty.js';
import { specOf } from '../control/restart.js';
import type { ClusterState } from '../control/state.js';
import type { Compare } from '../etcd/contract.js';
import { keyOf } from '../mirror/keys.js';
import { type CommitSettings, createCommit } from './commit.js';
import { find } from './find.js';
import { sealBlob } from './secrets.js';

interface ServiceSettings extends CommitSettings {
  readonly dataKey: Buffer;
}

const wanted = (service: Service, tasks: readonly Task[], isComplete: (task: Task) => boolean): number => {
  const { mode } = service.spec;
  if (mode.kind === 'replicated') return mode.replicas;
  if (mode.kind === 'replicated-job') return mode.maxConcurrent;
  return tasks.filter(
    (task) => task.desired === 'running' || (task.desired === 'complete' && !isComplete(task)),
  ).length;
};

/** As swarmkit counts: of a job those of its present run. */
const countTasks = (state: ClusterState, service: Service): ServiceCounts => {
  const tasks = [...state.tasksOf(service.id).tasks.values()].filter(
    ({ iteration }) => iteration === service.job?.iteration,
  );
  const isIn = (wantedState: string) => (task: Task) => state.status(task).state === wantedState;
  return {
    running: tasks.filter(isIn('running')).length,
    desired: wanted(service, tasks, isIn('complete')),
    completed: service.job ? tasks.filter(isIn('complete')).length : 0,
  };
};

const taskName = (state: ClusterState, task: Task): string =>
  containerNameOf(specOf(state, task)?.name ?? task.serviceId, task);

const viewTask = (state: ClusterState, task: Task): TaskView => ({
  task,
  name: taskName(state, task),
  status: state.status(task),
  report: state.report(task),
  made: specOf(state, task),
  networks: task.networks.flatMap(({ networkId, addresses }) => {
    const network = state.get('network', networkId);
    return network ? [{ network, addresses }] : [];
  }),
});

/** What a spec names must still be there when it is written. */
const needsOf = (
  { mirror: { state, prefix } }: CommitSettings,
  { task }: ServiceSpec,
): readonly Compare[] => {
  const named = [
    ...task.networks.map(({ target }) => ['network', target] as const),
    ...task.secrets.map(({ id }) => ['secret', id] as const),
    ...task.configs.map(({ id }) => ['config', id] as const),
  ];
  return [...new Map(named.map((each) => [keyOf(each[0], each[1]), each])).values()].flatMap(([kind, id]) => {
    const record = state.get(kind, id);
    return record ? [{ key: prefix + keyOf(kind, id), createRevision: record.created }] : [];
  });
};

const spelled = (spec: ServiceSpec, registryAuth: string | undefined): ServiceSpec =>
  registryAuth === undefined ? spec : { ...spec, task: { ...spec.task, registryAuth } };

/** Its credentials as records have them. */
const sealed = ({ mirror, dataKey }: ServiceSettings, spec: ServiceSpec): ServiceSpec => {
  const { registryAuth: plain } = spec.task;
  const id = mirror.state.get('cluster', '')?.id ?? '';
  return plain === undefined
    ? spec
    : spelled(spec, sealBlob(dataKey, id, { id: REGISTRY_CREDENTIALS, data: plain }));
};

/** Credentials stay as they were where none are given. */
const withCredentials = (
  settings: ServiceSettings,
  spec: ServiceSpec,
  service: Service,
  from: 'spec' | 'previous-spec',
): ServiceSpec => {
  if (spec.task.registryAuth !== undefined) return sealed(settings, spec);
  const former = from === 'spec' ? service.spec : service.previous?.spec;
  if (!former) throw refused('service does not have a previous spec');
  return spelled(spec, former.task.registryAuth);
};

type Services = Pick<
  Manager,
  | 'services'
  | 'service'
  | 'counts'
  | 'createService'
  | 'updateService'
  | 'removeService'
  | 'tasks'
  | 'task'
  | 'isUpToDate'
>;

export const createServices = (settings: ServiceSettings): Services => {
  const { state } = settings.mirror;
  const commit = createCommit(settings);
  const service = (reference: string): Service =>
    find({ kind: 'service', all: state.all('service'), nameOf: ({ spec }) => spec.name }, reference);
  return {
    services: () => [...state.all('service').values()],
    service,
    counts: (of) => countTasks(state, of),
    async createService(wish) {
      const spec = sealed(settings, wish);
      const { id } = await commit((view) => ({
        ...createService(view, spec),
        needs: needsOf(settings, spec),
      }));
      return id;
    },
    async updateService(reference, version, change) {
      const { id } = service(reference);
      await commit((view) => {
        if (change === 'rollback') return { unit: rollbackService(view, id, version) };
        const spec = withCredentials(settings, change.spec, service(id), change.credentialsFrom);
        return { unit: updateService(view, id, version, spec), needs: needsOf(settings, spec) };
      });
    },
    async removeService(reference) {
      const { id } = service(reference);
      await commit((view) => ({ unit: removeService(view, id) }));
    },
    tasks: (services) => {
      const found = services
        ? services.flatMap((id) => [...state.tasksOf(id).tasks.values()])
        : [...state.all('task').values()];
      return found.map((task) => viewTask(state, task));
    },
    task: (reference) =>
      viewTask(
        state,
        find({ kind: 'task', all: state.all('task'), nameOf: (task) => taskName(state, task) }, reference),
      ),
    isUpToDate(task) {
      const of = state.get('service', task.serviceId);
      return of !== undefined && !isDirty(state, of, task);
    },
  };
};
