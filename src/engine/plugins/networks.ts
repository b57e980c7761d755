/**
 * Networks in which plugins have a part: what they must be asked is asked before the record is committed, and taken back
 * when it cannot be.
 */
import { forbidden, notFound } from '../../errors.js';
import { isOwnIpam } from '../../ipam/own.js';
import { parsePrefix } from '../../model/address.js';
import type { Network } from '../../model/network.js';
import type { OwedCall } from '../../model/owed.js';
import { withLength } from '../../model/pool.js';
import type { IpamData, NetworkPlugin } from '../../plugins/contract.js';
import { carryOut } from '../carry-out.js';
import type { NetworkCreateRequest } from '../contract.js';
import { decideCreation } from '../networks/decide.js';
import { design, type Naming, type PluginAnswers } from '../networks/design.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { asking } from './asking.js';
import { networkOptions } from './options.js';
import { networkCall, owedForNetwork } from './owed-calls.js';
import { requestPools } from './pools.js';

type Asking = View & Writing & Pick<Outside, 'plugins'>;

/** As libnetwork decides without a swarm: a driver's own scope, which a user cannot narrow. */
const scopeOf = ({ driver, scope }: NetworkCreateRequest, own: 'local' | 'global'): Network['scope'] => {
  if (scope === 'local' && own === 'global')
    throw forbidden(`cannot downgrade network scope for ${driver} networks`);
  if (scope === 'swarm') throw forbidden('cannot create a swarm scoped network when swarm is not active');
  return scope === 'global' ? 'global' : own;
};

const NO_POOL: Readonly<Record<4 | 6, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

/** The pools as drivers are told of them. The `null` IPAM has one of no addresses. */
const ipamData = (network: Network, family: 4 | 6): readonly IpamData[] => {
  const { ipam, pools } = network;
  const on = family === 4 ? network.ipv4 : network.ipv6;
  if (ipam.driver === 'null') return on ? [{ AddressSpace: 'null', Pool: NO_POOL[family] }] : [];
  const own = network.scope === 'global' ? 'GlobalDefault' : 'LocalDefault';
  return pools
    .filter((pool) => pool.family === family)
    .map(({ subnet, gateway, auxiliary }) => ({
      AddressSpace: ipam.addressSpace ?? own,
      Pool: subnet,
      ...(gateway === undefined ? {} : { Gateway: withLength(gateway, { subnet }) }),
      ...(Object.keys(auxiliary).length === 0
        ? {}
        : {
            AuxAddresses: Object.fromEntries(
              Object.entries(auxiliary).map(([name, address]) => [name, withLength(address, { subnet })]),
            ),
          }),
    }));
};

const answersOf = async (
  parts: Asking,
  { request, ipv4, ipv6 }: Naming,
  plugin: NetworkPlugin | undefined,
  owe: (call: OwedCall) => void,
): Promise<PluginAnswers> => {
  const scope = plugin ? scopeOf(request, plugin.scope) : 'local';
  const skips = plugin
    ? await plugin.skipsGateways(networkOptions({ ...request, ipv4, ipv6 }))
    : invert(parts.drivers.get(request.driver)?.gateways(request) ?? { ipv4: true, ipv6: true });
  if (isOwnIpam(request.ipam.driver)) return { scope, gateways: invert(skips) };
  const ipam = await parts.plugins.ipam(request.ipam.driver);
  const spaces = await ipam.addressSpaces();
  const addressSpace = scope === 'global' ? spaces.global : spaces.local;
  const host = parts.facts.subnets();
  const pools = await requestPools({
    plugin: request.ipam.driver,
    ipam,
    addressSpace,
    ipv4,
    ipv6,
    config: request.ipam.config,
    options: request.ipam.options ?? {},
    skips,
    occupied: (subnet) => {
      const prefix = parsePrefix(subnet);
      return scope !== 'global' && prefix !== undefined && prefix.bits > 0 && host.overlaps(prefix);
    },
    owe,
  });
  return { scope, addressSpace, pools };
};

const invert = ({ ipv4, ipv6 }: { ipv4: boolean; ipv6: boolean }) => ({ ipv4: !ipv4, ipv6: !ipv6 });

/** Its name is nobody else's from the first question on, its subnets from when they are chosen. */
export const createWithPlugins = (parts: Asking, named: Naming): Promise<Network> => {
  const { id, request } = named;
  return asking(parts, { id, networkId: id, of: 'network' }, async ({ owe, claim }) => {
    claim({ name: request.name });
    const plugin = parts.drivers.has(request.driver)
      ? undefined
      : await parts.plugins.network(request.driver);
    const network = design(parts, named, await answersOf(parts, named, plugin, owe));
    const own = isOwnIpam(network.ipam.driver) ? network.pools : [];
    claim({ name: request.name, subnets: own.map(({ subnet }) => subnet) });
    if (plugin) {
      owe(networkCall(request.driver, 'DeleteNetwork', { NetworkID: id }));
      await plugin.createNetwork(id, networkOptions(network), ipamData(network, 4), ipamData(network, 6));
    }
    carryOut(parts, decideCreation(parts, network));
    return network;
  });
};

/**
 * Is there somebody to tell of the network's end? Throws not-found with moby's text and the way out where a plugin is not
 * on this host (any more). One that is only down is told when it is up again.
 */
export const checkPluginsThere = (parts: Asking, network: Network): void => {
  const owed = owedForNetwork(parts, network);
  const missing = owed?.calls.find(({ plugin }) => !parts.plugins.found(plugin));
  if (!missing) return;
  throw notFound(
    `failed deleting Network: could not find plugin ${missing.plugin} in v1 plugin registry: plugin not found: start the plugin, or remove the network without it by DELETE /networks/${network.name}?force=1`,
  );
};
