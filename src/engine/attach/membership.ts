/** A container's sandbox and endpoints coming and going: join at start, leave at exit, `connection.ts` what changes between. */
import { forbidden, PortError } from '../../errors.js';
import type { Container } from '../../model/container.js';
import type { Endpoint, Sandbox } from '../../model/endpoint.js';
import type { ContainerId, SandboxId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import type { Change } from '../commit/tables.js';
import { networkEvent } from '../networks/index.js';
import type { Parts } from '../parts.js';
import { owedForEndpoint } from '../plugins/part.js';
import {
  attachable,
  attachingOf,
  membersOf,
  namespaceOwner,
  newSandbox,
  settingsOf,
  sharesWith,
} from './attaching.js';
import { commitMembers } from './default-gateway.js';
import { type Attaching, arrange, buildEndpoint, releaseAddresses } from './endpoint.js';
import type { Member } from './gateways.js';

/**
 * Makes the sandbox and all endpoints of a starting container. Answers the container's record with them. `meanwhile`: as
 * of `Ledger.commit`.
 */
export const join = (
  parts: Parts,
  container: Container,
  meanwhile: (joined: Container) => void,
): Container => {
  const shared = sharesWith(container);
  if (shared !== undefined) {
    namespaceOwner(parts, container); // there is one at the end of the chain
    const guest: Container = { ...container, sandboxId: sharedSandbox(parts, shared), endpointIds: [] };
    parts.ledger.commit([{ table: 'container', id: guest.id, value: guest }], () => meanwhile(guest));
    return guest;
  }
  const networks = attachable(parts, container);
  const sandbox = newSandbox(
    parts,
    container,
    networks.map(({ network }) => network),
  );
  const members: Member[] = [];
  try {
    for (const { index, network } of networks)
      members.push(makeMember(parts, sandbox, container, network, index, members));
    const joined: Container = {
      ...resolvedNetworks(container, networks),
      sandboxId: sandbox.id,
      endpointIds: members.map((m) => m.endpoint.id),
    };
    const record: Change = { table: 'container', id: joined.id, value: joined };
    commitMembers(parts, sandbox, joined, members, [record], () => meanwhile(joined));
    for (const { network } of members) networkEvent(parts, network, 'connect', container.id);
    return joined;
  } catch (error) {
    for (const { endpoint } of members) releaseAddresses(endpoint, parts.addresses);
    throw namingEndpoint(error, container, members);
  }
};

/** The `index`-th endpoint of a starting container, behind those before it. */
const makeMember = (
  parts: Parts,
  sandbox: Sandbox,
  container: Container,
  network: Network,
  index: number,
  before: readonly Member[],
): Member => {
  const taken = new Set(before.map((m) => m.endpoint.ifname));
  const attaching = attachingOf(parts, sandbox, container, network, settingsOf(container, index), taken);
  return { network, endpoint: buildEndpoint(attaching, parts.addresses), driver: attaching.driver };
};

/** Networks may have been named before they were made: from the start on they go by their ids. */
const resolvedNetworks = (container: Container, found: ReturnType<typeof attachable>): Container => {
  const ids = new Map(found.map(({ index, network }) => [index, network.id]));
  const networks = container.networks.map((entry, i) => {
    const networkId = ids.get(i) ?? entry.networkId;
    return entry.networkId === networkId ? entry : { ...entry, networkId };
  });
  return networks.every((entry, i) => entry === container.networks[i])
    ? container
    : { ...container, networks };
};

/** moby's words around a port that could not be had. */
const namingEndpoint = (error: unknown, container: Container, members: readonly Member[]): unknown => {
  if (!(error instanceof PortError)) return error;
  const publishing = members.find((m) => hasPorts(m)) ?? members[0];
  return new PortError(
    `failed to set up container networking: driver failed programming external connectivity on endpoint ${container.name} (${publishing?.endpoint.id ?? ''}): ${error.message}`,
    error,
  );
};

const hasPorts = ({ network }: Member): boolean => !network.internal;

const sharedSandbox = (parts: Parts, reference: string): SandboxId => {
  const target = parts.model.getContainer(reference);
  if (!target.sandboxId || target.state.pid === 0)
    throw forbidden(`cannot join network of a non running container: ${target.id}`);
  return target.sandboxId;
};

/** What leaving changes: the records of the sandbox and endpoints that are the container's own. */
const leaving = (parts: Parts, container: Container): readonly Change[] => {
  const own = container.sandboxId ? parts.model.sandboxes.get(container.sandboxId) : undefined;
  if (!own || own.containerId !== container.id) return [];
  const endpoints = parts.model.endpointsOfSandbox(own.id);
  return [
    ...endpoints.flatMap((e) => withoutEndpoint(parts, e)),
    { table: 'sandbox', id: own.id, value: null },
  ];
};

/** An endpoint's record goes; what plugins hold for it is owed from then on. */
export const withoutEndpoint = (parts: Parts, endpoint: Endpoint): readonly Change[] => {
  const { id } = endpoint;
  const network = parts.model.networks.get(endpoint.networkId);
  const owed = network && owedForEndpoint(parts, network, endpoint);
  return [
    { table: 'endpoint', id, value: null },
    ...(owed ? [{ table: 'owed', id, value: owed } as const] : []),
  ];
};

/** After the commit: addresses are free, plugins are told in their own time. */
export const released = (parts: Parts, endpoint: Endpoint): void => {
  releaseAddresses(endpoint, parts.addresses);
  if (parts.model.owed.has(endpoint.id)) void parts.debts.settle(endpoint.id);
};

/** Takes the sandbox down together with the container's new record (null: none), then frees the addresses. */
export const leave = (parts: Parts, id: ContainerId, change: (now: Container) => Container | null): void => {
  const now = parts.model.getContainer(id);
  const changes = leaving(parts, now);
  const endpoints = changes.flatMap((c) => parts.model.endpoints.get(c.id) ?? []);
  const after = change(now);
  const value = after && { ...after, sandboxId: null, endpointIds: [] };
  parts.ledger.commit([...changes, { table: 'container', id, value }]);
  for (const endpoint of endpoints) {
    released(parts, endpoint);
    const network = parts.model.networks.get(endpoint.networkId);
    if (network && !endpoint.gateway) networkEvent(parts, network, 'disconnect', id);
  }
};

/** Adds an endpoint to a sandbox that is there. What plugins hold for it is its own from then on. */
export const admit = (parts: Parts, sandbox: Sandbox, container: Container, member: Member): void => {
  const { endpoint, network } = member;
  const endpointIds = [...container.endpointIds, endpoint.id];
  const owed: readonly Change[] = parts.model.owed.has(endpoint.id)
    ? [{ table: 'owed', id: endpoint.id, value: null }]
    : [];
  const joined = { ...container, endpointIds };
  const record: Change = { table: 'container', id: container.id, value: joined };
  const members = [...membersOf(parts, sandbox.id), member];
  commitMembers(parts, sandbox, joined, members, [record, ...owed]);
  networkEvent(parts, network, 'connect', container.id);
};

/** A sandbox without endpoints for a container that starts; plugins are told of its namespace before they make any. */
export const joinNothing = (parts: Parts, container: Container): Container => {
  const networks = attachable(parts, container);
  const sandbox = newSandbox(
    parts,
    container,
    networks.map(({ network }) => network),
  );
  const resolved = resolvedNetworks(container, networks);
  const empty: Container = { ...resolved, sandboxId: sandbox.id, endpointIds: [] };
  parts.ledger.commit([...arrange(sandbox, []), { table: 'container', id: empty.id, value: empty }]);
  return empty;
};

/** Adds the endpoint of `attaching` to its sandbox as both are now; `made` as in `connect`. */
export const joinNext = (parts: Parts, attaching: Attaching, made?: Endpoint): void => {
  const { network, driver } = attaching;
  const endpoint = made ?? buildEndpoint(attaching, parts.addresses);
  const container = parts.model.getContainer(attaching.container.id);
  try {
    admit(parts, parts.model.sandboxes.get(attaching.sandbox.id) ?? attaching.sandbox, container, {
      endpoint,
      network,
      driver,
    });
  } catch (error) {
    releaseAddresses(endpoint, parts.addresses);
    throw namingEndpoint(error, container, [{ endpoint, network, driver }]);
  }
};
