/**
 * The maps and programs of shortcuts past bridges, in the kernel. They are held by descriptors of this process alone: when these are
 * closed, however the process ends, the kernel empties the array of programs, and every port's stub falls through.
 */
import * as ffi from '../ffi.js';
import { createMap, dropElement, loadClassifier, MAP_TYPE, NO_PREALLOC, putElement } from './calls.js';
import { OWN_SIZE, PEER_SIZE, shortcutProgram, stubProgram } from './programs.js';

/** More ports than a host has; the kernel takes 16 bytes for each in advance. */
const MOST_PORTS = 16_384;
const INDEX_SIZE = 4;

/** Places in the array of programs: of ports that can be told to step aside, all at once, and of those that never do. */
export const PLACE = { aside: 0, always: 1 } as const;
type Place = (typeof PLACE)[keyof typeof PLACE];

export interface Loaded {
  /** maps */
  readonly owns: number;
  readonly peers: number;
  /** by place: what a port's filter is */
  readonly stubs: readonly [number, number];
  /** Whether the stubs of a place lead to the program, or fall through. */
  lead(place: Place, on: boolean): void;
  close(): void;
}

export const index32 = (value: number): Buffer => {
  const out = Buffer.alloc(INDEX_SIZE);
  out.writeUInt32LE(value);
  return out;
};

/** Throws a SystemError where the kernel refuses; nothing is left then. */
export const load = (): Loaded => {
  const opened: number[] = [];
  const kept = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  const close = (): void => {
    for (const fd of opened.splice(0)) ffi.close(fd);
  };
  try {
    const hash = { type: MAP_TYPE.HASH, value: INDEX_SIZE, entries: MOST_PORTS, flags: NO_PREALLOC };
    const owns = kept(createMap({ ...hash, key: INDEX_SIZE, value: OWN_SIZE, name: 'viaduct_owns' }));
    const peers = kept(createMap({ ...hash, key: PEER_SIZE, name: 'viaduct_peers' }));
    const array = { type: MAP_TYPE.PROG_ARRAY, key: INDEX_SIZE, value: INDEX_SIZE };
    const programs = kept(createMap({ ...array, entries: 2, name: 'viaduct_progs' }));
    const program = kept(loadClassifier('viaduct_past', shortcutProgram(owns, peers)));
    const stub = (place: Place): number => kept(loadClassifier('viaduct_stub', stubProgram(programs, place)));
    const stubs = [stub(PLACE.aside), stub(PLACE.always)] as const;
    const lead = (place: Place, on: boolean): void => {
      if (on) putElement(programs, index32(place), index32(program));
      else dropElement(programs, index32(place));
    };
    return { owns, peers, stubs, lead, close };
  } catch (error) {
    close();
    throw error;
  }
};
