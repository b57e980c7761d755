/** The three networks every daemon has: bridge (from the daemon's own settings), host and none. */
import { isDeepStrictEqual } from 'node:util';
import { invalid } from '../../errors.js';
import { defaultBridgeConfig } from '../../ipam/adopt.js';
import { resolvePools } from '../../ipam/pools.js';
import { Subnets } from '../../ipam/subnets.js';
import type { NetworkId } from '../../model/ids.js';
import type { AdoptedBridge, Family, IpamConfig, Network } from '../../model/network.js';
import { type Change, drop, onInterface, put } from '../commit/tables.js';
import { type Decision, type Fresh, idFor, type Warning } from '../decision.js';
import type { View } from '../view.js';
import { adoptable } from './adoption.js';

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

const BRIDGE_NAME = 'com.docker.network.bridge.name';

const bridgeOptions = ({ config, ground }: Context): Readonly<Record<string, string>> => ({
  ...config.defaultNetworkOptions.bridge,
  'com.docker.network.bridge.default_bridge': 'true',
  'com.docker.network.bridge.enable_icc': String(config.icc),
  'com.docker.network.bridge.enable_ip_masquerade': String(config.ipMasquerade),
  'com.docker.network.bridge.host_binding_ipv4': config.ip,
  [BRIDGE_NAME]: ground.name,
  'com.docker.network.driver.mtu': String(config.mtu || ground.adopted?.mtu || 1500),
});

interface Deciding extends View {
  readonly fresh: Fresh;
  /** what the administrator is to be told is added here */
  readonly warnings: Warning[];
}

/** The bridge of the default network: its name, and what it has where it is not ours. */
interface Ground {
  readonly name: string;
  /** addresses of one of ours that no record knows: containers may run on it still */
  readonly left: readonly string[];
  readonly adopted?: AdoptedBridge;
}

interface Context extends Deciding {
  readonly ground: Ground;
  /** the default network as it is recorded */
  readonly known: Network | undefined;
}

const subnetBits = (subnet: string): string => subnet.slice(subnet.indexOf('/'));

/** Addresses that the network gives a bridge that is not ours. */
const ownAddresses = (network: Network, { drivers, host }: Deciding): readonly string[] =>
  (drivers.get(network.driver)?.network({ host, network }) ?? []).flatMap((o) =>
    o.kind === 'address' ? [o.address] : [],
  );

/** `--bridge` is the administrator's and must be there; a docker0 that nobody of ours made is as good as that. */
const groundOf = (context: Deciding, known: Network | undefined): Ground => {
  const { config, facts } = context;
  const name = config.bridge || facts.defaultBridge();
  const found = facts.link(name);
  if (config.bridge !== '' && !found)
    throw invalid(
      `--bridge ${name}: there is no such bridge on this host: make it (ip link add ${name} type bridge), or start without --bridge`,
    );
  const id = idFor<NetworkId>(context.fresh, 'bridge');
  const onIt = onInterface({ id, driver: 'bridge', options: { [BRIDGE_NAME]: name } });
  const other = context.model.tables.network.all('interface', onIt).find((n) => n.id !== known?.id);
  if (other)
    throw invalid(
      `--bridge ${name}: network ${other.name} is on this bridge: remove it, or name another bridge`,
    );
  const theirs = found && config.bridge !== '' ? { ...found, ours: false } : found;
  const adopted = adoptable(name, theirs, config.bridge === '' ? 'the default bridge' : '--bridge');
  if (!adopted) return { name, left: found?.addresses ?? [] };
  const former = known?.options[BRIDGE_NAME] === name ? known.adopted : undefined;
  if (!former || !known) return { name, left: [], adopted };
  // What the network gave the bridge is still on it after a crash, or where containers run on.
  const own = new Set(ownAddresses(known, context));
  const addresses = adopted.addresses.filter((a) => !own.has(a));
  return { name, left: [], adopted: { ...adopted, addresses, routeLocalnet: former.routeLocalnet } };
};

