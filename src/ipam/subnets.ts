/**
 * Which subnets are taken: an index that answers overlaps by binary search and steps over taken space in stretches, so that
 * the 5,000th network costs no more than the first. One text may be added several times and counts as often.
 */
import type { Family } from '../model/network.js';
import {
  formatPrefix,
  last,
  masked,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixOf,
  size,
  width,
} from './address.js';

type Range = readonly [start: bigint, end: bigint];

/** So many are inserted one by one. */
const MANY = 16;

/**
 * Ranges sorted by start. CIDRs nest or are disjoint, so two running values make them searchable: `reach`, the furthest
 * end so far, and `cover`, the end of the unbroken stretch that a range lies in.
 */
class Axis {
  readonly starts: bigint[] = [];
  readonly #ends: bigint[] = [];
  readonly #reach: bigint[] = [];
  readonly cover: bigint[] = [];
  /** what came and nobody has asked for yet */
  #new: Range[] = [];

  /** First index whose reach goes beyond `value`. What is read of the axis is read after it. */
  from(value: bigint): number {
    this.#takeNew();
    return search(this.#reach, (reach) => reach > value);
  }

  #position(start: bigint): number {
    return search(this.starts, (other) => other >= start);
  }

  /** Many that came together, as when a daemon starts, are sorted once: among adjacent ones each insertion goes over all before it. */
  #takeNew(): void {
    const ranges = this.#new;
    this.#new = [];
    if (ranges.length <= MANY) for (const [start, end] of ranges) this.#insert(start, end);
    else this.#fill([...this.#all(), ...ranges]);
  }

  #fill(ranges: Range[]): void {
    ranges.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    for (const values of [this.starts, this.#ends, this.#reach, this.cover]) values.length = 0;
    for (const [start, end] of ranges) {
      this.starts.push(start);
      this.#ends.push(end);
      this.#reach.push(end);
      this.cover.push(end);
    }
    let furthest = 0n;
    for (const [i, end] of this.#ends.entries()) {
      if (end > furthest) furthest = end;
      this.#reach[i] = furthest;
    }
    this.#stretch(this.starts.length - 1, 0);
  }

  #all(): readonly Range[] {
    return this.starts.map((start, i) => [start, this.#ends[i] ?? start]);
  }

  ranges(): readonly Range[] {
    this.#takeNew();
    return this.#all();
  }

  add(start: bigint, end: bigint): void {
    this.#new.push([start, end]);
  }

  #insert(start: bigint, end: bigint): void {
    const at = this.#position(start);
    this.starts.splice(at, 0, start);
    for (const values of [this.#ends, this.#reach, this.cover]) values.splice(at, 0, end);
    this.#settle(at);
  }

  delete(start: bigint, end: bigint): boolean {
    this.#takeNew();
    let at = this.#position(start);
    while (this.starts[at] === start && this.#ends[at] !== end) at += 1;
    if (this.starts[at] !== start) return false;
    for (const values of [this.starts, this.#ends, this.#reach, this.cover]) values.splice(at, 1);
    this.#settle(at);
    return true;
  }

  /** Mends the running values around a change at `at`, as far as they change. */
  #settle(at: number): void {
    let furthest = this.#reach[at - 1] ?? 0n;
    let i = at;
    for (; i < this.#ends.length; i += 1) {
      const end = this.#ends[i] ?? 0n;
      if (end > furthest) furthest = end;
      if (i > at && this.#reach[i] === furthest) break;
      this.#reach[i] = furthest;
    }
    this.#stretch(Math.min(i, this.#ends.length - 1), at);
  }

  #stretch(from: number, changed: number): void {
    for (let i = from; i >= 0; i -= 1) {
      const reach = this.#reach[i] ?? 0n;
      const next = this.starts[i + 1];
      const cover = next !== undefined && next <= reach ? (this.cover[i + 1] ?? reach) : reach;
      if (i < changed - 1 && this.cover[i] === cover) return;
      this.cover[i] = cover;
    }
  }
}

/** The first index of a sorted list for which `found` holds; its length when none does. */
const search = (list: readonly bigint[], found: (value: bigint) => boolean): number => {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (found(list[middle] ?? 0n)) high = middle;
    else low = middle + 1;
  }
  return low;
};

export class Subnets {
  readonly #axes: Readonly<Record<Family, Axis>> = { 4: new Axis(), 6: new Axis() };

  constructor(cidrs: Iterable<string> = []) {
    for (const cidr of cidrs) this.add(cidr);
  }

  /** Throws invalid for what is no CIDR. */
  add(cidr: string): void {
    const prefix = masked(prefixOf(cidr));
    this.#axes[prefix.family].add(prefix.value, last(prefix) + 1n);
  }

  /** Takes one mention back; false when there was none. */
  remove(cidr: string): boolean {
    const prefix = masked(prefixOf(cidr));
    return this.#axes[prefix.family].delete(prefix.value, last(prefix) + 1n);
  }

  /** All of them, as canonical texts. */
  *cidrs(): Generator<string> {
    for (const family of [4, 6] as const)
      for (const [value, end] of this.#axes[family].ranges())
        yield formatPrefix({ family, value, bits: width(family) - (end - value).toString(2).length + 1 });
  }

  /** False also for a text that is no CIDR. */
  overlaps(wanted: Prefix | string): boolean {
    const prefix = typeof wanted === 'string' ? parsePrefix(wanted) : wanted;
    if (!prefix) return false;
    const { value } = masked(prefix);
    return this.blockedUntil(prefix.family, value, value + size(prefix)) !== undefined;
  }

  /** Where the stretch ends that is in the way of `[start, end)`; undefined: it is free. */
  blockedUntil(family: Family, start: bigint, end: bigint): bigint | undefined {
    const axis = this.#axes[family];
    const at = axis.from(start);
    const found = axis.starts[at];
    return found !== undefined && found < end ? axis.cover[at] : undefined;
  }
}

/**
 * What the host itself uses: its routes and nameservers. Default routes are no claim on an address, nor are the two
 * halves of the address space that VPNs set instead of one (`0.0.0.0/1` and `128.0.0.0/1`). Unreadable texts are skipped.
 */
export const hostSubnets = (routes: Iterable<string>, nameservers: Iterable<string> = []): Subnets => {
  const cidrs = [...routes].filter((route) => (parsePrefix(route)?.bits ?? 0) > 1);
  for (const server of nameservers) {
    const address = parseAddress(server);
    if (address) cidrs.push(formatPrefix({ ...address, bits: width(address.family) }));
  }
  return new Subnets(cidrs);
};

/** The lowest prefix of `bits` inside `base` that nothing in `avoid` overlaps. `base` is masked and not longer than `bits`. */
export const lowestFree = (base: Prefix, bits: number, avoid: readonly Subnets[]): Prefix | undefined => {
  const wanted: Prefix = { ...base, bits };
  const step = size(wanted);
  const end = last(base) + 1n;
  let value = base.value;
  while (value + step <= end) {
    let blocked: bigint | undefined;
    for (const subnets of avoid) {
      const until = subnets.blockedUntil(base.family, value, value + step);
      if (until !== undefined && (blocked === undefined || until > blocked)) blocked = until;
    }
    if (blocked === undefined) return { ...wanted, value };
    value = ((blocked + step - 1n) / step) * step;
  }
  return undefined;
};
