/** Subnets for networks whose user named none: the daemon's pools, or Docker's and then further private space. */
import { createHash } from 'node:crypto';
import { invalid } from '../errors.js';
import type { Family } from '../model/network.js';
import { masked, type Prefix, prefixOf, width } from './address.js';
import { lowestFree, type Subnets } from './subnets.js';

/** Private space (CIDR) that is cut into networks of `size` bits. */
export interface SplitPool {
  readonly base: string;
  readonly size: number;
}

const seventeenToThirtyOne = Array.from({ length: 15 }, (_, i) => ({
  base: `172.${17 + i}.0.0/16`,
  size: 16,
}));

/**
 * Docker's 31 networks first, as its users know them; then 65,792 more of 254 addresses each. The upper half of 10/8
 * goes first, because sites and swarm's overlays number from below.
 */
export const BUILT_IN_POOLS: readonly SplitPool[] = [
  ...seventeenToThirtyOne,
  { base: '192.168.0.0/16', size: 20 },
  { base: '10.128.0.0/9', size: 24 },
  { base: '10.0.0.0/9', size: 24 },
  { base: '172.16.0.0/16', size: 24 },
];

export interface Choosing {
  readonly family: Family;
  /** prefix length the user prefers (`0.0.0.0/24`); undefined: the pool's own */
  readonly bits: number | undefined;
  readonly pools: readonly SplitPool[];
  readonly avoid: readonly Subnets[];
  readonly networkId: string;
  readonly seed: string;
}

interface Cut {
  readonly base: Prefix;
  readonly bits: number;
}

const cuts = ({ family, bits, pools }: Choosing): Cut[] =>
  pools
    .map((pool) => ({ base: masked(prefixOf(pool.base)), bits: bits ?? pool.size }))
    .filter((cut) => cut.base.family === family && cut.base.bits <= cut.bits && cut.bits <= width(family));

/** RFC 4193: `fd`, 40 bits of this host, and 16 of the network; a prefix of 48 bits. */
const localPrefix = (seed: string): Prefix => {
  const digest = createHash('sha256').update(`viaduct unique local addresses ${seed}`).digest('hex');
  return { family: 6, value: BigInt(`0xfd${digest.slice(0, 10)}`) << 80n, bits: 48 };
};

const ULA_NETWORKS = 1 << 16;
const ULA_BITS = 64;

/**
 * The same host and network always get the same /64, unless it is taken: then the next. A longer prefix is cut from that
 * /64, a shorter one (49–63) begins where it lies.
 */
const uniqueLocal = ({ bits, avoid, networkId, seed }: Choosing): Prefix | undefined => {
  const local = localPrefix(seed);
  const length = bits ?? ULA_BITS;
  if (length < local.bits) throw invalid('invalid address pool');
  const start = Number.parseInt(createHash('sha256').update(networkId).digest('hex').slice(0, 4), 16);
  for (let i = 0; i < ULA_NETWORKS; i += 1) {
    const index = BigInt((start + i) % ULA_NETWORKS);
    const home: Prefix = { family: 6, value: local.value + (index << 64n), bits: Math.min(length, ULA_BITS) };
    const found = lowestFree(masked(home), length, avoid);
    if (found) return found;
  }
  return undefined;
};

/** A free subnet. Throws invalid when there is none (or no pool fits the preferred length). */
export const chooseSubnet = (choosing: Choosing): Prefix => {
  const candidates = cuts(choosing);
  if (choosing.family === 6 && !choosing.pools.some((pool) => prefixOf(pool.base).family === 6)) {
    const found = uniqueLocal(choosing);
    if (found) return found;
  } else if (candidates.length === 0) throw invalid('invalid address pool');
  for (const { base, bits } of candidates) {
    const found = lowestFree(base, bits, choosing.avoid);
    if (found) return found;
  }
  throw invalid('all predefined address pools have been fully subnetted');
};
