/**
 * The gateway endpoint of a sandbox out of which nothing else leads: on the bridge network docker_gwbridge, which is made
 * when it is first needed and is the user's to remove. It comes and goes in the very commit that changes the members.
 */
import { driverOf } from '../../drivers/index.js';
import { forbidden, ViaductError } from '../../errors.js';
import type { Container } from '../../model/container.js';
import type { Endpoint, Sandbox } from '../../model/endpoint.js';
import { shortId } from '../../model/ids.js';
import { GATEWAY_NETWORK, type Network } from '../../model/network.js';
import type { Change } from '../commit/tables.js';
import { NO_SETTINGS } from '../containers/create.js';
import type { NetworkCreateRequest } from '../contract.js';
import { createOwn } from '../networks/index.js';
import type { Parts } from '../parts.js';
import { usesPlugins } from '../plugins/part.js';
import { arrange, buildEndpoint, releaseAddresses } from './endpoint.js';
import { type Member, needsGateway } from './gateways.js';
import { publishedBindings } from './published.js';

/** Its containers have nothing to do with one another: they may not talk there. */
const request = (bridge: string): NetworkCreateRequest => ({
  name: GATEWAY_NETWORK,
  driver: 'bridge',
  scope: 'local',
  internal: false,
  attachable: false,
  ingress: false,
  configOnly: false,
  configFrom: '',
  ipv4: true,
  ipv6: false,
  options: {
    'com.docker.network.bridge.name': bridge,
    'com.docker.network.bridge.enable_icc': 'false',
    'com.docker.network.bridge.enable_ip_masquerade': 'true',
  },
  labels: {},
  ipam: { driver: 'default', options: {}, config: [] },
});

const gatewayNetwork = (parts: Parts): Network => {
  const network =
    parts.model.networkNamed(GATEWAY_NETWORK) ?? createOwn(parts, request(parts.facts.gatewayBridge()));
  // No plugin can be asked within a commit.
  if (network.configOnly || usesPlugins(parts, network))
    throw forbidden('it is no network of a built-in driver with addresses of our own');
  return network;
};

/** Takes addresses. `taken`: interface names. */
const makeMember = (
  parts: Parts,
  sandbox: Sandbox,
  container: Container,
  taken: ReadonlySet<string>,
): Member => {
  try {
    const network = gatewayNetwork(parts);
    const driver = driverOf(network, parts.drivers);
    const attaching = { container, network, settings: NO_SETTINGS, sandbox, taken, driver, linkedTo: [] };
    const endpoint = buildEndpoint(attaching, parts.addresses);
    const containerName = `gateway_${shortId(sandbox.id)}`;
    return { endpoint: { ...endpoint, containerName, dnsNames: [], gateway: true }, network, driver };
  } catch (error) {
    if (!(error instanceof ViaductError)) throw error;
    const message = `no way out for container ${container.name} by network ${GATEWAY_NETWORK}: ${error.message}`;
    throw new ViaductError(error.kind, message, { cause: error });
  }
};

/** What a sandbox has from now on, and the gateway endpoint that comes or goes with that. */
interface Turn {
  readonly members: readonly Member[];
  readonly made?: Member;
  readonly gone?: Member;
}

const turn = (parts: Parts, sandbox: Sandbox, container: Container, members: readonly Member[]): Turn => {
  const gone = members.find(({ endpoint }) => endpoint.gateway);
  if (needsGateway(members) === (gone !== undefined)) return { members };
  if (gone) return { members: members.filter((member) => member !== gone), gone };
  // Also of an endpoint that leaves in the same commit: its interface may be there until that is through.
  const present = [...members.map((m) => m.endpoint), ...parts.model.endpointsOfSandbox(sandbox.id)];
  const made = makeMember(parts, sandbox, container, new Set(present.map(({ ifname }) => ifname)));
  return { members: [...members, made], made };
};

/**
 * Commits the members that the sandbox has from now on, with a gateway endpoint exactly where they need one. `more`: what
 * else changes with them; `meanwhile`: as of `Ledger.commit`. When it throws, the members' addresses are the caller's.
 */
export const commitMembers = (
  parts: Parts,
  sandbox: Sandbox,
  container: Container,
  members: readonly Member[],
  more: readonly Change[],
  meanwhile?: () => void,
): void => {
  const next = turn(parts, sandbox, container, members);
  const removed: readonly Change[] = next.gone
    ? [{ table: 'endpoint', id: next.gone.endpoint.id, value: null }]
    : [];
  try {
    const bindings = publishedBindings(parts, sandbox, container, next.members);
    const arranged = arrange({ ...sandbox, bindings }, next.members);
    parts.ledger.commit([...removed, ...arranged, ...more], meanwhile);
  } catch (error) {
    if (next.made) releaseAddresses(next.made.endpoint, parts.addresses);
    throw error;
  }
  if (next.gone) releaseAddresses(next.gone.endpoint, parts.addresses);
};

/** The gateway endpoint that the container has now, or none. A sandbox's guests have none of their own. */
export const gatewayOf = ({ model }: Parts, { id, sandboxId }: Container): readonly Endpoint[] =>
  sandboxId === null
    ? []
    : model.endpointsOfSandbox(sandboxId).filter((e) => e.gateway && e.containerId === id);