/** What is on the bridge; of one of ours, what it was given when it was made, where that is known. */
const addressesOn = ({ ground, known }: Context): readonly string[] =>
  ground.adopted?.addresses ??
  known?.pools.flatMap(({ gateway, subnet }) => (gateway ? [`${gateway}${subnetBits(subnet)}`] : [])) ??
  ground.left;

const askedPools = (context: Context): readonly IpamConfig[] => {
  const { config, warnings } = context;
  const of = (family: Family, bip: string, fixed: string, router: string): readonly IpamConfig[] => {
    const addresses = addressesOn(context);
    const managed = config.bridge === '';
    const asked = defaultBridgeConfig({ family, bip, fixed, router, addresses, managed });
    if (asked.warning) warnings.push({ about: { bridge: context.ground.name }, text: asked.warning });
    return asked.config ? [asked.config] : [];
  };
  return [
    ...of(4, config.bip, config.fixedCidr, config.defaultGateway),
    ...(config.ipv6 ? of(6, config.bip6, config.fixedCidrV6, config.defaultGatewayV6) : []),
  ];
};

const bridge = (context: Context, id: NetworkId): Omit<Network, 'createdAt'> => {
  const { config, model, ground } = context;
  const others = [...model.networks.values()].filter((n) => n.id !== id);
  const pools = resolvePools(
    { config: askedPools(context), ipv4: true, ipv6: config.ipv6 },
    {
      defaultPools: config.defaultAddressPools,
      taken: new Subnets(others.flatMap((n) => n.pools.map((p) => p.subnet))),
      hostRoutes: () => context.facts.subnets(),
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
    ...(ground.adopted ? { adopted: ground.adopted } : {}),
  };
};

/** Whether containers that run on the network as it was find their addresses and routers on it as it is to be. */
const fits = (before: Network, after: Omit<Network, 'createdAt'>): boolean =>
  before.ipv6 === after.ipv6 &&
  before.pools.every(
    (pool) =>
      pool.auxiliary[`DefaultGatewayIPv${pool.family}`] !== undefined ||
      after.pools.some((p) => p.subnet === pool.subnet && p.gateway === pool.gateway),
  );

const defaultNetwork = (context: Deciding): Network => {
  const known = context.model.networkNamed('bridge');
  const whole: Context = { ...context, known, ground: groundOf(context, known) };
  const wanted = bridge(whole, known?.id ?? idFor<NetworkId>(context.fresh, 'bridge'));
  const createdAt = known?.createdAt ?? context.fresh.now;
  if (!known || context.model.endpointsOfNetwork(known.id).length === 0 || fits(known, wanted))
    return { ...wanted, createdAt };
  context.warnings.push({
    about: { bridge: whole.ground.name },
    text: 'the default network has other addresses now, and containers run on it: they are used from the first start on at which none does',
  });
  const { adopted: _, ...kept } = known;
  const { adopted } = whole.ground;
  return { ...kept, options: bridgeOptions(whole), ...(adopted ? { adopted } : {}) };
};

/** What makes all three be there as configured. `--bridge none`: no default bridge. */
export const decidePredefined = (
  view: View,
  fresh: Fresh,
): Decision & { readonly warnings: readonly Warning[] } => {
  const { model, config } = view;
  const warnings: Warning[] = [];
  const changes: Change[] = [];
  for (const [name, driver] of [
    ['host', 'host'],
    ['none', 'null'],
  ] as const)
    if (!model.networkNamed(name))
      changes.push(
        put('network', {
          ...addressless(name, driver),
          id: idFor<NetworkId>(fresh, name),
          createdAt: fresh.now,
        }),
      );
  const known = model.networkNamed('bridge');
  if (config.bridge !== 'none') {
    const wanted = defaultNetwork({ ...view, fresh, warnings });
    // Most starts find it as it is wanted: then there is nothing to write, and no copy of the records to be made anew.
    if (!isDeepStrictEqual(known, wanted)) changes.push(put('network', wanted));
  } else if (known) changes.push(drop('network', known.id));
  return { changes, events: [], warnings };
};
