/** `service create`, `update`, `rollback` and `rm`: what becomes of the records, or why it is refused, in swarmkit's words. */
import { isDeepStrictEqual } from 'node:util';
import type { PortConfig } from '../../../model/swarm/endpoint.js';
import { type Instant, unwritten } from '../../../model/swarm/kept.js';
import { keyOf } from '../../../model/swarm/records.js';
import type { FileReference, Service, ServiceSpec, UpdateStatus } from '../../../model/swarm/service.js';
import { outOfSequence, rpcError } from '../../rpc.js';
import { checkFixed } from '../allocate/fixed.js';
import { networksOf } from '../allocate/services.js';
import type { Edit, Unit } from '../draft.js';
import { versionOf } from '../make.js';
import type { ClusterState } from '../state.js';
import { validateSpec } from './validate.js';
import { type CommandView, unitOf } from './view.js';

const NAME_TAKEN = 'name conflicts with an existing object';

const portKey = ({ protocol, publishedPort }: PortConfig): string => `${protocol}/${publishedPort}`;

/** Ports that a service names or was given. */
const portsOf = ({ spec, endpoint }: Service): readonly PortConfig[] => [
  ...(spec.endpoint?.ports ?? []),
  ...(endpoint?.ports ?? []),
];

const portConflict = (
  wanted: ReadonlyMap<string, PortConfig['mode']>,
  service: Service,
): string | undefined => {
  for (const port of portsOf(service)) {
    const mode = port.publishedPort === 0 ? undefined : wanted.get(portKey(port));
    // Two services may publish the same port by the nodes themselves: the scheduler keeps them apart.
    if (!mode || (mode === 'host' && port.mode === 'host')) continue;
    const how = port.mode === 'host' ? 'a host-published port' : 'an ingress port';
    return `port '${port.publishedPort}' is already in use by service '${service.spec.name}' (${service.id}) as ${how}`;
  }
  return undefined;
};

const checkPorts = (state: ClusterState, spec: ServiceSpec, self: string): void => {
  const wanted = new Map<string, PortConfig['mode']>();
  for (const port of spec.endpoint?.ports ?? [])
    if (port.publishedPort !== 0) wanted.set(portKey(port), port.mode);
  if (wanted.size === 0) return;
  for (const service of state.all('service').values()) {
    const conflict = service.id === self ? undefined : portConflict(wanted, service);
    if (conflict !== undefined) throw rpcError('InvalidArgument', conflict);
  }
};

const checkReferences = (
  state: ClusterState,
  kind: 'secret' | 'config',
  references: readonly FileReference[],
): void => {
  const missing = references.filter(({ id, name }) => state.get(kind, id)?.name !== name);
  if (missing.length === 0) return;
  const names = missing.map(({ name }) => name).join(', ');
  throw rpcError('InvalidArgument', `${kind}${missing.length === 1 ? '' : 's'} not found: ${names}`);
};

const checkNetworks = (state: ClusterState, spec: ServiceSpec): void => {
  for (const { target } of spec.task.networks) {
    const network = state.get('network', target);
    if (network?.ingress)
      throw rpcError(
        'InvalidArgument',
        `Service cannot be explicitly attached to the ingress network "${network.network.name}"`,
      );
  }
  const networks = networksOf(state, spec.task, spec.endpoint);
  if (networks === 'ingress network is missing')
    throw rpcError('FailedPrecondition', 'service needs ingress network, but no ingress network is present');
  if (typeof networks === 'string') throw rpcError('InvalidArgument', networks);
};

const check = (state: ClusterState, spec: ServiceSpec, self: string): void => {
  checkNetworks(state, spec);
  checkFixed(state, spec, self);
  checkPorts(state, spec, self);
  checkReferences(state, 'secret', spec.task.secrets);
  checkReferences(state, 'config', spec.task.configs);
};

const isJob = ({ mode }: ServiceSpec): boolean => mode.kind.endsWith('job');

