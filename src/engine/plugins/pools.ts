/** Pools of a network from a third-party IPAM driver, asked for in libnetwork's order. */
import { internal } from '../../errors.js';
import { readConfig, type SubnetRequest } from '../../ipam/config.js';
import {
  bare,
  contains,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
} from '../../model/address.js';
import type { Family, IpamConfig, Pool } from '../../model/network.js';
import type { OwedCall } from '../../model/owed.js';
import type { IpamPlugin, RequestedPool } from '../../plugins/contract.js';
import { releaseAddress, releasePool } from './owed-calls.js';

/** `RequestAddressType`: the address is to be the gateway's. */
export const FOR_GATEWAY = { RequestAddressType: 'com.docker.network.gateway' } as const;

export interface PoolsAsked {
  readonly plugin: string;
  readonly ipam: IpamPlugin;
  readonly addressSpace: string;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly config: readonly IpamConfig[];
  readonly options: Readonly<Record<string, string>>;
  /** families that need no gateway where the user named none */
  readonly skips: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** is the subnet in use by the host? such a pool of the plugin's choice is not taken */
  readonly occupied: (subnet: string) => boolean;
  /** called with what takes the last answer back, as soon as it is known */
  readonly owe: (call: OwedCall) => void;
}

/** A plugin that only ever answers occupied pools is not asked for ever. */
const MOST_TRIES = 64;

/** A pool that the plugin chose and the host uses is kept until another is found: given back it would come again. */
const requestPool = async (
  asked: PoolsAsked,
  family: Family,
  entry: SubnetRequest | undefined,
): Promise<RequestedPool> => {
  const request = {
    addressSpace: asked.addressSpace,
    pool: entry ? formatPrefix(entry.subnet) : '',
    subPool: entry?.range ? formatPrefix(entry.range) : '',
    options: asked.options,
    v6: family === 6,
  };
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const pool = await asked.ipam.requestPool(request);
    asked.owe(releasePool(asked.plugin, pool.id));
    if (entry || !asked.occupied(pool.subnet)) return pool;
  }
  throw internal(`IPAM driver "${asked.plugin}" knows no pool that this host does not use already`);
};

const inside = (subnet: string, address: string, what: string): string => {
  const [pool, found] = [parsePrefix(subnet), parseAddress(bare(address))];
  if (!pool || !found || !contains(pool, found))
    throw internal(`failed to allocate ${what}: IPAM driver answered ${address}, which is not in ${subnet}`);
  return formatAddress(found);
};

const settle = async (
  asked: PoolsAsked,
  { id, subnet, gateway: offered }: RequestedPool,
  family: Family,
  entry: SubnetRequest | undefined,
): Promise<Pool> => {
  const { ipam, plugin, owe, skips } = asked;
  const reserve = async (what: string, address: string, options: Readonly<Record<string, string>>) => {
    const given = inside(subnet, await ipam.requestAddress(id, address, options, family), what);
    owe(releaseAddress(plugin, id, given));
    return given;
  };
  const named = entry?.gateway && formatAddress(entry.gateway);
  const skip = family === 4 ? skips.ipv4 : skips.ipv6;
  const gateway =
    named === undefined && offered !== undefined
      ? inside(subnet, offered, 'gateway')
      : named !== undefined || !skip
        ? await reserve(`gateway (${named ?? ''})`, named ?? '', FOR_GATEWAY)
        : undefined;
  const auxiliary: [string, string][] = [];
  for (const [name, address] of entry?.auxiliary ?? [])
    auxiliary.push([name, await reserve(`secondary ip address (${name})`, formatAddress(address), {})]);
  return {
    family,
    subnet,
    ...(entry?.range ? { range: formatPrefix(entry.range) } : {}),
    ...(gateway === undefined ? {} : { gateway }),
    auxiliary: Object.fromEntries(auxiliary),
    pluginId: id,
  };
};

/** Throws as plugins do, and invalid for what the user wrote. What was asked for before is in `owe`'s hands. */
export const requestPools = async (asked: PoolsAsked): Promise<readonly Pool[]> => {
  const entries = readConfig(asked.config, { 4: asked.ipv4, 6: asked.ipv6 });
  const pools: Pool[] = [];
  for (const family of [4, 6] as const) {
    if (!(family === 4 ? asked.ipv4 : asked.ipv6)) continue;
    const named = entries.filter(({ subnet }) => subnet.family === family);
    for (const entry of named.length > 0 ? named : [undefined])
      pools.push(await settle(asked, await requestPool(asked, family, entry), family, entry));
  }
  return pools;
};
