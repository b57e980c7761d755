/** Network commands: create, remove, look up, prune. Each is done, on disk and in the kernel, when it returns. */

import { conflict, forbidden, invalid, notFound } from '../errors.js';
import { isOwnIpam } from '../ipam/own.js';
import { resolvePools } from '../ipam/pools.js';
import { freshId, type NetworkId } from '../model/ids.js';
import { type IpamConfig, type Network, type Pool, PREDEFINED_NETWORKS } from '../model/network.js';
import type { NetworkCommands, NetworkCreateRequest } from './contract.js';
import { type Parts, timestamp } from './parts.js';
import { checkPluginsThere, createWithPlugins, type Making, type PluginAnswers } from './plugins/networks.js';
import { owedForNetwork, usesPlugins } from './plugins/part.js';

const PREDEFINED_NAMES: readonly string[] = [...PREDEFINED_NETWORKS, 'default'];
/** moby's rule for new networks: no leading or trailing white space, not blank. */
const checkName = (parts: Parts, name: string): void => {
  if (name.trim() === '') throw invalid('name is required');
  if (name.length > 255 || name !== name.trim() || hasControlCharacter(name))
    throw invalid(`invalid network name: ${JSON.stringify(name.slice(0, 64))}`);
  if (PREDEFINED_NAMES.includes(name))
    throw forbidden(`operation is not permitted on predefined ${name} network`);
  if (parts.model.networkNamed(name) || parts.beingMade.has(name))
    throw conflict(`network with name ${name} already exists`);
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

const families = ({ ipv4, ipv6, options }: NetworkCreateRequest) => {
  const on = {
    ipv4: ipv4 ?? flag(options['com.docker.network.enable_ipv4'], true),
    ipv6: ipv6 ?? flag(options['com.docker.network.enable_ipv6'], false),
  };
  if (!on.ipv4 && !on.ipv6) throw invalid('IPv4 or IPv6 must be enabled');
  return on;
};

/** The `null` IPAM gives no addresses and takes no wishes. */
const nullPools = ({ ipam, driver }: NetworkCreateRequest, builtIn: boolean): readonly Pool[] => {
  if (ipam.config.some((c) => c.range))
    throw invalid('null ipam driver does not handle specific address subpool requests');
  if (ipam.config.some((c) => c.subnet))
    throw invalid('null ipam driver does not handle specific address pool requests');
  if (builtIn) throw invalid(`ipv4 pool is empty: driver ${driver} needs addresses`);
  return [];
};

const ownPools = (parts: Parts, { id, request, ipv4, ipv6 }: Naming, answers: PluginAnswers) => {
  const driver = parts.drivers.get(request.driver);
  if (request.ipam.driver === 'null') return nullPools(request, driver !== undefined && !request.configOnly);
  return resolvePools(
    { config: request.ipam.config, ipv4, ipv6 },
    {
      defaultPools: parts.config.defaultAddressPools,
      taken: parts.subnets,
      hostRoutes: parts.facts.subnets(),
      gateways: answers.gateways ?? driver?.gateways(request) ?? { ipv4: true, ipv6: true },
      seed: parts.seed,
      networkId: id,
    },
  );
};

/** A request with every default filled in, its name free, and an id for what it asks for. */
type Naming = Pick<Making, 'id' | 'request' | 'ipv4' | 'ipv6'>;

const naming = (parts: Parts, asked: NetworkCreateRequest): Naming => {
  checkName(parts, asked.name);
  const request = withDefaults(parts, withConfiguration(parts, asked));
  const driver = parts.drivers.get(request.driver);
  if (driver && !driver.capabilities.interfaces)
    throw forbidden(`only one instance of "${request.driver}" network is allowed`);
  if (driver && request.scope !== '' && request.scope !== 'local' && request.scope !== driver.scope)
    throw invalid(`invalid scope "${request.scope}" for driver ${request.driver}`);
  if (request.ingress) throw invalid('ingress networks need a swarm: this node is not a swarm manager');
  return { id: freshId<NetworkId>(), request, ...families(request) };
};

const LOCAL: PluginAnswers = { scope: 'local' };

/** The network as a record, every choice made; nothing is changed yet. */
const design = (parts: Parts, named: Naming, answers: PluginAnswers): Network => {
  const { id, request, ipv4, ipv6 } = named;
  const pools = answers.pools ?? ownPools(parts, named, answers);
  const network: Network = {
    id,
    name: request.name,
    driver: request.driver,
    scope: answers.scope,
    createdAt: timestamp(),
    ipv4,
    ipv6,
    pools: request.configOnly ? [] : pools,
    internal: request.internal,
    attachable: request.attachable,
    configOnly: request.configOnly,
    configFrom: request.configFrom,
    options: request.options,
    labels: request.labels,
    ipam: {
      driver: request.ipam.driver || 'default',
      options: request.ipam.options,
      config: request.configOnly ? request.ipam.config : shownPools(request, named, pools),
      ...(answers.addressSpace === undefined ? {} : { addressSpace: answers.addressSpace }),
    },
    predefined: false,
  };
  const driver = parts.drivers.get(network.driver);
  if (!network.configOnly) driver?.validate(network, [...parts.model.networks.values()], parts.host);
  return network;
};

/** As Docker shows them: the `null` IPAM's pools hold everything, and nothing is given from them. */
const shownPools = (
  { ipam }: NetworkCreateRequest,
  { ipv4, ipv6 }: Naming,
  pools: readonly Pool[],
): readonly IpamConfig[] =>
  ipam.driver === 'null'
    ? [...(ipv4 ? [{ subnet: '0.0.0.0/0' }] : []), ...(ipv6 ? [{ subnet: '::/0' }] : [])]
    : pools.map(shown);

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

const settleIn = (parts: Parts, network: Network): void => {
  const owed = parts.model.owed.has(network.id)
    ? [{ table: 'owed', id: network.id, value: null } as const]
    : [];
  parts.ledger.commit([{ table: 'network', id: network.id, value: network }, ...owed]);
  if (isOwnIpam(network.ipam.driver)) parts.addresses.open(network);
};

/** In one go: no plugin has a part in it. */
const createAlone = (parts: Parts, named: Naming): Network => {
  const network = design(parts, named, LOCAL);
  settleIn(parts, network);
  for (const { subnet } of network.pools) parts.subnets.add(subnet);
  return network;
};

/** A network that the engine itself has use for, of a built-in driver. */
export const createOwn = (parts: Parts, request: NetworkCreateRequest): Network => {
  const network = createAlone(parts, naming(parts, request));
  announce(parts, network, 'create');
  return network;
};

const create = async (
  parts: Parts,
  asked: NetworkCreateRequest,
): Promise<{ id: NetworkId; warning: string }> => {
  const named = naming(parts, asked);
  const { request } = named;
  let network: Network;
  if (!request.configOnly && usesPlugins(parts, request)) {
    const designed = (answers: PluginAnswers): Network => design(parts, named, answers);
    const commit = (made: Network): void => settleIn(parts, made);
    network = await createWithPlugins(parts, { ...named, design: designed, commit });
  } else network = createAlone(parts, named);
  announce(parts, network, 'create');
  return { id: network.id, warning: '' };
};

const checkUnused = (parts: Parts, network: Network): void => {
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
};

/** What plugins hold for it is owed from the same commit on. */
const removeNow = (parts: Parts, network: Network): void => {
  checkUnused(parts, network);
  const { id } = network;
  const owed = owedForNetwork(parts, network);
  parts.ledger.commit([
    { table: 'network', id, value: null },
    ...(owed ? [{ table: 'owed', id, value: owed } as const] : []),
  ]);
  parts.addresses.close(id);
  if (isOwnIpam(network.ipam.driver)) for (const pool of network.pools) parts.subnets.remove(pool.subnet);
  announce(parts, network, 'destroy');
};

const remove = async (parts: Parts, reference: string, force: boolean): Promise<void> => {
  const network = parts.model.getNetwork(reference);
  if (network.configOnly || !usesPlugins(parts, network)) return removeNow(parts, network);
  checkUnused(parts, network);
  if (!force) checkPluginsThere(parts, network);
  await parts.networkLocks.run(network.id, async () => {
    await parts.debts.quiet(network.id);
    removeNow(parts, parts.model.getNetwork(network.id));
    await parts.debts.settle(network.id);
  });
};

const inUse = (parts: Parts, network: Network): boolean =>
  parts.model.endpointsOfNetwork(network.id).length > 0 ||
  [...parts.model.networks.values()].some((n) => network.configOnly && n.configFrom === network.name);

export const createNetworkCommands = (
  parts: Parts,
  attaching: Pick<NetworkCommands, 'connect' | 'disconnect'>,
): NetworkCommands => ({
  create: (request) => create(parts, request),
  remove: (reference, force = false) => remove(parts, reference, force),
  list: () => [...parts.model.networks.values()],
  get: (reference) => parts.model.getNetwork(reference),
  find: (reference) => parts.model.findNetwork(reference),
  endpoints: (network) => parts.model.endpointsOfNetwork(network.id),
  connect: attaching.connect,
  disconnect: attaching.disconnect,
  async prune(selected) {
    const unused = [...parts.model.networks.values()].filter(
      (n) => !n.predefined && !n.configOnly && !inUse(parts, n) && selected(n),
    );
    const removed: string[] = [];
    for (const network of unused) {
      try {
        await remove(parts, network.id, false);
        removed.push(network.name);
      } catch (error) {
        parts.log.warn({ network: network.name, error: String(error) }, 'could not remove local network');
      }
    }
    return removed;
  },
});
