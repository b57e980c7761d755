/** A container's networks coming and going while it lives: `docker network connect` and `disconnect`. */
import { forbidden, invalid, refused } from '../../errors.js';
import type { Container, EndpointSettings } from '../../model/container.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { Network } from '../../model/network.js';
import type { Change } from '../commit/tables.js';
import { networkEvent } from '../networks/index.js';
import type { Parts } from '../parts.js';
import { attachingTo, membersOf, sharesWith, usesHost } from './attaching.js';
import { commitMembers } from './default-gateway.js';
import { type Attaching, buildEndpoint, checkSettings, releaseAddresses } from './endpoint.js';
import { admit, released, withoutEndpoint } from './membership.js';
import { resolverSettings } from './resolver-settings.js';

const checkConnectable = (parts: Parts, container: Container, network: Network): void => {
  if (sharesWith(container) !== undefined || usesHost(container))
    throw invalid(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (network.driver === 'host')
    throw invalid(
      'cannot connect container to host network - container must be created in host network mode',
    );
  const onNone = container.networks.some((n) => parts.model.networks.get(n.networkId)?.driver === 'null');
  if (onNone || (network.driver === 'null' && container.networks.length > 0))
    throw invalid(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
  if (container.networks.some((n) => n.networkId === network.id))
    throw forbidden(`endpoint with name ${container.name} already exists in network ${network.name}`);
};

/**
 * What an endpoint of the network would be made from; undefined while the container does not run. Throws where it cannot
 * be connected.
 */
export const connecting = (
  parts: Parts,
  network: Network,
  container: Container,
  settings: EndpointSettings,
): Attaching | undefined => {
  checkSettings(network, settings, parts.drivers.get(network.driver));
  checkConnectable(parts, container, network);
  const sandbox = container.sandboxId ? parts.model.sandboxes.get(container.sandboxId) : undefined;
  return sandbox && attachingTo(parts, sandbox, container, network, settings);
};

/** `made`: the endpoint, where plugins had to be asked for it; otherwise it is made here. */
export const connect = (
  parts: Parts,
  network: Network,
  container: Container,
  settings: EndpointSettings,
  made?: Endpoint,
): Endpoint | undefined => {
  const attaching = connecting(parts, network, container, settings);
  const networks = [...container.networks, { networkId: network.id, name: network.name, settings }];
  if (!attaching) {
    parts.ledger.commit([{ table: 'container', id: container.id, value: { ...container, networks } }]);
    return undefined;
  }
  const { sandbox, driver } = attaching;
  const endpoint = made ?? buildEndpoint(attaching, parts.addresses);
  const dns = resolverSettings(
    parts,
    { ...container, networks },
    sandbox.dns.embedded || !network.predefined,
  );
  try {
    admit(parts, { ...sandbox, dns }, { ...container, networks }, { endpoint, network, driver });
  } catch (error) {
    releaseAddresses(endpoint, parts.addresses);
    throw error;
  }
  return endpoint;
};

/** A container that does not run stays on the list of a network that was removed: it is taken from the container's. */
export const forget = (parts: Parts, reference: string, id: string): void => {
  const container = parts.model.getContainer(id);
  const networks = container.networks.filter((n) => n.networkId !== reference && n.name !== reference);
  if (networks.length === container.networks.length)
    throw refused(`container ${id} is not connected to the network ${reference}`);
  parts.ledger.commit([{ table: 'container', id, value: { ...container, networks } }]);
};

/** Answers the endpoint removed, where there was one. */
export const disconnect = (parts: Parts, network: Network, container: Container): Endpoint | undefined => {
  if (usesHost(container) || network.driver === 'host')
    throw invalid(
      'cannot disconnect container from host network - container was created in host network mode',
    );
  if (!container.networks.some((n) => n.networkId === network.id || n.name === network.name))
    throw refused(`container ${container.id} is not connected to network ${network.name}`);
  const networks = container.networks.filter((n) => n.networkId !== network.id && n.name !== network.name);
  const gone = parts.model.endpointsOfNetwork(network.id).find((e) => container.endpointIds.includes(e.id));
  const sandbox = gone && parts.model.sandboxOf(gone);
  const endpointIds = container.endpointIds.filter((id) => id !== gone?.id);
  const record: Change = {
    table: 'container',
    id: container.id,
    value: { ...container, networks, endpointIds },
  };
  if (!gone || !sandbox) {
    parts.ledger.commit([record]);
    return undefined;
  }
  const stay = membersOf(parts, sandbox.id).filter((m) => m.endpoint.id !== gone.id);
  commitMembers(parts, sandbox, container, stay, [...withoutEndpoint(parts, gone), record]);
  released(parts, gone);
  networkEvent(parts, network, 'disconnect', container.id);
  return gone;
};
