/**
 * Self-healing: what somebody else removed or changed is put back from the records. Only slices that own a named link
 * are looked at again; foreign objects are never touched.
 */
import type { Drift, Kernel } from '../kernel/contract.js';
import { inOvs } from '../plan/depend.js';
import { diff } from '../plan/diff.js';
import { type KernelObject, objectKey, type Slice } from '../plan/objects.js';
import { allSlices, lacksLink } from './derive.js';
import type { Derive } from './ledger.js';
import type { Model } from './model.js';
import type { Logger } from './parts.js';
import { reachable } from './reachable.js';

interface Repairing {
  readonly kernel: Kernel;
  readonly model: Model;
  readonly derive: Derive;
  readonly log: Logger;
}

/** Links of endpoints are ours by form; what is none of theirs may be a network's bridge. */
const ENDPOINT_LINK = /^veth[0-9a-f]{11}$/;

/** The slices whose objects live on one of the links: the network of a bridge with its endpoints, or one endpoint. */
const slicesOn = ({ model, derive }: Repairing, names: ReadonlySet<string>): readonly Slice[] => {
  const slices = new Set<Slice>();
  const bridges = new Set<string>();
  for (const name of names) {
    const endpoint = model.endpointOnLink(name);
    if (endpoint) slices.add(`endpoint/${endpoint.id}`);
    else if (!ENDPOINT_LINK.test(name)) bridges.add(name);
  }
  if (bridges.size === 0) return [...slices];
  for (const network of model.networks.values()) {
    const owns = derive(model, `network/${network.id}`).some((o) => o.kind === 'link' && bridges.has(o.name));
    if (!owns) continue;
    slices.add(`network/${network.id}`);
    for (const e of model.endpointsOfNetwork(network.id)) slices.add(`endpoint/${e.id}`);
  }
  return [...slices];
};

/** Of Open vSwitch's, all slices that have something there: one transaction may have changed any. */
const slicesInOvs = ({ model, derive }: Repairing): readonly Slice[] =>
  allSlices(model).filter((slice) => derive(model, slice).some(inOvs));

const slicesFor = (parts: Repairing, drift: readonly Drift[]): readonly Slice[] => {
  if (drift.some((d) => d.kind === 'nftables')) return allSlices(parts.model);
  const names = new Set(drift.flatMap((d) => (d.kind === 'link' || d.kind === 'address' ? [d.name] : [])));
  const routes = drift.some((d) => d.kind === 'route');
  const ovs = drift.some((d) => d.kind === 'ovs') ? slicesInOvs(parts) : [];
  return [...new Set([...(routes && names.size === 0 ? [] : slicesOn(parts, names)), ...ovs])];
};

/**
 * Sysctls are checked one by one: they carry no owner, so they are never among what is observed. `ownOvs`: with what of
 * ours in Open vSwitch nobody wants any more, e.g. of a container that went while Open vSwitch was down.
 */
const stateOf = (
  kernel: Kernel,
  observed: readonly KernelObject[],
  wanted: readonly KernelObject[],
  ownOvs: boolean,
): readonly KernelObject[] => {
  const keys = new Set(wanted.map(objectKey));
  const unlisted = (o: KernelObject): boolean => o.kind === 'sysctl' || o.kind === 'offload';
  return [
    ...observed.filter((o) => keys.has(objectKey(o)) || (ownOvs && inOvs(o))),
    ...wanted.filter((o) => unlisted(o) && kernel.present(o)),
  ];
};

/** Answers how many steps it took; 0 when all was as it should be. */
export const repair = (parts: Repairing, drift: readonly Drift[]): number => {
  const slices = slicesFor(parts, drift);
  const ownOvs = drift.some((d) => d.kind === 'ovs');
  if (slices.length === 0 && !ownOvs) return 0;
  if (drift.some((d) => d.kind === 'nftables')) parts.kernel.ensureTables();
  const observed = parts.kernel.observe();
  const whole = slices
    .map((slice) => ({ slice, objects: parts.derive(parts.model, slice) }))
    .filter(({ objects }) => !lacksLink(objects, observed));
  const { wanted, left } = reachable(parts.kernel, whole);
  const plan = diff(stateOf(parts.kernel, observed, wanted, ownOvs && left.size === 0), wanted);
  if (plan.length === 0) return 0;
  parts.log.warn({ steps: plan.length, drift: drift.length }, 'repairing what was changed from outside');
  parts.kernel.apply(plan);
  return plan.length;
};

/** Watches for good; a repair that fails is tried again with the next event or after a second. */
export const watchDrift = (parts: Repairing): void => {
  const attempt = (drift: readonly Drift[], retries: number): void => {
    try {
      repair(parts, drift);
    } catch (error) {
      parts.log.error({ error: String(error) }, 'repair failed');
      if (retries > 0) setTimeout(() => attempt(drift, retries - 1), 200).unref();
    }
  };
  parts.kernel.watch((drift) => attempt(drift, 5));
};
