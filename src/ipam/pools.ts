/** From what the user asked of a network's addresses to the pools it owns: subnets chosen, gateways decided. Pure. */
import { forbidden, invalid, ViaductError } from '../errors.js';
import type { Family, IpamConfig, Pool } from '../model/network.js';
import { formatAddress, formatPrefix, type Prefix } from './address.js';
import { readConfig, type SubnetRequest } from './config.js';
import { BUILT_IN_POOLS, chooseSubnet, type SplitPool } from './defaults.js';
import { emptySpace } from './space.js';
import { Subnets } from './subnets.js';

const FAMILIES = [4, 6] as const;

export interface PoolsRequest {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly config: readonly IpamConfig[];
}

export interface PoolsContext {
  readonly networkId: string;
  /** `--default-address-pool`; empty: built in */
  readonly defaultPools: readonly SplitPool[];
  /** subnets of every other network */
  readonly taken: Subnets;
  /** what the host uses itself: avoided when a subnet is chosen, and asked only then, not when the user names one */
  readonly hostRoutes: () => Subnets;
  /** choose a gateway where the user named none (drivers' `gateways`); absent: yes */
  readonly gateways?: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** stable text of this host, for unique local IPv6 prefixes */
  readonly seed: string;
}

interface Occupied {
  readonly taken: Subnets;
  readonly avoid: () => readonly Subnets[];
  /** of this network, earlier in the same request */
  readonly own: Subnets;
}

const occupied = ({ taken, hostRoutes }: PoolsContext): Occupied => {
  const own = new Subnets();
  return { taken, avoid: () => [taken, own, hostRoutes()], own };
};

/** `0.0.0.0/24` and `::/120` ask for a size, not for a subnet. */
const wantsChoice = ({ value }: Prefix): boolean => value === 0n;

const choose = (
  family: Family,
  asked: SubnetRequest | undefined,
  { avoid }: Occupied,
  { defaultPools, networkId, seed }: PoolsContext,
): Prefix => {
  if (asked?.range) throw invalid('invalid address subpool: an ip-range needs a subnet of its own');
  return chooseSubnet({
    family,
    bits: asked && asked.subnet.bits > 0 ? asked.subnet.bits : undefined,
    pools: defaultPools.length > 0 ? defaultPools : BUILT_IN_POOLS,
    avoid: avoid(),
    networkId,
    seed,
  });
};

const claim = (subnet: Prefix, { taken, own }: Occupied): Prefix => {
  if (taken.overlaps(subnet) || own.overlaps(subnet))
    throw forbidden('invalid pool request: Pool overlaps with other one on this address space');
  return subnet;
};

/** Where moby answers 500 for an address that cannot be had, the user is told it is theirs. */
const reserving = <T>(what: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (error instanceof ViaductError) throw invalid(`failed to allocate ${what}: ${error.message}`, error);
    throw error;
  }
};

/** A gateway of the user's is taken first, then auxiliary addresses, then one is chosen: the lowest left in the range. */
const settle = (subnet: Prefix, asked: SubnetRequest | undefined, wantsGateway: boolean): Pool => {
  const base: Pool = {
    family: subnet.family,
    subnet: formatPrefix(subnet),
    ...(asked?.range ? { range: formatPrefix(asked.range) } : {}),
    auxiliary: {},
  };
  const space = emptySpace(base);
  const take = (what: string, address: string): void =>
    space.add(reserving(what, () => space.unused(base, address)));
  const named = asked?.gateway && formatAddress(asked.gateway);
  if (named !== undefined) take(`gateway (${named})`, named);
  const auxiliary = (asked?.auxiliary ?? []).map(([name, address]) => {
    const text = formatAddress(address);
    take(`secondary ip address (${name}:${text})`, text);
    return [name, text] as const;
  });
  const gateway = named ?? (wantsGateway ? reserving('gateway ()', () => space.free(base)) : undefined);
  return { ...base, ...(gateway === undefined ? {} : { gateway }), auxiliary: Object.fromEntries(auxiliary) };
};

/**
 * The pools of a new network, IPv4 first; each family that is on has at least one. Throws invalid for what cannot be
 * (`invalid network config:…`, pools exhausted), forbidden for what is another network's.
 */
export const resolvePools = (request: PoolsRequest, context: PoolsContext): readonly Pool[] => {
  const on: Readonly<Record<Family, boolean>> = { 4: request.ipv4, 6: request.ipv6 };
  const wantsGateway: Readonly<Record<Family, boolean>> = {
    4: context.gateways?.ipv4 ?? true,
    6: context.gateways?.ipv6 ?? true,
  };
  const asked = readConfig(request.config, on);
  const space = occupied(context);
  const pool = (family: Family, entry: SubnetRequest | undefined): Pool => {
    const named = entry && !wantsChoice(entry.subnet) ? claim(entry.subnet, space) : undefined;
    const settled = settle(named ?? choose(family, entry, space, context), entry, wantsGateway[family]);
    space.own.add(settled.subnet);
    return settled;
  };
  return FAMILIES.filter((family) => on[family]).flatMap((family) => {
    const entries = asked.filter(({ subnet }) => subnet.family === family);
    return entries.length > 0 ? entries.map((entry) => pool(family, entry)) : [pool(family, undefined)];
  });
};
