/** Endpoints that go, one of a container that lives or all at its end, decided. Pure; the commands are in `index.ts`. */
import { invalid, refused } from '../../errors.js';
import type { Container } from '../../model/container.js';
import type { Endpoint, Sandbox } from '../../model/endpoint.js';
import type { Network } from '../../model/network.js';
import { type Change, drop, put } from '../commit/tables.js';
import { type Decision, type Fresh, toldOfNetwork } from '../decision.js';
import { owedForEndpoint } from '../plugins/owed-calls.js';
import type { View } from '../view.js';
import { decideMembers } from './members.js';
import { membersOf, usesHost } from './standing.js';

/** An endpoint's record goes; what plugins hold for it is owed from then on. */
const withoutEndpoint = (view: View, endpoint: Endpoint): readonly Change[] => {
  const network = view.model.networks.get(endpoint.networkId);
  const owed = network && owedForEndpoint(view, network, endpoint);
  return [drop('endpoint', endpoint.id), ...(owed ? [put('owed', owed)] : [])];
};

export const decideDetachment = (
  view: View,
  fresh: Fresh,
  network: Network,
  container: Container,
): Decision => {
  if (usesHost(container) || network.driver === 'host')
    throw invalid(
      'cannot disconnect container from host network - container was created in host network mode',
    );
  const networks = container.networks.filter((n) => n.networkId !== network.id && n.name !== network.name);
  if (networks.length === container.networks.length)
    throw refused(`container ${container.id} is not connected to network ${network.name}`);
  const gone = view.model.endpointsOfNetwork(network.id).find((e) => container.endpointIds.includes(e.id));
  const endpointIds = container.endpointIds.filter((id) => id !== gone?.id);
  const left = put('container', { ...container, networks, endpointIds });
  const sandbox = gone && view.model.sandboxOf(gone);
  if (!sandbox) return { changes: [left], events: [] };
  const stay = membersOf(view, sandbox.id).filter((m) => m.endpoint.id !== gone.id);
  const { changes, events } = decideMembers(view, fresh, { sandbox, container }, stay);
  return {
    changes: [...changes, ...withoutEndpoint(view, gone), left],
    events: [...events, toldOfNetwork(network, 'disconnect', container.id)],
    etc: [{ what: 'left', container: container.id, endpoint: gone }],
  };
};

/** A container that does not run stays on the list of a network that was removed: it is taken from the container's. */
export const decideForgetting = (container: Container, reference: string): Decision => {
  const networks = container.networks.filter((n) => n.networkId !== reference && n.name !== reference);
  if (networks.length === container.networks.length)
    throw refused(`container ${container.id} is not connected to the network ${reference}`);
  return { changes: [put('container', { ...container, networks })], events: [] };
};

/** The container's own sandbox: not that of the host or of another container. */
const ownSandbox = ({ model }: View, container: Container): Sandbox | undefined => {
  const sandbox = model.sandboxOf(container);
  return sandbox?.containerId === container.id ? sandbox : undefined;
};

/** Sandbox and endpoints go with what the container's record becomes (null: it goes, too). */
export const decideEnd = (view: View, container: Container, after: Container | null): Decision => {
  const { id } = container;
  const sandbox = ownSandbox(view, container);
  const endpoints = sandbox ? view.model.endpointsOfSandbox(sandbox.id) : [];
  return {
    changes: [
      ...endpoints.flatMap((endpoint) => withoutEndpoint(view, endpoint)),
      ...(sandbox ? [drop('sandbox', sandbox.id)] : []),
      after ? put('container', { ...after, sandboxId: null, endpointIds: [] }) : drop('container', id),
    ],
    events: endpoints.flatMap(({ networkId, gateway }) => {
      const network = view.model.networks.get(networkId);
      return network && !gateway ? [toldOfNetwork(network, 'disconnect', id)] : [];
    }),
  };
};
