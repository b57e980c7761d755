/** Gives out what is scarce: ports and addresses of services, addresses of their tasks. */
import type { Draft } from '../draft.js';
import { byAgeOf } from '../slots.js';
import { allocateService, isAllocated } from './services.js';
import { allocateTask } from './tasks.js';

export const allocateServices = (draft: Draft): void => {
  for (const service of draft.state.all('service').values())
    if (!isAllocated(service)) allocateService(draft, service);
};

export const allocateTasks = (draft: Draft): void => {
  const { state } = draft;
  for (const task of byAgeOf(state.unallocated)) {
    if (draft.full) return;
    allocateTask(draft, task);
  }
};
