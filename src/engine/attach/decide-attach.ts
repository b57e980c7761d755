/** A container's sandbox at its start, and endpoints that come then or later, decided. Pure; the commands are in `index.ts`. */
import { conflict, forbidden, invalid } from '../../errors.js';
import type { Container, EndpointSettings } from '../../model/container.js';
import type { SandboxId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import { drop, put } from '../commit/tables.js';
import { type Decision, type Fresh, toldOfNetwork } from '../decision.js';
import { asksOthers } from '../plugins/owed-calls.js';
import type { View } from '../view.js';
import { allocateOwn } from './allocate.js';
import {
  type Allocation,
  designEndpoint,
  designSandbox,
  type EndpointDesign,
  endpointOf,
  resolverSettings,
} from './design.js';
import type { Member } from './gateways.js';
import { decideMembers } from './members.js';
import { checkSettings } from './settings.js';
import {
  listedNetworks,
  membersOf,
  namespaceOwner,
  resolvedNetworks,
  settingsAt,
  sharesWith,
  usesHost,
} from './standing.js';

export interface Start extends Decision {
  /** as it is from then on */
  readonly container: Container;
}

const sharedSandbox = ({ model }: View, reference: string): SandboxId => {
  const target = model.getContainer(reference);
  if (!target.sandboxId || target.state.pid === 0)
    throw forbidden(`cannot join network of a non running container: ${target.id}`);
  return target.sandboxId;
};

const decideGuest = (view: View, guest: Container, owner: string): Start => {
  namespaceOwner(view, guest); // there is one at the end of the chain
  const container: Container = { ...guest, sandboxId: sharedSandbox(view, owner), endpointIds: [] };
  return { container, changes: [put('container', container)], events: [] };
};

/** Must plugins or a cluster's store be asked before the container's endpoints can be? */
export const asksForEndpoints = (view: View, container: Container): boolean =>
  sharesWith(container) === undefined &&
  listedNetworks(view, container).some(({ index, network }) =>
    asksOthers(view, network, settingsAt(container, index)),
  );

/**
 * The sandbox of a container that starts, with all its endpoints; with none yet where plugins have a part in any, for they are
 * told of the sandbox's namespace when they are asked. `decideAttachment` then adds one after the other.
 */
export const decideStart = (view: View, fresh: Fresh, container: Container): Start => {
  const shared = sharesWith(container);
  if (shared !== undefined) return decideGuest(view, container, shared);
  const listed = listedNetworks(view, container);
  const sandbox = designSandbox(
    view,
    fresh,
    container,
    listed.map(({ network }) => network),
  );
  const members: Member[] = [];
  for (const { index, network } of asksForEndpoints(view, container) ? [] : listed) {
    const before = members.map(({ endpoint }) => endpoint);
    const settings = settingsAt(container, index);
    const design = designEndpoint(view, fresh, { sandbox, container }, network, settings, before);
    members.push({ network, driver: design.driver, endpoint: endpointOf(design, allocateOwn(view, design)) });
  }
  const started: Container = {
    ...resolvedNetworks(container, listed),
    sandboxId: sandbox.id,
    endpointIds: members.map(({ endpoint }) => endpoint.id),
  };
  const { changes, events } = decideMembers(view, fresh, { sandbox, container: started }, members);
  return {
    container: started,
    changes: [...changes, put('container', started)],
    events: [...events, ...members.map(({ network }) => toldOfNetwork(network, 'connect', container.id))],
  };
};

const checkConnectable = ({ model }: View, container: Container, network: Network): void => {
  if (sharesWith(container) !== undefined || usesHost(container))
    throw invalid(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (network.driver === 'host')
    throw invalid(
      'cannot connect container to host network - container must be created in host network mode',
    );
  const onNone = container.networks.some((n) => model.networks.get(n.networkId)?.driver === 'null');
  if (onNone || (network.driver === 'null' && container.networks.length > 0))
    throw invalid(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
};

/** Where the container lists the network, also by a name from before the network was there; -1: nowhere. */
const placeOf = ({ networks }: Container, { id, name }: Network): number =>
  networks.findIndex((n) => n.networkId === id || (!n.networkId && n.name === name));

/**
 * The container with the network in its list. Throws where it cannot be connected. One that does not run may be connected again,
 * as with Docker: what it was first given stays, but on a network of a swarm, where what is asked last replaces that.
 */
export const connectedTo = (
  view: View,
  network: Network,
  container: Container,
  settings: EndpointSettings,
): Container => {
  checkSettings(network, settings, view.drivers.get(network.driver));
  checkConnectable(view, container, network);
  const entry = { networkId: network.id, name: network.name, settings };
  const place = placeOf(container, network);
  if (place < 0) return { ...container, networks: [...container.networks, entry] };
  const ofSwarm = network.scope === 'swarm';
  if (container.sandboxId !== null)
    throw ofSwarm
      ? conflict(`${container.name} is already attached to network ${network.name}`)
      : forbidden(`endpoint with name ${container.name} already exists in network ${network.name}`);
  return ofSwarm ? { ...container, networks: container.networks.with(place, entry) } : container;
};

/** The endpoint of a network that the container lists; undefined while it does not run. */
export const designAttachment = (
  view: View,
  fresh: Fresh,
  container: Container,
  network: Network,
  settings: EndpointSettings,
): EndpointDesign | undefined => {
  const sandbox = view.model.sandboxOf(container);
  if (!sandbox) return undefined;
  const before = view.model.endpointsOfSandbox(sandbox.id);
  return designEndpoint(view, fresh, { sandbox, container }, network, settings, before);
};

export interface Attachment extends Decision {
  /** absent while the container does not run */
  readonly member?: Member;
}

/** The sandbox's endpoint of `design`, with all that another endpoint changes of it. What plugins hold for it is its own. */
export const decideAttachment = (
  view: View,
  fresh: Fresh,
  listing: Container,
  design: EndpointDesign | undefined,
  allocation?: Allocation,
): Attachment => {
  if (!design) return { changes: [put('container', listing)], events: [] };
  const { network, driver } = design;
  const endpoint = endpointOf(design, allocation ?? allocateOwn(view, design));
  const member = { endpoint, network, driver };
  const container = { ...listing, endpointIds: [...listing.endpointIds, endpoint.id] };
  const before = view.model.sandboxOf(listing) ?? design.sandbox;
  const dns = resolverSettings(view, container, before.dns.embedded || !network.predefined);
  const sandbox = { ...before, dns };
  const members = [...membersOf(view, sandbox.id), member];
  const { changes, events } = decideMembers(view, fresh, { sandbox, container }, members);
  const owed = view.model.owed.has(endpoint.id) ? [drop('owed', endpoint.id)] : [];
  return {
    member,
    changes: [...changes, put('container', container), ...owed],
    events: [...events, toldOfNetwork(network, 'connect', container.id)],
    // One that starts has its files written when it has all its networks.
    etc: container.state.pid === 0 ? [] : [{ what: 'joined', container: container.id, endpoint }],
  };
};
