/** From a request for a network to its record: its name, defaults, address pools. Nothing is changed here. */
import type { Driver } from '../../drivers/contract.js';
import { conflict, forbidden, invalid, notFound } from '../../errors.js';
import { takeOver } from '../../ipam/adopt.js';
import { resolvePools } from '../../ipam/pools.js';
import type { NetworkId } from '../../model/ids.js';
import {
  type AdoptedBridge,
  type IpamConfig,
  type Network,
  type Pool,
  PREDEFINED_NETWORKS,
} from '../../model/network.js';
import { shownPool } from '../../model/pool.js';
import type { NetworkCreateRequest } from '../contract.js';
import type { Fresh } from '../decision.js';
import type { View } from '../view.js';
import { adoptable } from './adoption.js';

const ENABLE = { 4: 'com.docker.network.enable_ipv4', 6: 'com.docker.network.enable_ipv6' } as const;

const PREDEFINED_NAMES: readonly string[] = [...PREDEFINED_NETWORKS, 'default'];
/** moby's rule for new networks: no leading or trailing white space, not blank. */
const checkName = (view: View, name: string): void => {
  if (name.trim() === '') throw invalid('name is required');
  // `.` and `..` are no names for a client's paths: DELETE /networks/.. would be another request.
  if (name.length > 255 || name !== name.trim() || hasControlCharacter(name) || /^\.\.?$/.test(name))
    throw invalid(`invalid network name: ${JSON.stringify(name.slice(0, 64))}`);
  if (PREDEFINED_NAMES.includes(name))
    throw forbidden(`operation is not permitted on predefined ${name} network`);
  if (view.model.hasNetworkName(name)) throw conflict(`network with name ${name} already exists`);
};

const hasControlCharacter = (text: string): boolean =>
  [...text].some((c) => c < ' ' || c === '\u007f' || c === '/');

/** Throws where a request names a configuration network beside what it would have of that. */
export const checkSource = ({ configFrom, configOnly, ipam, options }: NetworkCreateRequest): void => {
  if (configFrom === '') return;
  if (configOnly)
    throw forbidden(
      'configuration network and configuration source network cannot be specified at the same time',
    );
  if (ipam.config.length > 0 || Object.keys(options).length > 0)
    throw forbidden(
      'user specified configurations are not supported if the network depends on a configuration network',
    );
};

/** A network made from a config-only one takes its addressing and options, and may name none of its own. */
const withConfiguration = (view: View, request: NetworkCreateRequest): NetworkCreateRequest => {
  if (request.configFrom === '') return request;
  checkSource(request);
  const from = view.model.networkNamed(request.configFrom);
  if (!from) throw notFound(`configuration network "${request.configFrom}" not found`);
  if (!from.configOnly) throw forbidden(`network "${from.name}" is not a configuration network`);
  const { ipv4, ipv6, options, labels, ipam } = from;
  return { ...request, ipv4, ipv6, options, labels: { ...labels, ...request.labels }, ipam };
};

/** Options that only say what a field of the request says otherwise do not stand beside it. */
const isOverridden = ({ ipv4, ipv6 }: NetworkCreateRequest, option: string): boolean =>
  (option === ENABLE[4] && ipv4 !== undefined) || (option === ENABLE[6] && ipv6 !== undefined);

const withDefaults = (view: View, request: NetworkCreateRequest): NetworkCreateRequest => {
  const driver = request.driver || 'bridge';
  const defaults = Object.entries(view.config.defaultNetworkOptions[driver] ?? {}).filter(
    ([option]) => !isOverridden(request, option),
  );
  return { ...request, driver, options: { ...Object.fromEntries(defaults), ...request.options } };
};

const flag = (option: string | undefined, fallback: boolean): boolean =>
  option === undefined ? fallback : option === 'true' || option === '1';

