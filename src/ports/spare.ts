/**
 * Sockets whose ports nobody has yet, or any more: bound before they are asked for, and closed after they were given back, some
 * in each turn of the loop. Whoever asks for such a port gets it: its socket, where that is of the same kind, or its place.
 */
import { attempt } from '../errors.js';
import * as ffi from '../kernel/ffi.js';
import type { Protocol } from '../model/port.js';
import { createPace } from '../pace.js';
import { portAt } from '../plan/kinds/local.js';
import type { HostPortObject } from '../plan/objects.js';
import { hold, type Place } from './hold.js';

export type Range = Pick<HostPortObject, 'protocol' | 'port' | 'count' | 'scattered' | 'paired'>;

interface Group {
  readonly protocol: Protocol;
  readonly kind: string;
  /** where a port's descriptor is */
  readonly at: ReadonlyMap<number, number>;
  /** -1: taken, or closed */
  readonly descriptors: Int32Array;
}

const kindOf = ({ protocol, dual, address }: Place): string => `${protocol} ${dual ? 'both' : address}`;

export interface Spare {
  /** A descriptor that holds the port in exactly this place, the caller's from now on; -1: none. */
  take(place: Place, port: number): number;
  /** Closes whatever holds the port here, in whichever place. Answers whether anything did. */
  clear(protocol: Protocol, port: number): boolean;
  /** Binds what can be bound; answers how to let go of what nobody took. Rejects nothing. */
  bind(range: Range, place: Place): Promise<() => void>;
  /** Closes them by and by. */
  leave(range: Range, place: Place, descriptors: Int32Array): void;
  /** Resolves when all that was left is closed. */
  released(): Promise<void>;
  close(): void;
}

const closeAt = ({ descriptors }: Group, i: number): boolean => {
  const fd = descriptors[i] ?? -1;
  if (fd < 0) return false;
  descriptors[i] = -1;
  attempt(() => ffi.close(fd)); // it is gone, whatever it says
  return true;
};

export const createSpare = (): Spare => {
  const groups = new Set<Group>();
  const leaving = new Set<Promise<void>>();

  const add = (range: Range, place: Place, descriptors: Int32Array): Group => {
    const at = new Map(Array.from({ length: range.count }, (_, i) => [portAt(range, i), i]));
    const group = { protocol: range.protocol, kind: kindOf(place), at, descriptors };
    groups.add(group);
    return group;
  };

  const empty = async (group: Group): Promise<void> => {
    const pace = createPace();
    for (let i = 0; i < group.descriptors.length; i += 1) {
      if (pace.due()) await pace.rest();
      closeAt(group, i);
    }
    groups.delete(group);
  };
  const leave = (group: Group): void => {
    const end = empty(group).finally(() => leaving.delete(end));
    leaving.add(end);
  };

  return {
    take(place, port) {
      if (groups.size === 0) return -1;
      const kind = kindOf(place);
      for (const group of groups) {
        const i = group.kind === kind ? group.at.get(port) : undefined;
        const fd = i === undefined ? -1 : (group.descriptors[i] ?? -1);
        if (i === undefined || fd < 0) continue;
        group.descriptors[i] = -1;
        return fd;
      }
      return -1;
    },
    clear: (protocol, port) =>
      [...groups]
        .filter((group) => group.protocol === protocol)
        .map((group) => closeAt(group, group.at.get(port) ?? -1))
        .includes(true),
    async bind(range, place) {
      const group = add(range, place, new Int32Array(range.count).fill(-1));
      const pace = createPace();
      for (let i = 0; i < range.count; i += 1) {
        if (pace.due()) await pace.rest();
        const fd = attempt(() => hold(place, portAt(range, i)));
        if (fd === undefined) break; // who asks for it is told why
        group.descriptors[i] = fd;
      }
      return () => leave(group);
    },
    leave: (range, place, descriptors) => leave(add(range, place, descriptors)),
    async released() {
      await Promise.all(leaving);
    },
    close() {
      for (const group of groups) for (let i = 0; i < group.descriptors.length; i += 1) closeAt(group, i);
      groups.clear();
    },
  };
};
