/**
 * All endpoints of a sandbox, as they are to be together: which of them lead out, what is published and through which, and the
 * gateway endpoint of a sandbox out of which nothing else leads. That one is on the bridge network docker_gwbridge, which is
 * made when it is first needed and is the user's to remove; both come in the decision that makes them needed. Pure.
 */
import { forbidden, reworded } from '../../errors.js';
import { type Container, NO_SETTINGS } from '../../model/container.js';
import type { Sandbox } from '../../model/endpoint.js';
import { shortId } from '../../model/ids.js';
import { GATEWAY_NETWORK, type Network } from '../../model/network.js';
import { type Change, drop, put } from '../commit/tables.js';
import type { NetworkCreateRequest } from '../contract.js';
import { type Decision, type Fresh, idFor } from '../decision.js';
import { decideCreation } from '../networks/decide.js';
import { designOwn } from '../networks/design.js';
import { asksOthers } from '../plugins/owed-calls.js';
import type { View } from '../view.js';
import { allocateOwn } from './allocate.js';
import { designEndpoint, endpointOf } from './design.js';
import { answersFor, bindingsOf, gateways, type Member, needsGateway } from './gateways.js';
import { publishedBindings } from './published.js';

/** Its containers have nothing to do with one another: they may not talk there. */
const gatewayRequest = (bridge: string): NetworkCreateRequest => ({
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

const NOTHING: Decision = { changes: [], events: [] };

const gatewayNetwork = (view: View, fresh: Fresh): { readonly network: Network; readonly made: Decision } => {
  const known = view.model.networkNamed(GATEWAY_NETWORK);
  // No plugin can be asked within a decision.
  if (known && (known.configOnly || asksOthers(view, known)))
    throw forbidden('it is no network of a built-in driver with addresses of our own');
  if (known) return { network: known, made: NOTHING };
  const id = idFor<Network['id']>(fresh, GATEWAY_NETWORK);
  const network = designOwn(view, { ...fresh, id }, gatewayRequest(view.facts.gatewayBridge()));
  return { network, made: decideCreation(view, network) };
};

/** The network of gateway endpoints, before anybody needs one. */
export const decideGatewayNetwork = (view: View, fresh: Fresh): Decision => gatewayNetwork(view, fresh).made;

interface Place {
  readonly sandbox: Sandbox;
  readonly container: Container;
}

/** A gateway endpoint, and what its network's making takes. */
const gatewayMember = (
  view: View,
  fresh: Fresh,
  place: Place,
  members: readonly Member[],
): { readonly member: Member; readonly made: Decision } => {
  const { sandbox, container } = place;
  // Also of an endpoint that leaves in the same commit: its interface may be there until that is through.
  const present = [...members.map((m) => m.endpoint), ...view.model.endpointsOfSandbox(sandbox.id)];
  try {
    const { network, made } = gatewayNetwork(view, fresh);
    const design = { ...designEndpoint(view, fresh, place, network, NO_SETTINGS, present), linkedTo: [] };
    const endpoint = endpointOf(design, allocateOwn(view, design));
    const containerName = `gateway_${shortId(sandbox.id)}`;
    return {
      member: {
        endpoint: { ...endpoint, containerName, dnsNames: [], gateway: true },
        network,
        driver: design.driver,
      },
      made,
    };
  } catch (error) {
    const what = `no way out for container ${container.name} by network ${GATEWAY_NETWORK}`;
    throw reworded(error, (message) => `${what}: ${message}`);
  }
};

/** The sandbox and its endpoints with gateways chosen and published ports on them. */
const arranged = (sandbox: Sandbox, members: readonly Member[]): readonly Change[] => {
  const chosen = gateways(members);
  const endpoints = members.map((member) => {
    const { answersFor: _, ...rest } = member.endpoint;
    const others = answersFor(member, chosen, members);
    const bindings = member.driver.capabilities.ports ? bindingsOf(member, chosen, sandbox.bindings) : [];
    return put('endpoint', { ...rest, bindings, ...(others.length > 0 ? { answersFor: others } : {}) });
  });
  return [put('sandbox', { ...sandbox, ...chosen }), ...endpoints];
};

/** What the sandbox has from now on: these members, and a gateway endpoint exactly where they need one. */
export const decideMembers = (
  view: View,
  fresh: Fresh,
  place: Place,
  members: readonly Member[],
): Decision => {
  const { sandbox, container } = place;
  const had = members.find(({ endpoint }) => endpoint.gateway);
  const needs = needsGateway(members);
  const goes = had && !needs ? [drop('endpoint', had.endpoint.id)] : [];
  const { member, made } = needs && !had ? gatewayMember(view, fresh, place, members) : { made: NOTHING };
  const all = [...members.filter((m) => needs || m !== had), ...(member ? [member] : [])];
  const bindings = publishedBindings(view, sandbox, container, all);
  return {
    changes: [...made.changes, ...goes, ...arranged({ ...sandbox, bindings }, all)],
    events: made.events,
  };
};
