/** Addresses of services in sandboxes: a table of nftables each, and the flows that led to who is no backend any more. */
import { ifThere } from '../../errno.js';
import { KernelError } from '../../errors.js';
import { forgetsFlows, type ServiceChange, serviceChanges } from '../../plan/kinds/services.js';
import type { ServiceAddress, ServicesObject } from '../../plan/objects.js';
import type { Step } from '../../plan/plan.js';
import { forgetServiceFlows } from '../conntrack.js';
import { changeServices, dropServices, readServices, writeServices } from '../nftables/services.js';
import type { BackEnd } from './contract.js';

/**
 * Flows to be forgotten, by namespace and address, one in each turn of the loop: the kernel walks through its whole table for each
 * (1 ms). Whoever is a backend again when it is his turn keeps his.
 */
class Forgetting {
  readonly #waiting = new Map<string, { readonly ns: string; readonly service: ServiceAddress }>();
  #next: NodeJS.Immediate | undefined;

  follow(ns: string, change: ServiceChange): void {
    const key = `${ns} ${change.address}`;
    if (!change.after) this.#waiting.delete(key);
    else if (forgetsFlows(change) || this.#waiting.has(key))
      this.#waiting.set(key, { ns, service: change.after });
    if (this.#waiting.size > 0) this.#next ??= setImmediate(() => this.#forget());
  }

  close(): void {
    if (this.#next) clearImmediate(this.#next);
  }

  #forget(): void {
    this.#next = undefined;
    const [first] = this.#waiting;
    if (!first) return;
    const [key, { ns, service }] = first;
    this.#waiting.delete(key);
    const { address, backends, leaving = [] } = service;
    try {
      ifThere(() => forgetServiceFlows(ns, address, new Set([...backends, ...leaving])));
    } catch (error) {
      // A kernel without ctnetlink keeps its flows.
      if (!(error instanceof KernelError)) throw error;
    }
    if (this.#waiting.size > 0) this.#next = setImmediate(() => this.#forget());
  }
}

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
            forgetting.follow(step.object.ns, change);
    },
    close: () => forgetting.close(),
  };
};
