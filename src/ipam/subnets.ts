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

/** Sorted ranges as unbroken stretches: what overlaps or touches is one. */
const merged = (ranges: Iterable<Range>): Range[] => {
  const found: Range[] = [];
  for (const [start, end] of ranges) {
    const before = found.at(-1);
    if (!before || before[1] < start) found.push([start, end]);
    else if (end > before[1]) found[found.length - 1] = [before[0], end];
  }
  return found;
};

/**
 * Ranges sorted by start, and the stretches that they make up together, which are what is in somebody's way. CIDRs nest or are disjoint,
 * so a running value tells whether one lies in another: `reach`, the furthest end so far.
 */
class Axis {
  readonly #starts: bigint[] = [];
  readonly #ends: bigint[] = [];
  readonly #reach: bigint[] = [];
  #stretches: Range[] = [];
  /** what came and nobody has asked for yet */
  #new: Range[] = [];

  /** The first stretch that ends beyond `value`. */
  beyond(value: bigint): Range | undefined {
    this.#takeNew();
    return this.#stretches[this.#stretchBeyond(value)];
  }

  #stretchBeyond(value: bigint): number {
    return search(this.#stretches, ([, end]) => end > value);
  }

  #position(start: bigint): number {
    return search(this.#starts, (other) => other >= start);
  }

  /** Many that came together, as when a daemon starts, are sorted once. */
  #takeNew(): void {
    const ranges = this.#new;
    if (ranges.length === 0) return;
    this.#new = [];
    if (ranges.length <= MANY) for (const [start, end] of ranges) this.#insert(start, end);
    else this.#fill([...this.#all(), ...ranges]);
  }

  #fill(ranges: Range[]): void {
    ranges.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    for (const values of [this.#starts, this.#ends, this.#reach]) values.length = 0;
    let furthest = 0n;
    for (const [start, end] of ranges) {
      if (end > furthest) furthest = end;
      this.#starts.push(start);
      this.#ends.push(end);
      this.#reach.push(furthest);
    }
    this.#stretches = merged(ranges);
  }

  #all(): readonly Range[] {
    return this.#starts.map((start, i) => [start, this.#ends[i] ?? start]);
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
    this.#starts.splice(at, 0, start);
    for (const values of [this.#ends, this.#reach]) values.splice(at, 0, end);
    this.#settle(at);
    const first = search(this.#stretches, ([, other]) => other >= start);
    const behind = search(this.#stretches, ([other]) => other > end);
    const touched = this.#stretches.slice(first, behind);
    const [from = start] = touched[0] ?? [];
    const [, until = end] = touched.at(-1) ?? [];
    this.#stretches.splice(first, touched.length, [from < start ? from : start, until > end ? until : end]);
  }

  delete(start: bigint, end: bigint): boolean {
    this.#takeNew();
    let at = this.#position(start);
    while (this.#starts[at] === start && this.#ends[at] !== end) at += 1;
    if (this.#starts[at] !== start) return false;
    for (const values of [this.#starts, this.#ends, this.#reach]) values.splice(at, 1);
    this.#settle(at);
    this.#leave(start, end);
    return true;
  }

  /** What is left of the stretch that lost this. */
  #leave(start: bigint, end: bigint): void {
    const first = this.#position(start);
    if ((this.#reach[first - 1] ?? 0n) >= end) return; // it lies in another one
    const within: Range[] = [];
    for (let i = first; (this.#starts[i] ?? end) < end; i += 1)
      within.push([this.#starts[i] ?? start, this.#ends[i] ?? start]);
    const at = this.#stretchBeyond(start);
    const [from = start, until = end] = this.#stretches[at] ?? [];
    const around: readonly Range[] = [[from, start], ...within, [end, until]];
    this.#stretches.splice(at, 1, ...merged(around.filter(([a, b]) => a < b)));
  }

  /** Mends the running value around a change at `at`, as far as it changes. */
  #settle(at: number): void {
    let furthest = this.#reach[at - 1] ?? 0n;
    for (let i = at; i < this.#ends.length; i += 1) {
      const end = this.#ends[i] ?? 0n;
      if (end > furthest) furthest = end;
      if (i > at && this.#reach[i] === furthest) return;
      this.#reach[i] = furthest;
    }
  }
}

/** The first index of a sorted list for which `found` holds; its length when none does. */
const search = <T>(list: readonly T[], found: (value: T) => boolean): number => {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const value = list[middle] as T; // it is one of the list
    if (found(value)) high = middle;
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
    const [from, until] = this.#axes[family].beyond(start) ?? [];
    return from !== undefined && from < end ? until : undefined;
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
