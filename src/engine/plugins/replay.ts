/**
 * IPAM plugins that keep nothing over a restart (`RequiresRequestReplay`) are asked again, at the daemon's start, for the
 * pools and addresses that the records hold: as libnetwork does. In the background, until the plugin is there.
 */

import { isOwnIpam } from '../../ipam/own.js';
import { bare } from '../../model/address.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { Network, Pool } from '../../model/network.js';
import type { IpamPlugin } from '../../plugins/contract.js';
import { type Change, put } from '../commit/tables.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { FOR_GATEWAY } from './pools.js';

type Replaying = Pick<View, 'model'> &
  Pick<Writing, 'ledger' | 'log'> &
  Pick<Outside, 'plugins' | 'networkLocks'>;

/** Milliseconds between two tries. */
const PAUSE = { first: 1_000, longest: 60_000 } as const;

const replayPool = async (ipam: IpamPlugin, network: Network, pool: Pool): Promise<Pool> => {
  const { subnet, range = '', family, gateway, auxiliary } = pool;
  const { addressSpace = '', options } = network.ipam;
  const { id } = await ipam.requestPool({
    addressSpace,
    pool: subnet,
    subPool: range,
    options: options ?? {},
    v6: family === 6,
  });
  if (gateway !== undefined) await ipam.requestAddress(id, gateway, FOR_GATEWAY, family);
  for (const address of Object.values(auxiliary)) await ipam.requestAddress(id, address, {}, family);
  return { ...pool, pluginId: id };
};

const replayEndpoint = async (
  ipam: IpamPlugin,
  endpoint: Endpoint,
  names: ReadonlyMap<string, string>,
): Promise<Endpoint> => {
  const options = {
    'com.docker.network.endpoint.name': endpoint.containerName,
    ...(ipam.requiresMac ? { 'com.docker.network.endpoint.macaddress': endpoint.mac } : {}),
  };
  const renamed: { ipv4?: string; ipv6?: string } = {};
  for (const key of ['ipv4', 'ipv6'] as const) {
    const [address, former] = [endpoint[key], endpoint.poolIds?.[key]];
    if (address === undefined || former === undefined) continue;
    const id = names.get(former) ?? former;
    await ipam.requestAddress(id, bare(address), options, key === 'ipv4' ? 4 : 6);
    renamed[key] = id;
  }
  return { ...endpoint, poolIds: renamed };
};

/** A refused address is logged and stays: its container runs. An absent plugin rejects. */
const replayNetwork = async (parts: Replaying, id: string): Promise<void> => {
  const network = parts.model.networks.get(id);
  if (!network) return;
  const ipam = await parts.plugins.ipam(network.ipam.driver);
  if (!ipam.requiresReplay) return;
  const pools: Pool[] = [];
  for (const pool of network.pools) pools.push(await replayPool(ipam, network, pool));
  const names = new Map(network.pools.map((pool, i) => [pool.pluginId ?? '', pools[i]?.pluginId ?? '']));
  const changes: Change[] = [put('network', { ...network, pools })];
  for (const endpoint of parts.model.endpointsOfNetwork(id)) {
    const value = await replayEndpoint(ipam, endpoint, names);
    if (parts.model.endpoints.get(endpoint.id) === endpoint) changes.push(put('endpoint', value));
  }
  parts.ledger.commit(changes);
};

/** Starts; `close` ends the trying. */
export const replayAddresses = (parts: Replaying): { close(): void } => {
  const timers = new Set<NodeJS.Timeout>();
  let open = true;
  const attempt = (network: Network, pause: number): void => {
    parts.networkLocks
      .run(network.id, () => replayNetwork(parts, network.id))
      .catch((error: unknown) => {
        parts.log.warn({ network: network.name, error: String(error) }, 'addresses not replayed yet');
        if (!open) return;
        const timer = setTimeout(() => {
          timers.delete(timer);
          attempt(network, Math.min(2 * pause, PAUSE.longest));
        }, pause);
        timers.add(timer.unref());
      });
  };
  for (const network of parts.model.networks.values())
    if (!network.configOnly && !isOwnIpam(network.ipam.driver)) attempt(network, PAUSE.first);
  return {
    close() {
      open = false;
      for (const timer of timers) clearTimeout(timer);
    },
  };
};
