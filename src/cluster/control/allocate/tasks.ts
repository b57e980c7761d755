/** Addresses for tasks: what they need before a node is looked for. A task waits, and says why, as long as it cannot have them. */
import type { NetworkAddresses } from '../../../model/swarm/endpoint.js';
import { keyOf } from '../../../model/swarm/records.js';
import type { Task } from '../../../model/swarm/task.js';
import { type Draft, type Edit, LARGEST_UNIT } from '../draft.js';
import { specOf } from '../restart.js';
import { allocateAddresses } from './addresses.js';
import { fixedForTask } from './fixed.js';
import { isAllocated, networksOf } from './services.js';

interface Found {
  readonly networks: readonly NetworkAddresses[];
  readonly edits: readonly Edit[];
}

const addressesFor = (draft: Draft, task: Task): Found | string => {
  const { state } = draft;
  const service = state.get('service', task.serviceId);
  const spec = specOf(state, task);
  if (!service || !spec) return '';
  if (!isAllocated(service)) return service.endpoint?.err ?? '';
  const networks = networksOf(state, spec.task, spec.endpoint);
  if (typeof networks === 'string') return networks;
  const found: { networks: NetworkAddresses[]; edits: Edit[] } = { networks: [], edits: [] };
  for (const network of networks) {
    const fixed = fixedForTask(state, network, spec.task, task);
    if (typeof fixed === 'string') return fixed;
    const allocation = allocateAddresses(draft, network, keyOf('task', task.id), fixed.addresses);
    if (typeof allocation === 'string') return allocation;
    found.networks.push(allocation.addresses);
    found.edits.push(...fixed.edits, ...allocation.edits);
  }
  // One transaction must hold them all.
  if (found.edits.length >= LARGEST_UNIT) return `more networks than one task can have (${networks.length})`;
  return found;
};

export const allocateTask = (draft: Draft, task: Task): void => {
  const found = addressesFor(draft, task);
  const { now } = draft;
  if (typeof found !== 'string') {
    const status = { state: 'pending', message: 'pending task scheduling', err: '', at: now } as const;
    draft.unit(['task', { ...task, networks: found.networks, status }], ...found.edits);
  } else if (found !== task.status.err)
    draft.unit(['task', { ...task, status: { ...task.status, err: found, at: now } }]);
};
