/**
 * Self-healing: what somebody else removed or changed is put back from the records. Only slices that own a named link
 * are looked at again; foreign objects are never touched.
 */
import type { Drift, Kernel } from '../../kernel/contract.js';
import type { Logger } from '../../log.js';
import type { Endpoint } from '../../model/endpoint.js';
import { onHost, serviceOf } from '../../plan/depend.js';
import { distinctSlices, HOST_SLICE, type KernelObject, type Slice } from '../../plan/objects.js';
import { allSlices, type Derive } from './derive.js';
import type { Dirty } from './dirty.js';
import type { Model } from './model.js';
import { SettingsRepair } from './settings.js';
import { acrossHosts } from './tables.js';

interface Repairing {
  readonly kernel: Kernel;
  readonly model: Model;
  readonly derive: Derive;
  readonly dirty: Pick<Dirty, 'bring'>;
  readonly log: Logger;
}

/** Links of endpoints are ours by form; what is none of theirs may be a network's bridge. */
const ENDPOINT_LINK = /^veth[0-9a-f]{11}$/;

const endpointSlice = ({ id }: Endpoint): Slice => ({ kind: 'endpoint', id });

/** Endpoints whose interfaces, by the records, lie on one of these of the host's. */
const endpointsAbove = ({ model, derive }: Repairing, names: ReadonlySet<string>): readonly Slice[] =>
  [...model.endpoints.values()].flatMap((e) => {
    const slice = endpointSlice(e);
    const above =
      e.hostIfname === '' &&
      derive(model, slice).some((o) => o.kind === 'link' && 'parent' in o && names.has(o.parent));
    return above ? [slice] : [];
  });

/** With the names of sub-interfaces that lie on one of them. */
const withUpper = (host: readonly KernelObject[], names: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([
    ...names,
    ...host.flatMap((o) => (o.kind === 'link' && 'parent' in o && names.has(o.parent) ? [o.name] : [])),
  ]);

/** Slices that others' interfaces, sub-interfaces or dummies carry: what networks share, and endpoints on it. */
const slicesAbove = (parts: Repairing, names: ReadonlySet<string>): readonly Slice[] => {
  const host = parts.derive(parts.model, HOST_SLICE);
  const suspect = withUpper(host, names);
  const shared = host.some((o) => suspect.has(onHost(o) ?? ''));
  return shared ? [HOST_SLICE, ...endpointsAbove(parts, suspect)] : [];
};

/** The slices whose objects live on one of the host's links: the network of a bridge with its endpoints, or one endpoint. */
const slicesOn = (parts: Repairing, names: ReadonlySet<string>): readonly Slice[] => {
  const { model, derive } = parts;
  const slices: Slice[] = [];
  const others = new Set<string>();
  for (const name of names) {
    const endpoint = model.endpointOnLink(name);
    if (endpoint) slices.push(endpointSlice(endpoint));
    else if (!ENDPOINT_LINK.test(name)) others.add(name);
  }
  if (others.size === 0) return slices;
  slices.push(...slicesAbove(parts, others));
  for (const network of model.networks.values()) {
    const slice: Slice = { kind: 'network', id: network.id };
    const owns = derive(model, slice).some((o) => others.has(onHost(o) ?? ''));
    if (!owns) continue;
    slices.push(
      slice,
      ...acrossHosts(network, model),
      ...model.endpointsOfNetwork(network.id).map(endpointSlice),
    );
  }
  return slices;
};

/** Links inside sandboxes: those of the sandbox's endpoints. */
const slicesInside = ({ model }: Repairing, namespaces: ReadonlySet<string>): readonly Slice[] =>
  [...model.sandboxes.values()]
    .filter(({ netns }) => namespaces.has(netns))
    .flatMap(({ id }) => model.endpointsOfSandbox(id).map(endpointSlice));

/** Of a service's, all slices that have something there: one transaction may have changed any. */
const slicesIn = (
  { model, derive }: Repairing,
  services: ReadonlySet<string | undefined>,
): readonly Slice[] =>
  allSlices(model).filter((slice) => derive(model, slice).some((o) => services.has(serviceOf(o))));

const slicesFor = (parts: Repairing, drift: readonly Drift[]): readonly Slice[] => {
  if (drift.some((d) => d.kind === 'nftables')) return allSlices(parts.model);
  const links = drift.flatMap((d) => (d.kind === 'link' || d.kind === 'address' ? [d] : []));
  const names = new Set(links.filter(({ ns }) => ns === 'host').map(({ name }) => name));
  const namespaces = new Set(links.filter(({ ns }) => ns !== 'host').map(({ ns }) => ns));
  const services = new Set(drift.flatMap((d) => (d.kind === 'service' ? [d.service] : [])));
  const served = services.size === 0 ? [] : slicesIn(parts, services);
  const onLinks = links.length === 0 ? [] : [...slicesOn(parts, names), ...slicesInside(parts, namespaces)];
  return distinctSlices([...onLinks, ...served]);
};

/** Answers how many steps it took; 0 when all was as it should be. What is refused is dirty from then on. */
export const repair = async (parts: Repairing, drift: readonly Drift[]): Promise<number> => {
  const suspects = drift.filter(({ kind }) => !['route', 'sysctl', 'suspended'].includes(kind));
  if (suspects.length === 0) return 0;
  const steps = await parts.dirty.bring((derive) => slicesFor({ ...parts, derive }, suspects));
  if (steps > 0) parts.log.warn({ steps, drift: drift.length }, 'repaired what was changed from outside');
  return steps;
};

/** Watches until it is closed, and tells what there is now (`Kernel.watch`). */
export const watchDrift = (
  parts: Repairing,
  on: { readonly routesChanged: () => void; readonly suspended: () => void },
): { readonly observed: readonly KernelObject[]; close(): void } => {
  const settings = new SettingsRepair(parts);
  let closed = false;
  const observed = parts.kernel.watch((drift) => {
    if (closed) return;
    settings.repair(drift.filter((d) => d.kind === 'sysctl'));
    void repair(parts, drift);
    if (drift.some(({ kind }) => kind === 'route')) on.routesChanged();
    if (drift.some(({ kind }) => kind === 'suspended')) on.suspended();
  });
  const close = (): void => {
    closed = true;
  };
  return { observed, close };
};
