/** Slice → the kernel objects it must have, by asking the network's driver. Pure over the model. */
import { defined } from '../../defined.js';
import type { Driver, HostView, NetworkView } from '../../drivers/contract.js';
import { driverOf } from '../../drivers/index.js';
import { type Balancer, publishes, vipsOf } from '../../model/balancer.js';
import type { Network } from '../../model/network.js';
import { createPace } from '../../pace.js';
import { onHost } from '../../plan/depend.js';
import {
  HOST_SLICE,
  type KernelObject,
  objectKey,
  type ServiceAddress,
  type Slice,
  sliceKey,
} from '../../plan/objects.js';
import type { ReadModel } from './model.js';
import { forwardingSwitches } from './settings.js';

/** What a slice wants in the kernel. */
export type Derive = (model: ReadModel, slice: Slice) => readonly KernelObject[];

export interface DeriveContext {
  readonly host: HostView;
  readonly drivers: ReadonlyMap<string, Driver>;
  /** the daemon's own objects, e.g. the relay's port in the firewall */
  readonly daemon: readonly KernelObject[];
}

/** Is there anything of the network, which spans hosts, on this one? */
const isAttached = (model: ReadModel, { id, ingress }: Network): boolean =>
  model.endpointsOfNetwork(id).length > 0 || (ingress === true && model.balancersOf(id).some(publishes));

/** A network as its driver is to see it. */
const viewOf = (model: ReadModel, host: HostView, network: Network): NetworkView => {
  if (!network.overlay) return { host, network };
  const { address, number, tunnel } = model.ownVtep() ?? {};
  const place = { attached: isAttached(model, network), ...defined({ address, number, key: tunnel?.key }) };
  return { host, network, place };
};

/** What leads between the hosts of a cluster, and guards the way. */
const betweenHosts = (model: ReadModel, { drivers, host }: DeriveContext): readonly KernelObject[] => {
  const networks = model.overlays().map((network) => viewOf(model, host, network));
  if (networks.length === 0) return [];
  const hosts = model.vteps();
  return [...drivers.values()].flatMap((driver) => driver.between?.(networks, hosts) ?? []);
};

/** What networks of one driver use together; two drivers may both name a parent, so each object is there once. */
const sharedObjects = (model: ReadModel, { host, drivers }: DeriveContext): readonly KernelObject[] => {
  const objects = new Map<string, KernelObject>();
  for (const driver of drivers.values())
    for (const o of driver.shared?.(model.networksOf(driver.name), host) ?? []) objects.set(objectKey(o), o);
  return [...objects.values()];
};

/** Names of the host's interfaces that networks lie on, whosever they are: the dummies, the shared ones and those below. */
export const parentNames = (
  model: ReadModel,
  context: Pick<DeriveContext, 'host' | 'drivers'>,
): ReadonlySet<string> => {
  const names = new Set<string>();
  for (const driver of context.drivers.values()) {
    const networks = driver.shared ? model.networksOf(driver.name) : [];
    const objects = [
      ...(driver.shared?.(networks, context.host) ?? []),
      ...networks.flatMap((network) => driver.network({ host: context.host, network })),
    ];
    for (const o of objects) {
      const name = onHost(o);
      if (name !== undefined) names.add(name);
      if (o.kind === 'link' && 'parent' in o) names.add(o.parent);
    }
  }
  return names;
};

/** A network's bridge that was there before it, with the addresses on it that are ours. */
const adoptedBridge = (network: Network, { host, drivers }: Pick<DeriveContext, 'host' | 'drivers'>) => {
  const objects = driverOf(network, drivers).network({ host, network });
  return {
    owned: false,
    addresses: objects.flatMap((o) => (o.kind === 'address' ? [o.address] : [])),
  };
};

