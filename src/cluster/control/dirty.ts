/** Whether a task is as its service's spec wants it: versions differ with every change, tasks need not. */
import { isDeepStrictEqual } from 'node:util';
import type { Service, ServiceSpec, SpecVersion } from '../../model/swarm/service.js';
import { isAfter, type Task } from '../../model/swarm/task.js';
import { satisfies } from './constraint.js';
import { specOf } from './restart.js';
import { type ClusterState, isWanted } from './state.js';

/** `placement`: nothing else; `credentials`: only those by which its image is fetched */
type Difference = 'none' | 'placement' | 'credentials' | 'other';

const differenceOf = (spec: ServiceSpec, { task, endpoint }: SpecVersion): Difference => {
  if (!isDeepStrictEqual(spec.endpoint, endpoint)) return 'other';
  const { placement, registryAuth, ...rest } = spec.task;
  const { placement: formerPlacement, registryAuth: formerAuth, ...former } = task;
  if (!isDeepStrictEqual(rest, former)) return 'other';
  const [samePlacement, sameAuth] = [
    isDeepStrictEqual(placement, formerPlacement),
    registryAuth === formerAuth,
  ];
  if (samePlacement) return sameAuth ? 'none' : 'credentials';
  return sameAuth ? 'placement' : 'other';
};

/** Many tasks are of the same two specs. */
const KNOWN = new WeakMap<SpecVersion, { readonly spec: ServiceSpec; readonly difference: Difference }>();

const difference = (spec: ServiceSpec, version: SpecVersion): Difference => {
  const known = KNOWN.get(version);
  if (known?.spec === spec) return known.difference;
  const found = { spec, difference: differenceOf(spec, version) };
  KNOWN.set(version, found);
  return found.difference;
};

const fits = (state: ClusterState, service: Service, nodeId: string): boolean => {
  const node = state.get('node', nodeId);
  const facts = node && { node, state: state.get('node-state', nodeId) };
  return facts !== undefined && satisfies(service.spec.task.placement?.constraints ?? [], facts);
};

/** It has its image, so nothing will be fetched for it any more. */
const hasImage = (state: ClusterState, task: Task): boolean => {
  const { state: now } = state.status(task);
  return isWanted(task) && !isAfter('ready', now) && !isAfter(now, 'running');
};

export const isDirty = (state: ClusterState, service: Service, task: Task): boolean => {
  if (task.spec === service.specVersion) return false;
  const version = specOf(state, task);
  if (!version) return true;
  const how = difference(service.spec, version);
  if (how === 'placement') return !fits(state, service, task.nodeId);
  return how === 'credentials' ? !hasImage(state, task) : how === 'other';
};
