/** Network commands: create, remove, look up, prune. Each is done, on disk and in the kernel, when it returns. */

import type { Driver } from '../drivers/contract.js';
import { conflict, forbidden, invalid, notFound } from '../errors.js';
import { resolvePools } from '../ipam/pools.js';
import { freshId, type NetworkId } from '../model/ids.js';
import { type Network, PREDEFINED_NETWORKS } from '../model/network.js';
import type { NetworkCommands, NetworkCreateRequest } from './contract.js';
import { type Parts, timestamp } from './parts.js';

const PREDEFINED_NAMES: readonly string[] = [...PREDEFINED_NETWORKS, 'default'];
/** moby's rule for new networks: no leading or trailing white space, not blank. */
const checkName = (parts: Parts, name: string): void => {
  if (name.trim() === '') throw invalid('name is required');
  if (name.length > 255 || name !== name.trim() || hasControlCharacter(name))
    throw invalid(`invalid network name: ${JSON.stringify(name.slice(0, 64))}`);
  if (PREDEFINED_NAMES.includes(name))
    throw forbidden(`operation is not permitted on predefined ${name} network`);
  if (parts.model.networkNamed(name)) throw conflict(`network with name ${name} already exists`);
};

const hasControlCharacter = (text: string): boolean =>
  [...text].some((c) => c < ' ' || c === '\u007f' || c === '/');

/** A network made from a config-only one takes its addressing and options, and may name none of its own. */
const withConfiguration = (parts: Parts, request: NetworkCreateRequest): NetworkCreateRequest => {
  if (request.configFrom === '') return request;
  if (request.configOnly)
    throw forbidden(
      'configuration network and configuration source network cannot be specified at the same time',
    );
  const from = parts.model.networkNamed(request.configFrom);
  if (!from) throw notFound(`configuration network "${request.configFrom}" not found`);
  if (!from.configOnly) throw forbidden(`network "${from.name}" is not a configuration network`);
  if (request.ipam.config.length > 0 || Object.keys(request.options).length > 0)
    throw forbidden(
      'user specified configurations are not supported if the network depends on a configuration network',
    );
  const { ipv4, ipv6, options, labels, ipam } = from;
  return { ...request, ipv4, ipv6, options, labels: { ...labels, ...request.labels }, ipam };
};

const withDefaults = (parts: Parts, request: NetworkCreateRequest): NetworkCreateRequest => {
  const driver = request.driver || 'bridge';
  const defaults = parts.config.defaultNetworkOptions[driver] ?? {};
  return { ...request, driver, options: { ...defaults, ...request.options } };
};

const flag = (option: string | undefined, fallback: boolean): boolean =>
  option === undefined ? fallback : option === 'true' || option === '1';

const pools = (parts: Parts, request: NetworkCreateRequest, id: NetworkId, driver: Driver) => {
  const ipv4 = request.ipv4 ?? flag(request.options['com.docker.network.enable_ipv4'], true);
  const ipv6 = request.ipv6 ?? flag(request.options['com.docker.network.enable_ipv6'], false);
  if (!ipv4 && !ipv6) throw invalid('IPv4 or IPv6 must be enabled');
  const resolved = resolvePools(
    { config: request.ipam.config, ipv4, ipv6 },
    {
      defaultPools: parts.config.defaultAddressPools,
      taken: parts.subnets,
      hostRoutes: parts.facts.subnets(),
      gateways: driver.gateways(request),
      seed: parts.seed,
      networkId: id,
    },
  );
  return { ipv4, ipv6, pools: resolved };
};

