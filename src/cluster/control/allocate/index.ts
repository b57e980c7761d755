/** Gives out what is scarce: ports and addresses of services, addresses of their tasks. */
import type { Draft } from '../draft.js';
import { allocateService, isAllocated } from './services.js';
import { allocateTask } from './tasks.js';

export const allocateServices = (draft: Draft): void => {
  for (const service of draft.state.all('service').values())
    if (!isAllocated(service)) allocateService(draft, service);
};

export const allocateTasks = (draft: Draft): void => {
  const { state } = draft;
  for (const id of [...state.unallocated]) {
    if (draft.full) return;
    const task = state.get('task', id);
    if (task) allocateTask(draft, task);
  }
};