/** Throws what swarmkit refuses. */
export const createService = (
  view: CommandView,
  spec: ServiceSpec,
): { readonly id: string; readonly unit: Unit } => {
  const { state, now, newId } = view;
  validateSpec(spec);
  check(state, spec, '');
  const name = `service/${spec.name}`;
  if (state.get('name', name))
    throw rpcError('AlreadyExists', `${NAME_TAKEN}: service ${spec.name} already exists`);
  const service: Service = {
    ...unwritten(now),
    id: newId(),
    spec,
    specVersion: 1,
    newestSpec: 1,
    createdAt: now,
    updatedAt: now,
    ...(isJob(spec) ? { job: { iteration: 0, lastExecution: now } } : {}),
  };
  const unit = unitOf(view, [
    ['service', service],
    ['service-spec', versionOf(service, now)],
    ['name', { ...unwritten(now), id: name, owner: keyOf('service', service.id) }],
  ]);
  return { id: service.id, unit };
};

/** Since when its spec is what it is: the leader writes to a service too, which is nothing to whoever has seen its spec. */
const changedAt = (state: ClusterState, { id, specVersion, version }: Service): number =>
  state.get('service-spec', `${id}/${specVersion}`)?.version ?? version;

const found = (state: ClusterState, id: string, version: number): Service => {
  const service = state.get('service', id);
  if (!service) throw rpcError('NotFound', `service ${id} not found`);
  if (version < changedAt(state, service) || version > service.version) throw outOfSequence();
  return service;
};

/** A job runs once more with each update. */
const rerun = ({ job }: Service, now: number): Pick<Service, 'job'> =>
  job ? { job: { iteration: job.iteration + 1, lastExecution: now } } : {};

/** `version`: the one that the user has seen. */
export const updateService = (view: CommandView, id: string, version: number, spec: ServiceSpec): Unit => {
  const { state, now } = view;
  const service = found(state, id, version);
  validateSpec(spec);
  if (!isDeepStrictEqual(spec.endpoint, service.spec.endpoint)) checkPorts(state, spec, id);
  check(state, spec, id);
  if (spec.mode.kind !== service.spec.mode.kind)
    throw rpcError('Unimplemented', 'service mode change is not allowed');
  if (spec.name !== service.spec.name) throw rpcError('Unimplemented', 'renaming services is not supported');
  const { update: _over, ...rest } = service;
  const updated: Service = {
    ...rest,
    ...rerun(service, now),
    spec,
    specVersion: service.newestSpec + 1,
    newestSpec: service.newestSpec + 1,
    previous: { spec: service.spec, specVersion: service.specVersion },
    updatedAt: now,
  };
  const edits: Edit[] = [
    ['service', updated],
    ['service-spec', versionOf(updated, now)],
  ];
  return unitOf(view, edits);
};

/** Jobs have none: what they did is not undone, they run again. */
const askedBack = (now: Instant, from: number): UpdateStatus => ({
  state: 'rollback_started',
  message: 'manually requested rollback',
  startedAt: now,
  from,
  slots: 0,
  failures: 0,
});

export const rollbackService = (view: CommandView, id: string, version: number): Unit => {
  const { state, now } = view;
  const service = found(state, id, version);
  const { previous } = service;
  if (!previous) throw rpcError('FailedPrecondition', `service ${id} does not have a previous spec`);
  const rolled: Service = {
    ...service,
    ...rerun(service, now),
    ...previous,
    previous: { spec: service.spec, specVersion: service.specVersion },
    updatedAt: now,
    ...(service.job ? {} : { update: askedBack(now, service.specVersion) }),
  };
  return unitOf(view, [
    ['service', rolled],
    ['service-spec', versionOf(rolled, now)],
  ]);
};

/** Its tasks, ports and addresses follow when the leader sees that it is gone. */
export const removeService = (view: CommandView, id: string): Unit => {
  const { state } = view;
  const service = state.get('service', id);
  if (!service) throw rpcError('NotFound', `service ${id} not found`);
  const name = state.get('name', `service/${service.spec.name}`);
  return unitOf(view, [['service', service, 'remove'], ...(name ? [['name', name, 'remove'] as const] : [])]);
};
