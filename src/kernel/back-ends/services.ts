/** Addresses of services in sandboxes: a table of nftables each, and the flows that led to who is no backend any more. */
import { ifThere } from '../../errno.js';
import { forgetsFlows, type ServiceChange, serviceChanges } from '../../plan/kinds/services.js';
import type { ServicesObject } from '../../plan/objects.js';
import type { Step } from '../../plan/plan.js';
import { forgetServiceFlows } from '../conntrack.js';
import { changeServices, dropServices, readServices, writeServices } from '../nftables/services.js';
import type { BackEnd } from './contract.js';
import { Forgetting } from './forgetting.js';

/** Whoever is a backend again when it is his turn keeps his flows. */
const follow = (forgetting: Forgetting, ns: string, change: ServiceChange): void => {
  const { address, after } = change;
  const key = `${ns} ${address}`;
  if (!after) forgetting.never(key);
  if (!after || !(forgetsFlows(change) || forgetting.has(key))) return;
  const stays = new Set([...after.backends, ...(after.leaving ?? [])]);
  forgetting.later(key, () => void forgetServiceFlows(ns, address, stays));
};

const carryOut = (step: Step<ServicesObject>): void => {
  if (step.op === 'create') writeServices(step.object);
  else if (step.op === 'replace') changeServices(step.object, step.before);
  else ifThere(() => dropServices(step.object));
};

/** `any`: may there be services at all? Asked at each look, as no sandbox is looked into where there are none. */
export const servicesBackEnd = (any: () => boolean): BackEnd<ServicesObject> => {
  const forgetting = new Forgetting();
  const observed = (ns: string): readonly ServicesObject[] => {
    const services = ifThere(() => readServices(ns));
    return services ? [{ kind: 'services', ns, services }] : [];
  };
  return {
    run([step], _, done) {
      if (!step) return;
      carryOut(step);
      done(step);
    },
    observe: (said) =>
      any() ? [...said, ...said.flatMap((o) => (o.kind === 'netns' ? observed(o.path) : []))] : said,
    present: (o) => observed(o.ns).some((found) => serviceChanges(found, o).length === 0),
    follow(plan) {
      for (const step of plan)
        if (step.op === 'replace' && step.object.kind === 'services' && step.before.kind === 'services')
          for (const change of serviceChanges(step.before, step.object))
            follow(forgetting, step.object.ns, change);
    },
    close: () => forgetting.close(),
  };
};
