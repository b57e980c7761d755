/** Flows to ports of the routing mesh: what leads where it may not is forgotten when a plan is through. */
import { contains, parseAddress, parsePrefix } from '../../model/address.js';
import { losesFlows } from '../../plan/kinds/flows.js';
import { type FlowsObject, objectKey } from '../../plan/objects.js';
import { forgetFlows } from '../conntrack.js';
import type { BackEnd } from './contract.js';
import { Forgetting } from './forgetting.js';

const forget = ({ protocol, port, count, subnets, to }: FlowsObject): void => {
  const within = subnets.flatMap((subnet) => parsePrefix(subnet) ?? []);
  const stays = new Set(to);
  const isLost = (address: string): boolean => {
    const parsed = stays.has(address) ? undefined : parseAddress(address);
    return parsed !== undefined && within.some((prefix) => contains(prefix, parsed));
  };
  forgetFlows({ protocol, port, count }, isLost);
};

export const flowsBackEnd = (): BackEnd<FlowsObject> => {
  const forgetting = new Forgetting();
  const known = new Map<string, FlowsObject>();
  return {
    run([step], _, done) {
      if (!step) return;
      if (step.op === 'delete') known.delete(objectKey(step.object));
      else known.set(objectKey(step.object), step.object);
      done(step);
    },
    observe: (said) => [...said, ...known.values()],
    present: (o) => known.get(objectKey(o))?.to.join() === o.to.join(),
    follow(plan) {
      for (const step of plan) {
        const { object } = step;
        if (object.kind !== 'flows') continue;
        if (step.op === 'delete') forgetting.never(objectKey(object));
        else if (
          step.op === 'create' ||
          forgetting.has(objectKey(object)) ||
          (step.before.kind === 'flows' && losesFlows(step.before, object))
        )
          forgetting.later(objectKey(object), () => forget(object));
      }
    },
    close: () => forgetting.close(),
  };
};
