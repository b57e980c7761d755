/**
 * The addresses of one network that somebody has, and which is free: an index over the records, which say who. The gateway,
 * auxiliary addresses and (IPv4, larger than /31) the network's and broadcast addresses are never given, nor an IPv6
 * subnet's first (subnet-router anycast, RFC 4291 2.6.1). An address may be had several times and counts as often, so
 * records may come and go in any order.
 */
import { forbidden, invalid } from '../errors.js';
import type { Pool } from '../model/network.js';
import type { AddressCount } from '../model/pool.js';
import {
  type Address,
  addressOf,
  contains,
  formatAddress,
  last,
  masked,
  type Prefix,
  prefixOf,
} from './address.js';
import { Runs } from './runs.js';

/** Addresses of the subnet that no endpoint may have, by their family's rules alone. */
const structural = (subnet: Prefix): readonly bigint[] => {
  const hostBits = (subnet.family === 4 ? 32 : 128) - subnet.bits;
  if (subnet.family === 6) return [subnet.value];
  // A /31 has two usable addresses (RFC 3021), a /32 one.
  return hostBits > 1 ? [subnet.value, last(subnet)] : [];
};

/** Bare addresses that no endpoint may have. What a plugin's pool gives out beside those named is the plugin's affair. */
export const reservedBy = ({ family, subnet, gateway, auxiliary, pluginId }: Pool): readonly string[] => [
  ...(pluginId === undefined
    ? structural(masked(prefixOf(subnet))).map((value) => formatAddress({ family, value }))
    : []),
  ...(gateway === undefined ? [] : [gateway]),
  ...Object.values(auxiliary),
];

/** A set of integers in which each may be several times. */
class Counted {
  readonly runs = new Runs();
  /** how often beyond once */
  readonly #more = new Map<bigint, number>();

  add(value: bigint): void {
    if (!this.runs.add(value)) this.#more.set(value, (this.#more.get(value) ?? 0) + 1);
  }

  remove(value: bigint): void {
    const more = this.#more.get(value);
    if (more === undefined) this.runs.remove(value);
    else if (more > 1) this.#more.set(value, more - 1);
    else this.#more.delete(value);
  }
}

const subnetOf = ({ subnet }: Pool): Prefix => masked(prefixOf(subnet));
const rangeOf = ({ subnet, range }: Pool): Prefix => masked(prefixOf(range ?? subnet));

const NOTHING: ReadonlySet<string> = new Set();

export interface AddressSpace {
  /** Has anybody the bare address, or may nobody have it? */
  has(address: string): boolean;
  /** The address canonical. Throws invalid outside the pool's subnet, forbidden where somebody has it. */
  unused(pool: Pool, address: string): string;
  /**
   * The lowest free address of the pool's range, as Docker's IPAM chooses; nothing is taken. Those to `spare` are answered
   * when no other is left, those that `others` has not at all. Throws forbidden when there is none.
   */
  free(pool: Pool, spare?: ReadonlySet<string>, others?: AddressSpace): string;
  count(pool: Pool): AddressCount;
}

/** Bare addresses throughout. */
export class Addresses implements AddressSpace {
  readonly #families = { 4: new Counted(), 6: new Counted() } as const;

  constructor(taken: Iterable<string> = []) {
    for (const address of taken) this.add(address);
  }

  add(text: string): void {
    const { family, value } = addressOf(text);
    this.#families[family].add(value);
  }

  remove(text: string): void {
    const { family, value } = addressOf(text);
    this.#families[family].remove(value);
  }

  has(text: string): boolean {
    return this.#has(addressOf(text));
  }

  #has({ family, value }: Address): boolean {
    return this.#families[family].runs.has(value);
  }

  unused(pool: Pool, text: string): string {
    const address = addressOf(text);
    const canonical = formatAddress(address);
    if (!contains(subnetOf(pool), address))
      throw invalid(`no configured subnet contains IP address ${canonical}`);
    if (this.#has(address)) throw forbidden('Address already in use');
    return canonical;
  }

  free(pool: Pool, spare: ReadonlySet<string> = NOTHING, others?: AddressSpace): string {
    const range = rangeOf(pool);
    const elsewhere = (address: string): boolean => others?.has(address) === true;
    const value =
      this.#firstFree(range, (address) => spare.has(address) || elsewhere(address)) ??
      this.#firstFree(range, elsewhere);
    if (value === undefined)
      throw forbidden(
        `no available IPv${range.family} addresses on this network's address pools: ${formatAddress(range)}/${range.bits}`,
      );
    return value;
  }

  /** Past those that `passed` says: one step for each of them at most. */
  #firstFree(range: Prefix, passed: (address: string) => boolean): string | undefined {
    const { family } = range;
    const { runs } = this.#families[family];
    const end = last(range);
    let value = runs.firstFree(range.value, end);
    while (value !== undefined && passed(formatAddress({ family, value })))
      value = runs.firstFree(value + 1n, end);
    return value === undefined ? undefined : formatAddress({ family, value });
  }

  count(pool: Pool): AddressCount {
    const [subnet, range] = [subnetOf(pool), rangeOf(pool)];
    const { runs } = this.#families[subnet.family];
    const [first, end] = [range.value, last(range)];
    return {
      inUse: runs.count(subnet.value, last(subnet)),
      available: end - first + 1n - runs.count(first, end),
    };
  }
}

/** What of the pool's addresses nobody has but those that nobody may have. */
export const emptySpace = (...pools: readonly Pool[]): Addresses => new Addresses(pools.flatMap(reservedBy));
