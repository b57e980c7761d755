/** Makes the records of new tasks, and tells those that are there to run, to end or to vanish. */

import { type Instant, unwritten } from '../../model/swarm/kept.js';
import type { Service, SpecVersion } from '../../model/swarm/service.js';
import type { DesiredState, Task } from '../../model/swarm/task.js';
import type { Draft, Edit } from './draft.js';

export interface Making {
  readonly slot: number;
  /** empty: the scheduler chooses */
  readonly nodeId: string;
  readonly desired: DesiredState;
  readonly delay?: number;
  readonly updating?: number;
}

/** By the service's spec as it is now. */
export const makeTask = (
  { now, newId }: Draft,
  service: Service,
  { slot, nodeId, desired, delay = 0, updating }: Making,
): Task => ({
  ...unwritten(now),
  id: newId(),
  serviceId: service.id,
  spec: service.specVersion,
  slot,
  nodeId,
  desired,
  status: { state: 'new', message: 'created', err: '', at: now },
  networks: [],
  ...(service.job ? { iteration: service.job.iteration } : {}),
  ...(updating === undefined ? {} : { updating }),
  delay,
  createdAt: now,
});

/** What is asked of tasks of the service that are to run. */
export const toRun = ({ job }: Service): DesiredState => (job ? 'complete' : 'running');

export const wish = (task: Task, desired: DesiredState): Edit => ['task', { ...task, desired }];

/**
 * What tasks of a service's present spec are made by. Written again whenever a spec becomes the present one, so that its version
 * is that of the service's last change.
 */
export const versionOf = ({ id, specVersion, spec }: Service, now: Instant): SpecVersion => ({
  ...unwritten(now),
  id: `${id}/${specVersion}`,
  name: spec.name,
  labels: spec.labels,
  task: spec.task,
  ...(spec.endpoint ? { endpoint: spec.endpoint } : {}),
});
