/** One service: tasks are made, replaced, brought up to date and told to go, as its mode says. */
import type { Instant } from '../../../model/swarm/kept.js';
import type { Service } from '../../../model/swarm/service.js';
import type { Draft } from '../draft.js';
import { start } from '../start.js';
import { global } from './global.js';
import { globalJob, replicatedJob } from './jobs.js';
import { replicated } from './replicated.js';
import { serviceNow } from './slots.js';

const byMode = (draft: Draft, service: Service): Instant => {
  const { mode } = service.spec;
  switch (mode.kind) {
    case 'replicated':
      return replicated(draft, service, mode.replicas);
    case 'global':
      return global(draft, service);
    case 'replicated-job':
      return replicatedJob(draft, service, mode);
    case 'global-job':
      return globalJob(draft, service);
  }
};

/** Answers when to look again. */
export const orchestrate = (draft: Draft, service: Service): Instant => {
  const wake = byMode(draft, service);
  return Math.min(wake, start(draft, serviceNow(draft, service)));
};
