/**
 * The sockets of whole ranges. A long range on 0.0.0.0 and on :: (what `-p` without an address means) is held by one
 * socket a port instead of two: descriptors are the scarce thing. Invariants: a range is held whole or not at all; a family
 * that no object asked for is let go before the event loop turns, or before anything else is held.
 */

import { attempt } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import type { Family } from '../model/network.js';
import { portAt } from '../plan/kinds/local.js';
import { samePairs } from '../plan/kinds/published.js';
import { dualPlace, hold, type Place, placeOf, refusal } from './hold.js';
import type { Range, Spare } from './spare.js';

/** Ports from which on a range is worth pairing (and too long to relay datagrams for). */
export const PAIRED_FROM = 17;

/** So many sockets are opened and closed in one turn of the loop; more are opened before, and closed by and by. */
export const AT_ONCE = 1024;

/** The sockets of one range, -1 where another has taken a descriptor over. */
export interface Block {
  readonly range: Range;
  /** `dual`: each socket holds both families */
  place: Place;
  readonly descriptors: Int32Array;
  /** the families that objects hold through it */
  readonly users: Set<Family>;
}

const closeFirst = (descriptors: Int32Array, count: number): void => {
  for (let i = 0; i < count; i += 1) {
    const fd = descriptors[i] ?? -1;
    if (fd >= 0) ffi.close(fd);
  }
};

/** What holds a port for nobody gives way. */
const holdOne = (spare: Spare, place: Place, port: number, heard: boolean): number => {
  try {
    return hold(place, port, heard);
  } catch (error) {
    if (!spare.clear(place.protocol, port)) throw error;
    return hold(place, port, heard);
  }
};

const holdRange = (spare: Spare, range: Range, place: Place, heard: boolean): Int32Array => {
  const descriptors = new Int32Array(range.count);
  const takeReady = heard ? () => -1 : spare.takerAt(place);
  for (let i = 0; i < range.count; i += 1) {
    const port = portAt(range, i);
    const ready = takeReady(port);
    try {
      descriptors[i] = ready < 0 ? holdOne(spare, place, port, heard) : ready;
    } catch (error) {
      closeFirst(descriptors, i);
      throw refusal(place, port, error);
    }
  }
  return descriptors;
};

const WILDCARD: Readonly<Record<Family, string>> = { 4: '0.0.0.0', 6: '::' };
const familyOf = (place: Place): Family => (place.v6 ? 6 : 4);

const pairable = (range: Range, place: Place): boolean =>
  range.paired === true &&
  range.count >= PAIRED_FROM &&
  range.protocol !== 'sctp' &&
  place.address === WILDCARD[familyOf(place)];

/** Both families, or undefined where one of them is taken or absent: then each stands for itself. */
const holdBoth = (spare: Spare, range: Range, place: Place): Int32Array | undefined =>
  attempt(() => holdRange(spare, range, place, false));

/** From both families to one. A port that somebody takes in the microseconds between stays theirs. */
const narrow = (block: Block, family: Family): void => {
  const place = placeOf(block.range.protocol, WILDCARD[family]);
  block.place = place;
  for (const [i, fd] of block.descriptors.entries()) {
    ffi.close(fd);
    block.descriptors[i] = attempt(() => hold(place, portAt(block.range, i))) ?? -1;
  }
};

export interface Blocks {
  /** Throws ViaductError with moby's words; nothing is held then. */
  take(range: Range, place: Place, heard: boolean): Block;
  give(block: Block, family: Family): void;
  close(): void;
}

/** One of both families at most: the second to come takes the first one's other half. */
const rangeKey = ({ protocol, port, count }: Range): string => `${protocol} ${port}+${count}`;

/** Where each socket of a range is, if it is to share them with the other family's. */
export const sharedPlace = (range: Range, place: Place): Place =>
  pairable(range, place) ? dualPlace(range.protocol) : place;

export const createBlocks = (spare: Spare): Blocks => {
  const all = new Set<Block>();
  /** of both families, one of which no object has asked for: what the next settling narrows */
  const halves = new Map<string, Block>();
  let settling: NodeJS.Immediate | undefined;

  const settle = (): void => {
    if (settling) clearImmediate(settling);
    settling = undefined;
    for (const [key, block] of halves) {
      halves.delete(key);
      for (const only of block.users) narrow(block, only);
    }
  };
  const settleLater = (block: Block): void => {
    halves.set(rangeKey(block.range), block);
    settling ??= setImmediate(settle);
  };

  const otherHalf = (range: Range, place: Place): Block | undefined => {
    if (!pairable(range, place)) return undefined;
    const block = halves.get(rangeKey(range));
    return block?.users.has(familyOf(place)) || !samePairs(block?.range.scattered, range.scattered)
      ? undefined
      : block;
  };

  return {
    take(range, place, heard) {
      const half = otherHalf(range, place);
      if (half !== undefined) {
        half.users.add(familyOf(place));
        halves.delete(rangeKey(half.range));
        return half;
      }
      settle();
      const shared = sharedPlace(range, place);
      const both = shared.dual ? holdBoth(spare, range, shared) : undefined;
      const block: Block = {
        range,
        descriptors: both ?? holdRange(spare, range, place, heard),
        place: both ? shared : place,
        users: new Set([familyOf(place)]),
      };
      all.add(block);
      if (block.place.dual) settleLater(block);
      return block;
    },
    give(block, family) {
      block.users.delete(family);
      if (block.users.size > 0) return settleLater(block);
      if (block.place.dual) halves.delete(rangeKey(block.range));
      all.delete(block);
      if (block.range.count < AT_ONCE) closeFirst(block.descriptors, block.range.count);
      else spare.leave(block.range, block.place, block.descriptors);
    },
    close() {
      if (settling) clearImmediate(settling);
      settling = undefined;
      for (const block of all) closeFirst(block.descriptors, block.descriptors.length);
      all.clear();
      halves.clear();
    },
  };
};
