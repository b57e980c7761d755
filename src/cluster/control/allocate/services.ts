/**
 * What a service needs of the cluster before its tasks can run: its published ports and an address of its own on each of its
 * networks. Done again whenever its spec changes; what it has and still wants it keeps.
 */
import { bare } from '../../../model/address.js';
import { PREDEFINED_NETWORKS } from '../../../model/network.js';
import type { SwarmNetwork } from '../../../model/swarm/cluster.js';
import type { EndpointSpec, NetworkAddresses } from '../../../model/swarm/endpoint.js';
import { keyOf } from '../../../model/swarm/records.js';
import type { Service, TaskSpec } from '../../../model/swarm/service.js';
import { claim, type Draft, type Edit, LARGEST_UNIT } from '../draft.js';
import type { ClusterState } from '../state.js';
import { allocateAddresses } from './addresses.js';
import { fixedIds, fixedVips, isOthers } from './fixed.js';
import { choosePorts } from './ports.js';

export const isAllocated = ({ endpoint, specVersion }: Service): boolean =>
  endpoint?.spec === specVersion && endpoint.err === '';

const ingressOf = (state: ClusterState): SwarmNetwork | undefined => {
  for (const network of state.all('network').values()) if (network.ingress) return network;
  return undefined;
};

const needsIngress = (endpoint: EndpointSpec | undefined): boolean =>
  endpoint?.ports.some(({ mode }) => mode === 'ingress') === true;

/** Named and not numbered: a network that each node has for itself. */
const isOfNode = (target: string): boolean => PREDEFINED_NETWORKS.some((name) => name === target);

/** The ingress network where a port is published by all nodes, then those that are named; or why not all are there. */
export const networksOf = (
  state: ClusterState,
  task: TaskSpec,
  endpoint: EndpointSpec | undefined,
): readonly SwarmNetwork[] | string => {
  const networks: SwarmNetwork[] = [];
  if (needsIngress(endpoint)) {
    const ingress = ingressOf(state);
    if (!ingress) return 'ingress network is missing';
    networks.push(ingress);
  }
  for (const { target } of task.networks) {
    if (isOfNode(target)) continue;
    const network = state.get('network', target);
    if (!network) return `network ${target} not found`;
    if (!networks.includes(network)) networks.push(network);
  }
  return networks;
};

interface Addresses {
  readonly virtualIps: readonly NetworkAddresses[];
  readonly edits: readonly Edit[];
  readonly err: string;
}

const virtualIps = (draft: Draft, service: Service): Addresses => {
  const { state } = draft;
  const { task, endpoint } = service.spec;
  const networks = networksOf(state, task, endpoint);
  if (typeof networks === 'string')
    return { virtualIps: service.endpoint?.virtualIps ?? [], edits: [], err: networks };
  const kept: NetworkAddresses[] = [];
  const edits: Edit[] = [];
  let err = '';
  for (const network of networks) {
    if (network.network.pools.length === 0 || (endpoint?.mode === 'dnsrr' && !network.ingress)) continue;
    const fixed = fixedVips(network, service.spec);
    const had = service.endpoint?.virtualIps.find(({ networkId }) => networkId === network.id);
    const found =
      had && fixed.every((address) => had.addresses.includes(address))
        ? { addresses: had, edits: [] }
        : allocateAddresses(draft, network, keyOf('service', service.id), fixed);
    if (typeof found === 'string') err ||= found;
    else {
      kept.push(found.addresses);
      edits.push(...found.edits);
    }
  }
  const chosen = claimFixed(draft, service);
  err ||= typeof chosen === 'string' ? chosen : '';
  return {
    virtualIps: kept,
    edits: [...edits, ...(typeof chosen === 'string' ? [] : chosen), ...givenBack(state, service, kept)],
    err,
  };
};

/** Addresses that its user chose are its own, whether a task has them or not. */
const claimFixed = (draft: Draft, service: Service): readonly Edit[] | string => {
  const owner = keyOf('service', service.id);
  const edits: Edit[] = [];
  for (const id of fixedIds(service.spec)) {
    if (isOthers(draft.state, id, service.id)) return `address ${id.slice(id.indexOf('/') + 1)} is in use`;
    if (!draft.state.get('ip', id)) edits.push(['ip', claim(draft, id, owner)]);
  }
  return edits;
};

/** Addresses that it has and is not to have any longer: others, or on networks that it is no longer on. */
const givenBack = (
  state: ClusterState,
  service: Service,
  kept: readonly NetworkAddresses[],
): readonly Edit[] => {
  const ids = new Set([
    ...kept.flatMap(({ networkId, addresses }) => addresses.map((a) => `${networkId}/${bare(a)}`)),
    ...fixedIds(service.spec),
  ]);
  const edits: Edit[] = [];
  for (const key of state.owned(keyOf('service', service.id))) {
    const id = key.slice('ip/'.length);
    const record = key.startsWith('ip/') && !ids.has(id) ? state.get('ip', id) : undefined;
    if (record) edits.push(['ip', record, 'remove']);
  }
  return edits;
};

/** All that is to be had now, in one transaction with the service; what does not fit into one is for another pass. */
export const allocateService = (draft: Draft, service: Service): void => {
  const addresses = virtualIps(draft, service);
  const ports = choosePorts(draft, service);
  const all = [...addresses.edits, ...ports.edits];
  const edits = all.slice(0, LARGEST_UNIT - 1);
  const taken = new Set(edits.flatMap(([kind, record]) => (kind === 'port' ? [record.id] : [])));
  const have = ports.ports.filter(
    ({ mode, protocol, publishedPort }) =>
      mode === 'host' ||
      taken.has(`${protocol}/${publishedPort}`) ||
      draft.state.get('port', `${protocol}/${publishedPort}`) !== undefined,
  );
  const whole = edits.length === all.length;
  const err = addresses.err || ports.err;
  const endpoint = {
    spec: whole ? service.specVersion : 0,
    ports: have,
    virtualIps: addresses.virtualIps,
    err,
  };
  const former = service.endpoint;
  const news = edits.length > 0 || former?.spec !== endpoint.spec || former.err !== endpoint.err;
  if (news) draft.unit(['service', { ...service, endpoint }], ...edits);
  if (!whole) draft.postpone();
};
