/**
 * Which subnets are taken: an index that answers overlaps by binary search and walks free space in one pass, so that
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

/** Sorted by start; CIDRs nest or are disjoint, so `reach` (the furthest end so far) makes nesting searchable. */
class Axis {
  readonly starts: bigint[] = [];
  readonly ends: bigint[] = [];
  readonly reach: bigint[] = [];

  /** First index whose reach goes beyond `value`. */
  from(value: bigint): number {
    let low = 0;
    let high = this.reach.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.reach[middle] ?? 0n) > value) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #position(start: bigint): number {
    let low = 0;
    let high = this.starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] ?? 0n) < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Many at once: sorted once instead of inserted one by one. */
  fill(ranges: (readonly [start: bigint, end: bigint])[]): void {
    ranges.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    for (const [start, end] of ranges) {
      this.starts.push(start);
      this.ends.push(end);
      this.reach.push(end);
    }
    this.#settle(0);
  }

  insert(start: bigint, end: bigint): void {
    const at = this.#position(start);
    this.starts.splice(at, 0, start);
    this.ends.splice(at, 0, end);
    this.reach.splice(at, 0, end);
    this.#settle(at);
  }

  delete(start: bigint, end: bigint): boolean {
    let at = this.#position(start);
    while (this.starts[at] === start && this.ends[at] !== end) at += 1;
    if (this.starts[at] !== start) return false;
    this.starts.splice(at, 1);
    this.ends.splice(at, 1);
    this.reach.splice(at, 1);
    this.#settle(at);
    return true;
  }

  #settle(from: number): void {
    let furthest = this.reach[from - 1] ?? 0n;
    for (let i = from; i < this.ends.length; i += 1) {
      const end = this.ends[i] ?? 0n;
      if (end > furthest) furthest = end;
      this.reach[i] = furthest;
    }
  }
}

/** Walks upwards through one family: the end of what is in the way of `[start, end)`, or undefined when it is free. */
export type Walk = (start: bigint, end: bigint) => bigint | undefined;

export class Subnets {
  readonly #axes: Readonly<Record<Family, Axis>> = { 4: new Axis(), 6: new Axis() };

  constructor(cidrs: Iterable<string> = []) {
    const ranges: Record<Family, (readonly [bigint, bigint])[]> = { 4: [], 6: [] };
    for (const cidr of cidrs) {
      const prefix = masked(prefixOf(cidr));
      ranges[prefix.family].push([prefix.value, last(prefix) + 1n]);
    }
    this.#axes[4].fill(ranges[4]);
    this.#axes[6].fill(ranges[6]);
  }

  /** Throws invalid for what is no CIDR. */
  add(cidr: string): void {
    const prefix = masked(prefixOf(cidr));
    this.#axes[prefix.family].insert(prefix.value, last(prefix) + 1n);
  }

  /** Takes one mention back; false when there was none. */
  remove(cidr: string): boolean {
    const prefix = masked(prefixOf(cidr));
    return this.#axes[prefix.family].delete(prefix.value, last(prefix) + 1n);
  }

  overlaps(prefix: Prefix): boolean {
    const { value } = masked(prefix);
    return this.walk(prefix.family, value)(value, value + size(prefix)) !== undefined;
  }

  /** Starts must not fall from call to call. */
  walk(family: Family, from: bigint): Walk {
    const { starts, reach } = this.#axes[family];
    let at = this.#axes[family].from(from);
    return (start, end) => {
      while ((reach[at] ?? end) <= start) at += 1;
      const found = starts[at];
      return found !== undefined && found < end ? reach[at] : undefined;
    };
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
  const walks = avoid.map((subnets) => subnets.walk(base.family, base.value));
  let value = base.value;
  while (value + step <= end) {
    let blocked: bigint | undefined;
    for (const walk of walks) {
      const until = walk(value, value + step);
      if (until !== undefined && (blocked === undefined || until > blocked)) blocked = until;
    }
    if (blocked === undefined) return { ...wanted, value };
    value = ((blocked + step - 1n) / step) * step;
  }
  return undefined;
};
