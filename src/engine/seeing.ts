/**
 * Answers for `viaduct` and `/viaduct/v1/`: which kernel objects the daemon keeps, and for whom. Nothing here changes
 * anything.
 */
import type { Objects, PendingSteps, Topology } from '../door/schema.js';
import type { Driver, HostView } from '../drivers/contract.js';
import type { Kernel } from '../kernel/contract.js';
import { publishes } from '../model/balancer.js';
import type { Container } from '../model/container.js';
import type { Endpoint } from '../model/endpoint.js';
import type { Network } from '../model/network.js';
import { createPace } from '../pace.js';
import { type KernelObject, kindOf, type Slice } from '../plan/objects.js';
import { printStep } from '../plan/print.js';
import type { Derive } from './commit/derive.js';
import type { Dirty } from './commit/dirty.js';
import type { ReadModel } from './commit/model.js';
import { ownerOf } from './commit/owner.js';
import { acrossHosts } from './commit/tables.js';
import type { Seeing } from './contract.js';

export interface SeeingParts {
  readonly model: ReadModel;
  readonly kernel: Pick<Kernel, 'present' | 'reachable'>;
  readonly derive: Derive;
  readonly dirty: Pick<Dirty, 'list' | 'outstanding'>;
  readonly host: HostView;
  readonly drivers: ReadonlyMap<string, Driver>;
}

const endpointSlices = (endpoints: readonly Endpoint[]): readonly Slice[] =>
  endpoints.map(({ id }) => ({ kind: 'endpoint', id }));

/** Of the container alone: what its networks have in common with others is theirs. */
const slicesOfContainer = ({ model }: SeeingParts, { id, sandboxId }: Container): readonly Slice[] => {
  const sandbox = model.sandboxOf({ sandboxId });
  return sandbox?.containerId === id
    ? [{ kind: 'sandbox', id: sandbox.id }, ...endpointSlices(model.endpointsOfSandbox(sandbox.id))]
    : [];
};

const slicesOfNetwork = ({ model }: SeeingParts, network: Network): readonly Slice[] => {
  const { id } = network;
  return [
    { kind: 'network', id },
    ...acrossHosts(network, model),
    ...model
      .balancersOf(id)
      .filter(publishes)
      .map((balancer): Slice => ({ kind: 'balancer', id: balancer.id })),
    ...endpointSlices(model.endpointsOfNetwork(id)),
  ];
};

const stateOf = ({ kernel }: SeeingParts, o: KernelObject): Objects[number]['state'] => {
  if (!kernel.reachable(o)) return 'unknown';
  return kernel.present(o) ? 'there' : 'missing';
};

/** What must be in the kernel for the slices, looked up one by one: the loop turns in between. */
const seeObjects = async (parts: SeeingParts, slices: readonly Slice[]): Promise<Objects> => {
  const seen: Objects = [];
  const pace = createPace();
  for (const slice of slices) {
    const owner = ownerOf(parts.model, slice);
    for (const o of parts.derive(parts.model, slice)) {
      seen.push({ kind: o.kind, text: kindOf(o).print('create', o), owner, state: stateOf(parts, o) });
      if (pace.due()) await pace.rest();
    }
  }
  return seen;
};

const seeNetwork = ({ host, drivers }: SeeingParts, network: Network): Topology['networks'][number] => {
  const name = network.configOnly
    ? undefined
    : drivers.get(network.driver)?.hostInterface?.({ host, network });
  return {
    id: network.id,
    name: network.name,
    driver: network.driver,
    ...(name === undefined ? {} : { interface: name }),
    subnets: network.pools.map(({ subnet }) => subnet),
    internal: network.internal,
  };
};

const seeEndpoint = ({ model }: SeeingParts, endpoint: Endpoint): Topology['endpoints'][number] => {
  const sandbox = model.sandboxOf(endpoint);
  return {
    id: endpoint.id,
    network: endpoint.networkId,
    container: endpoint.containerId,
    interface: endpoint.ifname,
    hostInterface: endpoint.hostIfname,
    mac: endpoint.mac,
    addresses: [endpoint.ipv4, endpoint.ipv6].flatMap((address) => address ?? []),
    gateway: { ipv4: sandbox?.gateway4 === endpoint.id, ipv6: sandbox?.gateway6 === endpoint.id },
    ports: endpoint.bindings.map(({ protocol, hostIp, hostPort, containerPort, count }) => ({
      protocol,
      address: hostIp,
      port: hostPort,
      containerPort,
      count,
    })),
  };
};

const seeTopology = (parts: SeeingParts): Topology => {
  const { model } = parts;
  return {
    networks: [...model.networks.values()].map((network) => seeNetwork(parts, network)),
    containers: [...model.containers.values()].flatMap(({ id, name, state, sandboxId }) =>
      sandboxId === null ? [] : [{ id, name, state: state.status }],
    ),
    endpoints: [...model.endpoints.values()].map((endpoint) => seeEndpoint(parts, endpoint)),
  };
};

const seePlan = async ({ model, dirty }: SeeingParts): Promise<PendingSteps> =>
  (await dirty.outstanding()).map((step) => ({
    op: step.op,
    text: printStep(step),
    owner: step.slice ? ownerOf(model, step.slice) : null,
  }));

export const createSeeing = (parts: SeeingParts): Seeing => ({
  objectsOfContainer: (reference) =>
    seeObjects(parts, slicesOfContainer(parts, parts.model.getContainer(reference))),
  objectsOfNetwork: (reference) =>
    seeObjects(parts, slicesOfNetwork(parts, parts.model.getNetwork(reference))),
  topology: () => seeTopology(parts),
  dirty: () => parts.dirty.list(),
  plan: () => seePlan(parts),
});
