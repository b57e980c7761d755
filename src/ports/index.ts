/**
 * Host ports: really bound for as long as they are published, without a process, a server or an object for each. A range
 * of any size is one typed array of descriptors. Invariant: a range is held whole or not at all.
 */

import type { Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import { defined } from '../defined.js';
import { attempt, PortError } from '../errors.js';
import type { LocalObjects } from '../kernel/contract.js';
import type { SocketAddress } from '../kernel/sockaddr.js';
import { canonicalAddress } from '../model/address-bytes.js';
import type { Protocol } from '../model/port.js';
import { portAt } from '../plan/kinds/local.js';
import { containerOf, hostOf, samePairs } from '../plan/kinds/published.js';
import { type HostPortObject, objectKey } from '../plan/objects.js';
import { AT_ONCE, type Block, createBlocks, PAIRED_FROM, sharedPlace } from './blocks.js';
import { type DatagramRelay, relayDatagrams } from './datagrams.js';
import { createFree } from './free.js';
import { type Place, placeOf } from './hold.js';
import { createHolders, type Reach } from './holders.js';
import { openRelay, type Relay } from './relay.js';
import { createSpare } from './spare.js';

export interface Ports extends LocalObjects<HostPortObject> {
  /**
   * A port in [from, to] that nobody holds on any of the addresses; held by nobody afterwards either. 0, 0: the kernel's
   * ephemeral range. `taken` leaves out what is promised but not yet held. Throws internal: none left, or the address is
   * not the host's.
   */
  readonly free: ReturnType<typeof createFree>;
  /**
   * Binds ports that are soon to be held, where they are many, some in each turn of the loop. Until they are, they are nobody's:
   * whoever asks first has them. Rejects nothing; answers how to let go of what nobody asked for.
   */
  prepare(objects: readonly HostPortObject[]): Promise<() => void>;
  /** Resolves when the ports given back are anybody's, others' too. */
  released(): Promise<void>;
  /** Port of the TCP relay, which the firewall leads to; opened at the first call. */
  relayPort(): number;
  close(): void;
}

const leadsAlike = (a: HostPortObject, b: HostPortObject): boolean =>
  a.target.address === b.target.address &&
  a.target.port === b.target.port &&
  samePairs(a.scattered, b.scattered);

/** Where one of its ports leads. */
const targetOf = ({ target: { address, port }, port: first, scattered }: HostPortObject, at: number) => ({
  address,
  port: scattered ? containerOf(scattered.find((pair) => hostOf(pair) === at) ?? 0) : port + at - first,
});

/** Who has a port: a container, or the daemon's own API. */
interface Holder extends Reach {
  readonly object: HostPortObject;
}

interface Held extends Holder {
  readonly block: Block;
  readonly datagrams: readonly DatagramRelay[];
  /** relayed ones under way; absent as long as none ever was */
  connections?: Set<Socket>;
}

interface Spot {
  readonly place: Place;
  readonly address: string;
}

/** Addresses remembered: more than a host has. */
const SPOTS = 1024;

const portsOf = (object: HostPortObject): readonly number[] =>
  Array.from({ length: object.count }, (_, at) => portAt(object, at));

const lowestOfBoth = (a: HostPortObject, b: HostPortObject): number => {
  const others = new Set(portsOf(b));
  return portsOf(a).find((port) => others.has(port)) ?? b.port;
};

/** moby's words for a port that another container or the API has. */
const refuseOurs = (held: Holder, object: HostPortObject): never => {
  const port = lowestOfBoth(held.object, object);
  throw new PortError(`Bind for ${held.object.address}:${port} failed: port is already allocated`);
};

/**
 * What NAT may leave to us: anything sent to an IPv6 address (`::1`), and a target of the other family. Only small ranges,
 * as each port costs a socket object.
 */
const relaysDatagrams = (object: HostPortObject): boolean =>
  object.protocol === 'udp' &&
  object.count < PAIRED_FROM &&
  object.target.address !== '' &&
  (isIPv6(object.address.split('%', 1)[0] ?? '') || isIPv6(object.target.address));

/** Hands the descriptors over to relays, which close them from now on. */
const startDatagrams = ({ target }: HostPortObject, block: Block, v6: boolean): readonly DatagramRelay[] =>
  Array.from(block.descriptors, (fd, i) => {
    block.descriptors[i] = -1;
    return relayDatagrams(fd, v6, () => ({ ...target, port: target.port + i }));
  });

const NO_DATAGRAMS: readonly DatagramRelay[] = [];

/** A host's addresses are few, its ports many: what holding needs of an address is made once. */
const createSpots = () => {
  const known = new Map<string, Spot>();
  return (protocol: Protocol, text: string): Spot => {
    const key = `${protocol} ${text}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    const bare = text.split('%', 1)[0] ?? '';
    const spot = { place: placeOf(protocol, text), address: canonicalAddress(bare) };
    // the number of a zone's interface changes when that is made anew
    if (bare === text && known.size < SPOTS) known.set(key, spot);
    return spot;
  };
};

const end = (held: Held): void => {
  for (const relay of held.datagrams) relay.close();
  for (const connection of held.connections ?? []) connection.destroy();
};

/** `own`: TCP addresses at which the daemon itself will listen; no container gets them, also while it does not yet. */
export const createPorts = (
  own: readonly { readonly address: string; readonly port: number }[] = [],
): Ports => {
  const all = new Map<string, Held>();
  const holders = createHolders<Holder>();
  const spare = createSpare();
  const blocks = createBlocks(spare);
  const spotOf = createSpots();
  let relay: Relay | undefined;

  const routeOf = (destination: SocketAddress) => {
    const { address: reached, port: at } = destination;
    const v6 = isIPv6(reached);
    const holder = holders.overlapping({ protocol: 'tcp', address: reached, v6, port: at, count: 1 });
    const held = holder && all.get(objectKey(holder.object));
    if (held === undefined || held.object.target.address === '') return undefined;
    const target = targetOf(held.object, at);
    held.connections ??= new Set();
    return { target, connections: held.connections };
  };

  for (const { address, port } of own) {
    const reach = {
      protocol: 'tcp',
      address: canonicalAddress(address),
      v6: isIPv6(address),
      port,
      count: 1,
    } as const;
    if (holders.overlapping(reach)) continue;
    holders.add({
      ...reach,
      object: {
        kind: 'hostport',
        protocol: 'tcp',
        address,
        port,
        count: 1,
        target: { address: '', port: 0 },
      },
    });
  }

  return {
    create(object) {
      const key = objectKey(object);
      const same = all.get(key);
      if (same !== undefined) {
        // A port that changes its target is let go first (a plan's `replace` does): this is another container's.
        if (leadsAlike(same.object, object)) return;
        return refuseOurs(same, object);
      }
      const { protocol, port, count } = object;
      const { place, address } = spotOf(protocol, object.address);
      const reach: Reach = {
        ...{ protocol, address, v6: place.v6, port, count },
        ...defined({ scattered: object.scattered }),
      };
      const other = holders.overlapping(reach);
      if (other !== undefined) refuseOurs(other, object);
      const heard = relaysDatagrams(object);
      const block = blocks.take(object, place, heard);
      const datagrams = heard ? startDatagrams(object, block, place.v6) : NO_DATAGRAMS;
      const held: Held = { ...reach, object, block, datagrams };
      all.set(key, held);
      holders.add(held);
    },
    delete(object) {
      const key = objectKey(object);
      const held = all.get(key);
      if (held === undefined) return;
      all.delete(key);
      holders.remove(held);
      end(held);
      blocks.give(held.block, held.v6 ? 6 : 4);
    },
    has(object) {
      const held = all.get(objectKey(object))?.object;
      return held !== undefined && leadsAlike(held, object);
    },
    list: () => [...all.values()].map((held) => held.object),
    free: createFree(),
    async prepare(objects) {
      const shared = new Set<string>();
      const ends: (() => void)[] = [];
      for (const object of objects.filter(({ count }) => count >= AT_ONCE)) {
        const place = attempt(() => spotOf(object.protocol, object.address).place);
        const socket = place && sharedPlace(object, place);
        const key = `${object.protocol} ${object.port}+${object.count}`;
        if (!socket || (socket.dual && shared.has(key))) continue;
        if (socket.dual) shared.add(key);
        ends.push(await spare.bind(object, socket));
      }
      return () => {
        for (const end of ends) end();
      };
    },
    released: () => spare.released(),
    relayPort() {
      relay ??= openRelay(routeOf);
      return relay.port;
    },
    close() {
      relay?.close();
      for (const held of all.values()) end(held);
      all.clear();
      holders.clear();
      blocks.close();
      spare.close();
    },
  };
};
