/**
 * Choosing a host port that nobody holds, for `-P` and ranges such as `-p 8000-8010:80`. Serial, as moby's allocator:
 * on from the port chosen last, so that a port just freed rests and a run of choices before any binding differ.
 */

import { internal } from '../errors.js';
import type { Protocol } from '../model/port.js';
import { textOrNone } from '../small-files.js';
import { isFree, type Place, placeOf, refusal } from './hold.js';

export type PortRange = readonly [from: number, to: number];

/** The kernel's default, where its setting cannot be read. */
export const DEFAULT_EPHEMERAL: PortRange = [32768, 60999];

const setting = (name: string): string => textOrNone(`/proc/sys/net/ipv4/${name}`).trim();

/** `32768\t60999` */
export const parseRange = (text: string): PortRange => {
  const found = /^(\d{1,5})\s+(\d{1,5})$/.exec(text);
  const [from, to] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
  return from > 0 && from <= to && to <= 65535 ? [from, to] : DEFAULT_EPHEMERAL;
};

/** `8080,9148` or `30000-32767`: ports the kernel never gives out by itself, nor do we. */
export const parseReserved = (text: string): readonly PortRange[] =>
  text.split(',').flatMap((entry) => {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(entry.trim());
    return found ? [[Number(found[1]), Number(found[2] ?? found[1])] as const] : [];
  });

const isEphemeral = (from: number, to: number): boolean =>
  from === 0 || (from === DEFAULT_EPHEMERAL[0] && to === DEFAULT_EPHEMERAL[1]);

interface Search {
  readonly key: string;
  readonly range: PortRange;
  readonly reserved: readonly PortRange[];
}

const searchOf = (protocol: Protocol, addresses: readonly string[], from: number, to: number): Search => {
  const ephemeral = isEphemeral(from, to);
  const range: PortRange = ephemeral ? parseRange(setting('ip_local_port_range')) : [from, to];
  return {
    key: `${protocol} ${addresses[0] ?? ''} ${range.join('-')}`,
    range,
    reserved: ephemeral ? parseReserved(setting('ip_local_reserved_ports')) : [],
  };
};

const freeOnAll = (places: readonly Place[], port: number): boolean =>
  places.every((place) => {
    try {
      return isFree(place, port);
    } catch (error) {
      throw refusal(place, port, error);
    }
  });

export const createFree = () => {
  const last = new Map<string, number>();
  return (
    protocol: Protocol,
    addresses: readonly string[],
    from: number,
    to: number,
    taken: (port: number) => boolean = () => false,
  ): number => {
    const { key, range, reserved } = searchOf(protocol, addresses, from, to);
    const [first, end] = range;
    const places = addresses.map((address) => placeOf(protocol, address));
    const size = end - first + 1;
    const start = (last.get(key) ?? end) - first;
    for (let i = 1; i <= size; i += 1) {
      const port = first + ((start + i) % size);
      if (reserved.some(([a, b]) => port >= a && port <= b) || taken(port)) continue;
      if (!freeOnAll(places, port)) continue;
      last.set(key, port);
      return port;
    }
    throw internal('all ports are allocated');
  };
};
