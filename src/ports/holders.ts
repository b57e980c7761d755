/**
 * Who holds a port: one look-up for each port asked, whoever and however many hold others. Invariants: what is added
 * overlaps nothing that is there; wherever a wildcard address holds a port, nobody else does.
 */
import type { Protocol } from '../model/port.js';
import { portAt } from '../plan/kinds/local.js';
import type { PortPair } from '../plan/kinds/published.js';

/** Ports `port … port+count-1`, or those of `scattered`, of one canonical address; `0.0.0.0` and `::` mean every address of their family. */
export interface Reach {
  readonly protocol: Protocol;
  readonly address: string;
  readonly v6: boolean;
  readonly port: number;
  /** ≥ 1 */
  readonly count: number;
  readonly scattered?: readonly PortPair[];
}

export interface Holders<T extends Reach> {
  add(holder: T): void;
  remove(holder: T): void;
  /** Whoever holds the lowest port of `reach` that is held on its address, on all, or (a wildcard) on any. */
  overlapping(reach: Reach): T | undefined;
  clear(): void;
}

/** One holder, as nearly every port has, or several on different addresses, by address. */
type Slot<T> = T | Map<string, T>;

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::';

const within = <T extends Reach>(slot: Slot<T>, address: string): T | undefined => {
  if (!(slot instanceof Map))
    return slot.address === address || isWildcard(slot.address) || isWildcard(address) ? slot : undefined;
  // a wildcard holds its port alone: it is in no map
  return isWildcard(address) ? slot.values().next().value : slot.get(address);
};

const joined = <T extends Reach>(slot: Slot<T> | undefined, holder: T): Slot<T> => {
  if (slot === undefined) return holder;
  if (slot instanceof Map) return slot.set(holder.address, holder);
  return new Map([
    [slot.address, slot],
    [holder.address, holder],
  ]);
};

/** What is left of a slot; undefined: nobody. */
const parted = <T extends Reach>(slot: Slot<T>, holder: T): Slot<T> | undefined => {
  if (!(slot instanceof Map)) return slot === holder ? undefined : slot;
  if (slot.get(holder.address) === holder) slot.delete(holder.address);
  return slot.size > 0 ? slot : undefined;
};

export const createHolders = <T extends Reach>(): Holders<T> => {
  /** by protocol and family, then by port */
  const tables = new Map<string, Map<number, Slot<T>>>();

  const tableOf = ({ protocol, v6 }: Reach): Map<number, Slot<T>> => {
    const name = v6 ? `${protocol}6` : protocol;
    const known = tables.get(name);
    if (known !== undefined) return known;
    const table = new Map<number, Slot<T>>();
    tables.set(name, table);
    return table;
  };

  return {
    add(holder) {
      const table = tableOf(holder);
      for (let i = 0; i < holder.count; i += 1) {
        const at = portAt(holder, i);
        table.set(at, joined(table.get(at), holder));
      }
    },
    remove(holder) {
      const table = tableOf(holder);
      for (let i = 0; i < holder.count; i += 1) {
        const at = portAt(holder, i);
        const slot = table.get(at);
        const left = slot === undefined ? undefined : parted(slot, holder);
        if (left === undefined) table.delete(at);
        else if (left !== slot) table.set(at, left);
      }
    },
    overlapping(reach) {
      const table = tableOf(reach);
      for (let i = 0; i < reach.count; i += 1) {
        const slot = table.get(portAt(reach, i));
        const found = slot === undefined ? undefined : within(slot, reach.address);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    clear: () => tables.clear(),
  };
};
