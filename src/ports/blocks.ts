/**
 * The sockets of whole ranges. A long range on 0.0.0.0 and on :: (what `-p` without an address means) is held by one
 * socket a port instead of two: descriptors are the scarce thing. Invariants: a range is held whole or not at all; a family
 * that no object asked for is let go before the event loop turns, or before anything else is held.
 */

import { attempt } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import type { Family } from '../model/network.js';
import type { Protocol } from '../model/port.js';
import { dualPlace, hold, type Place, placeOf, refusal } from './hold.js';

/** Ports from which on a range is worth pairing (and too long to relay datagrams for). */
export const PAIRED_FROM = 17;

/** The sockets of one range, -1 where another has taken a descriptor over. */
export interface Block {
  readonly protocol: Protocol;
  readonly port: number;
  readonly descriptors: Int32Array;
  /** each socket holds both families */
  dual: boolean;
  /** the families that objects hold through it */
  readonly users: Set<Family>;
}

interface Range {
  readonly protocol: Protocol;
  readonly port: number;
  readonly count: number;
}

const closeFirst = (descriptors: Int32Array, count: number): void => {
  for (let i = 0; i < count; i += 1) {
    const fd = descriptors[i] ?? -1;
    if (fd >= 0) ffi.close(fd);
  }
};

const holdRange = (range: Range, place: Place, heard: boolean): Int32Array => {
  const descriptors = new Int32Array(range.count);
  for (let i = 0; i < range.count; i += 1) {
    try {
      descriptors[i] = hold(place, range.port + i, heard);
    } catch (error) {
      closeFirst(descriptors, i);
      throw refusal(place, range.port + i, error);
    }
  }
  return descriptors;
};

const WILDCARD: Readonly<Record<Family, string>> = { 4: '0.0.0.0', 6: '::' };
const familyOf = (place: Place): Family => (place.v6 ? 6 : 4);

const pairable = (range: Range, place: Place): boolean =>
  range.count >= PAIRED_FROM && range.protocol !== 'sctp' && place.address === WILDCARD[familyOf(place)];

/** Both families, or undefined where one of them is taken or absent: then each stands for itself. */
const holdBoth = (range: Range): Int32Array | undefined =>
  attempt(() => holdRange(range, dualPlace(range.protocol), false));

/** From both families to one. A port that somebody takes in the microseconds between stays theirs. */
const narrow = (block: Block, family: Family): void => {
  const place = placeOf(block.protocol, WILDCARD[family]);
  block.dual = false;
  for (const [i, fd] of block.descriptors.entries()) {
    ffi.close(fd);
    block.descriptors[i] = attempt(() => hold(place, block.port + i)) ?? -1;
  }
};

export interface Blocks {
  /** Throws ViaductError with moby's words; nothing is held then. */
  take(range: Range, place: Place, heard: boolean): Block;
  give(block: Block, family: Family): void;
  close(): void;
}

/** One of both families at most: the second to come takes the first one's other half. */
const rangeKey = (protocol: Protocol, port: number, count: number): string => `${protocol} ${port}+${count}`;
const keyOf = ({ protocol, port, descriptors }: Block): string =>
  rangeKey(protocol, port, descriptors.length);

export const createBlocks = (): Blocks => {
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
    halves.set(keyOf(block), block);
    settling ??= setImmediate(settle);
  };

  const otherHalf = (range: Range, place: Place): Block | undefined => {
    if (!pairable(range, place)) return undefined;
    const block = halves.get(rangeKey(range.protocol, range.port, range.count));
    return block?.users.has(familyOf(place)) ? undefined : block;
  };

  return {
    take(range, place, heard) {
      const half = otherHalf(range, place);
      if (half !== undefined) {
        half.users.add(familyOf(place));
        halves.delete(keyOf(half));
        return half;
      }
      settle();
      const both = pairable(range, place) ? holdBoth(range) : undefined;
      const block: Block = {
        protocol: range.protocol,
        port: range.port,
        descriptors: both ?? holdRange(range, place, heard),
        dual: both !== undefined,
        users: new Set([familyOf(place)]),
      };
      all.add(block);
      if (block.dual) settleLater(block);
      return block;
    },
    give(block, family) {
      block.users.delete(family);
      if (block.users.size > 0) return settleLater(block);
      if (block.dual) halves.delete(keyOf(block));
      all.delete(block);
      closeFirst(block.descriptors, block.descriptors.length);
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