/** The network as a record, every choice made; nothing is changed yet. Also what a dry run shows. */
export const designNetwork = (parts: Parts, asked: NetworkCreateRequest): Network => {
  checkName(parts, asked.name);
  const request = withDefaults(parts, withConfiguration(parts, asked));
  const driver = parts.drivers.get(request.driver);
  if (!driver)
    throw notFound(`could not find plugin ${request.driver} in v1 plugin registry: plugin not found`);
  if (!driver.capabilities.interfaces)
    throw forbidden(`only one instance of "${request.driver}" network is allowed`);
  if (request.scope !== '' && request.scope !== 'local' && request.scope !== driver.scope)
    throw invalid(`invalid scope "${request.scope}" for driver ${request.driver}`);
  if (request.ingress) throw invalid('ingress networks need a swarm: this node is not a swarm manager');
  if (!['', 'default'].includes(request.ipam.driver))
    throw notFound(`could not find IPAM driver ${request.ipam.driver}: plugin not found`);
  const id = freshId<NetworkId>();
  const addressing = pools(parts, request, id, driver);
  const network: Network = {
    id,
    name: request.name,
    driver: request.driver,
    scope: 'local',
    createdAt: timestamp(),
    ...addressing,
    internal: request.internal,
    attachable: request.attachable,
    configOnly: request.configOnly,
    configFrom: request.configFrom,
    options: request.options,
    labels: request.labels,
    ipam: {
      driver: 'default',
      options: request.ipam.options,
      config: request.configOnly ? request.ipam.config : addressing.pools.map(shown),
    },
    ...(request.configOnly ? { pools: [] } : {}),
    predefined: false,
  };
  if (!network.configOnly) driver.validate(network, [...parts.model.networks.values()], parts.host);
  return network;
};

const shown = (pool: Network['pools'][number]) => ({
  subnet: pool.subnet,
  ...(pool.range ? { range: pool.range } : {}),
  ...(pool.gateway ? { gateway: pool.gateway } : {}),
  ...(Object.keys(pool.auxiliary).length > 0 ? { auxiliary: pool.auxiliary } : {}),
});

const announce = (parts: Parts, network: Network, action: string, container?: string): void =>
  parts.events.publish({
    type: 'network',
    action,
    actor: {
      id: network.id,
      attributes: { name: network.name, type: network.driver, ...(container ? { container } : {}) },
    },
  });

export const networkEvent = announce;

const create = (parts: Parts, request: NetworkCreateRequest): { id: NetworkId; warning: string } => {
  const network = designNetwork(parts, request);
  parts.ledger.commit([{ table: 'network', id: network.id, value: network }]);
  parts.addresses.open(network);
  for (const pool of network.pools) parts.subnets.add(pool.subnet);
  announce(parts, network, 'create');
  return { id: network.id, warning: '' };
};

const remove = (parts: Parts, reference: string): void => {
  const network = parts.model.getNetwork(reference);
  if (network.predefined) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
  const users = parts.model.endpointsOfNetwork(network.id);
  if (users.length > 0) {
    const list = users.map((e) => `name:"${e.containerName}" id:"${e.id.slice(0, 12)}"`).join(', ');
    throw forbidden(`error while removing network: network ${network.name} has active endpoints (${list})`);
  }
  const dependent = [...parts.model.networks.values()].find(
    (n) => network.configOnly && n.configFrom === network.name,
  );
  if (dependent)
    throw forbidden(`configuration network "${network.name}" is in use by network "${dependent.name}"`);
  parts.ledger.commit([{ table: 'network', id: network.id, value: null }]);
  parts.addresses.close(network.id);
  for (const pool of network.pools) parts.subnets.remove(pool.subnet);
  announce(parts, network, 'destroy');
};

const inUse = (parts: Parts, network: Network): boolean =>
  parts.model.endpointsOfNetwork(network.id).length > 0 ||
  [...parts.model.networks.values()].some((n) => network.configOnly && n.configFrom === network.name);

export const createNetworkCommands = (
  parts: Parts,
  attaching: Pick<NetworkCommands, 'connect' | 'disconnect'>,
): NetworkCommands => ({
  create: (request) => create(parts, request),
  remove: (reference) => remove(parts, reference),
  list: () => [...parts.model.networks.values()],
  get: (reference) => parts.model.getNetwork(reference),
  find: (reference) => parts.model.findNetwork(reference),
  endpoints: (network) => parts.model.endpointsOfNetwork(network.id),
  connect: attaching.connect,
  disconnect: attaching.disconnect,
  prune(selected) {
    const unused = [...parts.model.networks.values()].filter(
      (n) => !n.predefined && !n.configOnly && !inUse(parts, n) && selected(n),
    );
    for (const network of unused) remove(parts, network.id);
    return unused.map((n) => n.name);
  },
});
