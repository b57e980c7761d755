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
  /** where a port's descriptor is; undefined or beyond them: nowhere */
  readonly placeOf: (port: number) => number | undefined;
  /** -1: taken, or closed */
  readonly descriptors: Int32Array;
}

const kindOf = ({ protocol, dual, address }: Place): string => `${protocol} ${dual ? 'both' : address}`;

export interface Spare {
  /** Answers, in this turn, descriptors that hold a port in exactly this place, the caller's from then on; -1: none. */
  takerAt(place: Place): (port: number) => number;
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

const placesOf = (range: Range): Group['placeOf'] => {
  if (!range.scattered) return (port) => port - range.port;
  const places = new Map(range.scattered.map((_, i) => [portAt(range, i), i]));
  return (port) => places.get(port);
};

/** From then on it is the caller's; -1: there is none. */
const takeFrom = ({ descriptors }: Group, place: number | undefined): number => {
  const fd = descriptors[place ?? -1] ?? -1;
  if (fd >= 0) descriptors[place ?? -1] = -1;
  return fd;
};

const closeAt = (group: Group, place: number | undefined): boolean => {
  const fd = takeFrom(group, place);
  if (fd >= 0) attempt(() => ffi.close(fd)); // it is gone, whatever it says
  return fd >= 0;
};

export const createSpare = (): Spare => {
  const groups = new Set<Group>();
  const leaving = new Set<Promise<void>>();

  const add = (range: Range, place: Place, descriptors: Int32Array): Group => {
    const group = {
      protocol: range.protocol,
      kind: kindOf(place),
      placeOf: placesOf(range),
      descriptors,
    };
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
    takerAt(place) {
      const kind = kindOf(place);
      const those = [...groups].filter((group) => group.kind === kind);
      return (port) => {
        for (const group of those) {
          const fd = takeFrom(group, group.placeOf(port));
          if (fd >= 0) return fd;
        }
        return -1;
      };
    },
    clear: (protocol, port) =>
      [...groups]
        .filter((group) => group.protocol === protocol)
        .map((group) => closeAt(group, group.placeOf(port)))
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