/** Bridges whose user chose the name, docker0 among them: by their names alone nobody sees whose they are. */
export const namedBridges = (
  model: ReadModel,
  context: Pick<DeriveContext, 'host' | 'drivers'>,
): readonly { readonly name: string; readonly owned: boolean; readonly addresses?: readonly string[] }[] =>
  [...model.networks.values()].flatMap((network) => {
    const name = network.configOnly ? undefined : context.drivers.get(network.driver)?.standsOn?.(network);
    if (name === undefined) return [];
    return [{ name, ...(network.adopted ? adoptedBridge(network, context) : { owned: true }) }];
  });

/** Names of the host's own interfaces that are there for our networks alone; a dockerd beside us has some of the same form. */
export const hostInterfaces = (
  model: ReadModel,
  { host, drivers }: Pick<DeriveContext, 'host' | 'drivers'>,
): ReadonlySet<string> =>
  new Set(
    [...drivers.values()].flatMap((driver) =>
      model
        .networksOf(driver.name)
        .filter(({ adopted }) => !adopted)
        .flatMap((network) => driver.hostInterface?.({ host, network }) ?? []),
    ),
  );

const addresses = new WeakMap<Balancer, readonly ServiceAddress[]>();
/** Of one record there are the same objects for all sandboxes, so that what has not changed is seen at a glance. */
const addressesOf = (balancer: Balancer): readonly ServiceAddress[] => {
  const known = addresses.get(balancer);
  if (known) return known;
  const { backends, leaving = [] } = balancer;
  const made = vipsOf(balancer).map((address): ServiceAddress => {
    const six = address.includes(':');
    return {
      address,
      backends: backends.flatMap(({ ipv4, ipv6 }) => (six ? ipv6 : ipv4) ?? []),
      leaving: leaving.filter((each) => each.includes(':') === six),
    };
  });
  addresses.set(balancer, made);
  return made;
};

/** Those whose addresses a sandbox may call. */
const balancersOf = (model: ReadModel, sandboxId: string): readonly Balancer[] =>
  model
    .endpointsOfSandbox(sandboxId)
    .flatMap(({ networkId }) => model.balancersOf(networkId).filter((balancer) => !publishes(balancer)));

const servicesOf = (model: ReadModel, sandboxId: string, ns: string): readonly KernelObject[] => {
  const services = balancersOf(model, sandboxId).flatMap(addressesOf);
  if (services.length === 0) return [];
  const inOrder = [...services].sort((a, b) => (a.address < b.address ? -1 : 1));
  return [{ kind: 'services', ns, services: inOrder }];
};

/** The objects of each kind of slice. They build on each other in this order. */
const SLICES: {
  readonly [K in Slice['kind']]: (
    model: ReadModel,
    context: DeriveContext,
    id: string,
  ) => readonly KernelObject[];
} = {
  host: (model, context) => [
    ...forwardingSwitches(model, context.host),
    ...context.daemon,
    ...sharedObjects(model, context),
    ...betweenHosts(model, context),
  ],
  network(model, { host, drivers }, id) {
    const network = model.networks.get(id);
    return !network || network.configOnly
      ? []
      : driverOf(network, drivers).network(viewOf(model, host, network));
  },
  sandbox(model, _, id) {
    const sandbox = model.sandboxes.get(id);
    if (!sandbox || sandbox.mode === 'host') return [];
    const ns = sandbox.netns;
    const resolver: KernelObject = { kind: 'resolver', ns, sandboxId: id };
    return [
      { kind: 'netns', path: ns },
      ...(sandbox.dns.embedded ? [resolver] : []),
      ...servicesOf(model, id, ns),
    ];
  },
  /** What another host has on a network of ours. */
  peer(model, { host, drivers }, id) {
    const peer = model.tables.peer.records.get(id);
    const network = peer && model.networks.get(peer.networkId);
    return peer && network
      ? (driverOf(network, drivers).peer?.({ ...viewOf(model, host, network), peer }) ?? [])
      : [];
  },
  /** Another host, on the networks that hosts are on themselves. */
  vtep(model, { host, drivers }, id) {
    const vtep = model.tables.vtep.records.get(id);
    if (!vtep) return [];
    return model
      .overlays()
      .flatMap(
        (network) => driverOf(network, drivers).vtep?.({ ...viewOf(model, host, network), vtep }) ?? [],
      );
  },
  endpoint(model, { host, drivers }, id) {
    const endpoint = model.endpoints.get(id);
    const network = endpoint && model.networks.get(endpoint.networkId);
    const sandbox = endpoint && model.sandboxOf(endpoint);
    return endpoint && network && sandbox
      ? driverOf(network, drivers).endpoint({ ...viewOf(model, host, network), endpoint, sandbox })
      : [];
  },
  /** What all hosts publish of a service; behind the containers of this one, which may have a port already. */
  balancer(model, { host, drivers }, id) {
    const balancer = model.tables.balancer.records.get(id);
    const network = balancer && model.networks.get(balancer.networkId);
    return network && publishes(balancer)
      ? (driverOf(network, drivers).balancer?.({ ...viewOf(model, host, network), balancer }) ?? [])
      : [];
  },
};