const families = ({ ipv4, ipv6, options }: NetworkCreateRequest, driver: Driver | undefined) => {
  const on = {
    ipv4: ipv4 ?? flag(options[ENABLE[4]], true),
    ipv6: ipv6 ?? flag(options[ENABLE[6]], false),
  };
  if (!on.ipv4 && !on.ipv6 && !driver?.capabilities.addressless)
    throw invalid('IPv4 or IPv6 must be enabled');
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

const BRIDGE_NAME = 'com.docker.network.bridge.name';

/** The bridge that the user named, where it is there already and not ours. */
const adoption = (view: View, request: NetworkCreateRequest): AdoptedBridge | undefined => {
  const name = request.configOnly ? undefined : view.drivers.get(request.driver)?.standsOn?.(request);
  return name === undefined ? undefined : adoptable(name, view.facts.link(name), BRIDGE_NAME);
};

const ownPools = (
  view: View,
  { id, request, ipv4, ipv6 }: Naming,
  answers: PluginAnswers,
  adopted: AdoptedBridge | undefined,
) => {
  const driver = view.drivers.get(request.driver);
  if (request.ipam.driver === 'null') return nullPools(request, driver !== undefined && !request.configOnly);
  const gateways = answers.gateways ?? driver?.gateways(request) ?? { ipv4: true, ipv6: true };
  const { config } = request.ipam;
  const filled = adopted
    ? takeOver(config, adopted.addresses, { 4: ipv4, 6: ipv6 }, { 4: gateways.ipv4, 6: gateways.ipv6 })
    : config;
  return resolvePools(
    { config: filled, ipv4, ipv6 },
    {
      defaultPools: view.config.defaultAddressPools,
      taken: view.model.taken.subnets,
      hostRoutes: () => view.facts.subnets(),
      gateways,
      seed: view.seed,
      networkId: id,
    },
  );
};

/** What plugins say of a network before its record is made. */
export interface PluginAnswers {
  readonly scope: Network['scope'];
  readonly gateways?: { readonly ipv4: boolean; readonly ipv6: boolean };
  readonly addressSpace?: string;
  /** absent: from our own IPAM */
  readonly pools?: readonly Pool[];
}

/** Where no plugin has a part. */
const NOT_ASKED: PluginAnswers = { scope: 'local' };

/** A request with every default filled in, its name free, and an id for what it asks for. */
export interface Naming {
  readonly id: NetworkId;
  readonly createdAt: string;
  readonly request: NetworkCreateRequest;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

export const naming = (view: View, fresh: Fresh, asked: NetworkCreateRequest): Naming => {
  checkName(view, asked.name);
  const request = withDefaults(view, withConfiguration(view, asked));
  const driver = view.drivers.get(request.driver);
  if (driver && !driver.capabilities.interfaces)
    throw forbidden(`only one instance of "${request.driver}" network is allowed`);
  if (driver && request.scope !== '' && request.scope !== 'local' && request.scope !== driver.scope)
    throw invalid(`invalid scope "${request.scope}" for driver ${request.driver}`);
  if (request.ingress) throw invalid('ingress networks need a swarm: this node is not a swarm manager');
  const id = fresh.id as NetworkId; // nobody else was given it
  return { id, createdAt: fresh.now, request, ...families(request, driver) };
};

/** The network as a record, every choice made; nothing is changed yet. */
export const design = (view: View, named: Naming, answers: PluginAnswers = NOT_ASKED): Network => {
  const { id, createdAt, request, ipv4, ipv6 } = named;
  const adopted = adoption(view, request);
  const pools = answers.pools ?? ownPools(view, named, answers, adopted);
  const network: Network = {
    id,
    name: request.name,
    driver: request.driver,
    scope: answers.scope,
    createdAt,
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
    ...(adopted ? { adopted } : {}),
    predefined: false,
  };
  const driver = view.drivers.get(network.driver);
  if (!network.configOnly) driver?.validate(network, view.model.mayClash(network), view.host);
  return network;
};

/** A network that the engine itself has use for, of a built-in driver. */
export const designOwn = (view: View, fresh: Fresh, request: NetworkCreateRequest): Network =>
  design(view, naming(view, fresh, request));

/** As Docker shows them: the `null` IPAM's pools hold everything, and nothing is given from them. */
const shownPools = (
  { ipam }: NetworkCreateRequest,
  { ipv4, ipv6 }: Naming,
  pools: readonly Pool[],
): readonly IpamConfig[] =>
  ipam.driver === 'null'
    ? [...(ipv4 ? [{ subnet: '0.0.0.0/0' }] : []), ...(ipv6 ? [{ subnet: '::/0' }] : [])]
    : pools.map(shownPool);
