/**
 * Gives out the addresses of one pool, each once. The gateway, auxiliary addresses and (IPv4, larger than /31) the
 * network's and broadcast addresses are never given, nor an IPv6 subnet's first (subnet-router anycast, RFC 4291 2.6.1).
 * Its state is the set of addresses in use and nothing else: rebuild it from the endpoints.
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

export interface Allocator {
  /** Is the address one of the pool's subnet? */
  contains(address: string): boolean;
  /** Taken, or never given out. */
  has(address: string): boolean;
  /** Takes exactly this address and answers it canonical. Throws invalid outside the subnet, forbidden when in use. */
  take(address: string): string;
  /**
   * The lowest free address of the pool's range (as Docker's IPAM chooses), or the next free after `cursor`, round the
   * end. Those to `spare` are given when no other is left. Throws forbidden when there is none.
   */
  next(options?: { readonly cursor?: string; readonly spare?: ReadonlySet<string> }): string;
  /** Gives an address back; what was not taken, and what is reserved, stays as it is. */
  release(address: string): void;
  /** addresses taken */
  readonly used: number;
  count(): AddressCount;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Addresses of the subnet that no endpoint may have, by their family's rules alone. */
const structural = (subnet: Prefix): readonly bigint[] => {
  const hostBits = (subnet.family === 4 ? 32 : 128) - subnet.bits;
  if (subnet.family === 6) return [subnet.value];
  // A /31 has two usable addresses (RFC 3021), a /32 one.
  return hostBits > 1 ? [subnet.value, last(subnet)] : [];
};

class PoolAllocator implements Allocator {
  readonly #subnet: Prefix;
  readonly #range: Prefix;
  readonly #reserved = new Set<bigint>();
  readonly #inUse = new Runs();
  #used = 0;

  constructor(pool: Pool) {
    this.#subnet = masked(prefixOf(pool.subnet));
    this.#range = pool.range === undefined ? this.#subnet : masked(prefixOf(pool.range));
    const named = [...(pool.gateway === undefined ? [] : [pool.gateway]), ...Object.values(pool.auxiliary)];
    for (const value of [...structural(this.#subnet), ...named.map((text) => addressOf(text).value)])
      if (this.#inUse.add(value)) this.#reserved.add(value);
  }

  get used(): number {
    return this.#used;
  }

  contains(address: string): boolean {
    return contains(this.#subnet, addressOf(address));
  }

  has(address: string): boolean {
    const parsed = addressOf(address);
    return contains(this.#subnet, parsed) && this.#inUse.has(parsed.value);
  }

  take(text: string): string {
    const address = addressOf(text);
    if (!contains(this.#subnet, address))
      throw invalid(`no configured subnet contains IP address ${formatAddress(address)}`);
    return this.#give(address);
  }

  next({ cursor, spare = NOTHING }: NonNullable<Parameters<Allocator['next']>[0]> = {}): string {
    const first = this.#range.value;
    const end = last(this.#range);
    const after = cursor === undefined ? first : addressOf(cursor).value + 1n;
    const from = after > first && after <= end ? after : first;
    const value =
      this.#firstUnspared(from, end, spare) ??
      this.#firstUnspared(first, end, spare) ??
      this.#inUse.firstFree(first, end);
    const { family } = this.#subnet;
    if (value === undefined)
      throw forbidden(
        `no available IPv${family} addresses on this network's address pools: ${formatAddress(this.#range)}/${this.#range.bits}`,
      );
    return this.#give({ family, value });
  }

  /** As `Runs.firstFree`, past those to spare: one step for each of them at most. */
  #firstUnspared(from: bigint, to: bigint, spare: ReadonlySet<string>): bigint | undefined {
    const { family } = this.#subnet;
    let value = this.#inUse.firstFree(from, to);
    while (value !== undefined && spare.size > 0 && spare.has(formatAddress({ family, value })))
      value = this.#inUse.firstFree(value + 1n, to);
    return value;
  }

  count(): AddressCount {
    const [first, end] = [this.#range.value, last(this.#range)];
    return {
      inUse: this.#inUse.count(this.#subnet.value, last(this.#subnet)),
      available: end - first + 1n - this.#inUse.count(first, end),
    };
  }

  release(text: string): void {
    const address = addressOf(text);
    if (!contains(this.#subnet, address) || this.#reserved.has(address.value)) return;
    if (this.#inUse.remove(address.value)) this.#used -= 1;
  }

  #give(address: Address): string {
    if (!this.#inUse.add(address.value)) throw forbidden('Address already in use');
    this.#used += 1;
    return formatAddress(address);
  }
}

/** An allocator for the pool; `taken` are bare addresses already in use. */
export const createAllocator = (pool: Pool, taken: Iterable<string> = []): Allocator => {
  const allocator = new PoolAllocator(pool);
  for (const address of taken) allocator.take(address);
  return allocator;
};

/** One address without keeping state: canonical, not in `used`. Throws as `Allocator`. */
export const allocate = (
  pool: Pool,
  used: Iterable<string>,
  { requested, cursor }: { readonly requested?: string; readonly cursor?: string } = {},
): string => {
  const allocator = createAllocator(pool, used);
  return requested === undefined
    ? allocator.next(cursor === undefined ? {} : { cursor })
    : allocator.take(requested);
};