export const createDerive =
  (context: DeriveContext): Derive =>
  (model, slice) =>
    SLICES[slice.kind](model, context, slice.kind === 'host' ? '' : slice.id);

const KINDS = Object.keys(SLICES) as readonly Slice['kind'][]; // the keys of exactly this object

/** Every slice of the model, in the order in which they build on each other. */
export const allSlices = ({ tables }: ReadModel): readonly Slice[] =>
  KINDS.flatMap((kind): readonly Slice[] =>
    kind === 'host' ? [HOST_SLICE] : [...tables[kind].records.keys()].map((id) => ({ kind, id })),
  );

/** The records that a slice's objects are made of; undefined: the host's, which are made of all. */
const madeOf = (model: ReadModel, slice: Slice): readonly unknown[] | undefined => {
  if (slice.kind === 'host') return undefined;
  const record = model.tables[slice.kind].records.get(slice.id);
  if (slice.kind === 'sandbox') return [record, ...balancersOf(model, slice.id)];
  if (slice.kind === 'endpoint') {
    const endpoint = model.endpoints.get(slice.id);
    return endpoint
      ? [endpoint, model.networks.get(endpoint.networkId), model.sandboxOf(endpoint), model.ownVtep()]
      : [];
  }
  // Whether a network that spans hosts has anything here is no record's own.
  const overlays = model.overlays();
  return [record, model.ownVtep(), ...overlays, ...overlays.map((each) => isAttached(model, each))];
};

/**
 * Derives every slice, some in each turn of the loop (27 ms in all with 300 containers). The answer knows them, for the turn in
 * which it is had: what has changed since it derives anew, as records never change but are replaced. So what is read with it is
 * the model of one moment.
 */
export const derivedAhead = async (model: ReadModel, derive: Derive): Promise<Derive> => {
  const known = new Map<
    string,
    { readonly of: readonly unknown[]; readonly objects: readonly KernelObject[] }
  >();
  const ahead: Derive = (now, slice) => {
    const of = madeOf(now, slice);
    if (!of) return derive(now, slice);
    const before = known.get(sliceKey(slice));
    if (before?.of.length === of.length && before.of.every((record, at) => record === of[at]))
      return before.objects;
    const objects = derive(now, slice);
    known.set(sliceKey(slice), { of, objects });
    return objects;
  };
  const pace = createPace();
  for (const slice of allSlices(model)) {
    ahead(model, slice);
    if (pace.due()) await pace.rest();
  }
  return ahead;
};

/** Do the objects hang on a link of a plugin's that is not (or no longer) in its sandbox? We cannot make it again. `there`: by key. */
export const lacksLink = (objects: readonly KernelObject[], there: { has(key: string): boolean }): boolean =>
  objects.some((o) => o.kind === 'link' && o.type === 'moved' && !there.has(objectKey(o)));
