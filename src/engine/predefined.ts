/** The three networks every daemon has: bridge (from the daemon's own settings), host and none. */
import type { DaemonConfig } from '../config/contract.js';
import type { HostView } from '../drivers/contract.js';
import { bare, canonical, formatPrefix, masked, prefixOf } from '../ipam/address.js';
import { resolvePools } from '../ipam/pools.js';
import { freshId, type NetworkId } from '../model/ids.js';
import type { Family, IpamConfig, Network } from '../model/network.js';
import type { Change } from '../store/store.js';
import type { Model } from './model.js';
import { type HostFacts, timestamp } from './parts.js';

const BASE = {
  scope: 'local',
  internal: false,
  attachable: false,
  configOnly: false,
  configFrom: '',
  labels: {},
  predefined: true,
} as const;

const addressless = (name: string, driver: string): Omit<Network, 'id' | 'createdAt'> => ({
  ...BASE,
  name,
  driver,
  ipv4: true,
  ipv6: false,
  options: {},
  ipam: { driver: 'default', options: null, config: [] },
  pools: [],
});

const bridgeOptions = ({ config, facts }: Context): Readonly<Record<string, string>> => ({
  ...config.defaultNetworkOptions.bridge,
  'com.docker.network.bridge.default_bridge': 'true',
  'com.docker.network.bridge.enable_icc': String(config.icc),
  'com.docker.network.bridge.enable_ip_masquerade': String(config.ipMasquerade),
  'com.docker.network.bridge.host_binding_ipv4': config.ip,
  'com.docker.network.bridge.name': config.bridge || facts.defaultBridge(),
  'com.docker.network.driver.mtu': String(config.mtu || 1500),
});

/**
 * `--bip 10.1.0.1/16` names the bridge's address and subnet at once. `--default-gateway` is where containers route to: a
 * router beside the bridge, so its address is reserved under the name that the driver looks for.
 */
const familyConfig = (family: Family, bip: string, fixed: string, gateway: string): readonly IpamConfig[] => {
  const subnet = bip || fixed;
  if (subnet === '') return [];
  return [
    {
      subnet: formatPrefix(masked(prefixOf(subnet))),
      ...(fixed && bip ? { range: canonical(fixed) } : {}),
      ...(bip ? { gateway: bare(bip) } : {}),
      ...(gateway ? { auxiliary: { [`DefaultGatewayIPv${family}`]: gateway } } : {}),
    },
  ];
};

interface Context {
  readonly config: DaemonConfig;
  readonly host: HostView;
  readonly facts: HostFacts;
  readonly seed: string;
  readonly model: Model;
}

const bridge = (context: Context, id: NetworkId): Omit<Network, 'createdAt'> => {
  const { config, model } = context;
  const asked = [
    ...familyConfig(4, config.bip, config.fixedCidr, config.defaultGateway),
    ...(config.ipv6 ? familyConfig(6, config.bip6, config.fixedCidrV6, config.defaultGatewayV6) : []),
  ];
  const others = [...model.networks.values()].filter((n) => n.id !== id);
  const pools = resolvePools(
    { config: asked, ipv4: true, ipv6: config.ipv6 },
    {
      defaultPools: config.defaultAddressPools,
      taken: others.flatMap((n) => n.pools.map((p) => p.subnet)),
      hostRoutes: context.facts.subnets(),
      seed: context.seed,
      networkId: id,
    },
  );
  const shown = pools.map(({ subnet, range, gateway }) => ({
    subnet,
    ...(range ? { range } : {}),
    ...(gateway ? { gateway } : {}),
  }));
  return {
    ...BASE,
    id,
    name: 'bridge',
    driver: 'bridge',
    ipv4: true,
    ipv6: config.ipv6,
    options: bridgeOptions(context),
    ipam: { driver: 'default', options: null, config: shown },
    pools,
  };
};

/** What differs between the settings of now and those under which the bridge was made, apart from its pools. */
const sameAddressing = (known: Network, config: DaemonConfig): boolean => {
  const asked = familyConfig(4, config.bip, config.fixedCidr, config.defaultGateway)[0];
  const pool = known.pools.find((p) => p.family === 4);
  return (
    known.ipv6 === config.ipv6 &&
    (asked === undefined ||
      (asked.subnet === pool?.subnet && (asked.gateway ?? pool?.gateway) === pool?.gateway))
  );
};

/** The records to write so that all three are there as configured. `--bridge none`: no default bridge. */
export const predefinedNetworks = (context: Context): readonly Change[] => {
  const { model, config } = context;
  const changes: Change[] = [];
  const put = (network: Network): void =>
    void changes.push({ table: 'network', id: network.id, value: network });
  for (const [name, driver] of [
    ['host', 'host'],
    ['none', 'null'],
  ] as const)
    if (!model.networkNamed(name))
      put({ ...addressless(name, driver), id: freshId(), createdAt: timestamp() });
  const known = model.networkNamed('bridge');
  if (config.bridge === 'none')
    return known ? [...changes, { table: 'network', id: known.id, value: null }] : changes;
  const busy = known !== undefined && model.endpointsOfNetwork(known.id).length > 0;
  if (known && (busy || sameAddressing(known, config))) put({ ...known, options: bridgeOptions(context) });
  else {
    const id = known?.id ?? freshId<NetworkId>();
    put({ ...bridge(context, id), createdAt: known?.createdAt ?? timestamp() });
  }
  return changes;
};
