/**
 * Host ports: really bound for as long as they are published, without a process, a server or an object for each. A range
 * of any size is one typed array of descriptors. Invariant: a range is held whole or not at all.
 */
import type { Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import { PortError } from '../errors.js';
import type { LocalObjects } from '../kernel/contract.js';
import type { SocketAddress } from '../kernel/sockaddr.js';
import { addressBytes, addressText } from '../kernel/sockaddr.js';
import { type HostPortObject, objectKey } from '../plan/objects.js';
import { type Block, createBlocks, PAIRED_FROM } from './blocks.js';
import { type DatagramRelay, relayDatagrams } from './datagrams.js';
import { createFree, type FreePort } from './free.js';
import { type Place, placeOf } from './hold.js';
import { openRelay, type Relay } from './relay.js';

export interface Ports extends LocalObjects<HostPortObject> {
  /**
   * A port in [from, to] that nobody holds on any of the addresses; held by nobody afterwards either. 0, 0: the kernel's
   * ephemeral range. `taken` leaves out what is promised but not yet held. Throws internal: none left, or the address is
   * not the host's.
   */
  readonly free: FreePort;
  /** Port of the TCP relay, which the firewall redirects to; opened at the first call. */
  relayPort(): number;
  close(): void;
}

interface Held {
  readonly object: HostPortObject;
  readonly address: string;
  readonly block: Block;
  readonly datagrams: DatagramRelay[];
  readonly connections: Set<Socket>;
}

const canonical = (address: string): string => {
  const bytes = addressBytes(address);
  return bytes === undefined ? address : addressText(bytes);
};

const isWildcard = (address: string): boolean => address === '0.0.0.0' || address === '::';

const overlap = (held: Held, object: HostPortObject, address: string): boolean =>
  held.object.protocol === object.protocol &&
  held.object.port < object.port + object.count &&
  object.port < held.object.port + held.object.count &&
  isIPv6(held.address) === isIPv6(address) &&
  (held.address === address || isWildcard(held.address) || isWildcard(address));

/** moby's words for a port that another container has. */
const refuseOurs = (held: Held, object: HostPortObject): never => {
  const port = Math.max(held.object.port, object.port);
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
const startDatagrams = (held: Held, place: Place): void => {
  for (const [i, fd] of held.block.descriptors.entries()) {
    held.block.descriptors[i] = -1;
    const target = () => ({ ...held.object.target, port: held.object.target.port + i });
    held.datagrams.push(relayDatagrams(fd, place.v6, target));
  }
};

const end = (held: Held): void => {
  for (const relay of held.datagrams) relay.close();
  for (const connection of held.connections) connection.destroy();
};

export const createPorts = (): Ports => {
  const all = new Map<string, Held>();
  const blocks = createBlocks();
  let relay: Relay | undefined;

  const heldFor = (destination: SocketAddress): Held | undefined => {
    for (const held of all.values()) {
      const { protocol, port, count } = held.object;
      if (protocol !== 'tcp' || destination.port < port || destination.port >= port + count) continue;
      if (isIPv6(held.address) !== isIPv6(destination.address)) continue;
      if (isWildcard(held.address) || held.address === destination.address) return held;
    }
    return undefined;
  };

  const routeOf = (destination: SocketAddress) => {
    const held = heldFor(destination);
    if (held === undefined || held.object.target.address === '') return undefined;
    const { address, port } = held.object.target;
    const target = { address, port: port + destination.port - held.object.port };
    return { target, connections: held.connections };
  };

  return {
    create(object) {
      const key = objectKey(object);
      const same = all.get(key);
      if (same !== undefined) {
        // A port that changes its target is let go first (a plan's `replace` does): this is another container's.
        if (
          same.object.target.address === object.target.address &&
          same.object.target.port === object.target.port
        )
          return;
        return refuseOurs(same, object);
      }
      const place = placeOf(object.protocol, object.address);
      const address = canonical(object.address.split('%', 1)[0] ?? '');
      for (const held of all.values()) if (overlap(held, object, address)) refuseOurs(held, object);
      const heard = relaysDatagrams(object);
      const block = blocks.take(object, place, heard);
      const held: Held = { object, address, block, datagrams: [], connections: new Set() };
      if (heard) startDatagrams(held, place);
      all.set(key, held);
    },
    delete(object) {
      const key = objectKey(object);
      const held = all.get(key);
      if (held === undefined) return;
      all.delete(key);
      end(held);
      blocks.give(held.block, isIPv6(held.address) ? 6 : 4);
    },
    has(object) {
      const held = all.get(objectKey(object))?.object;
      return held?.target.address === object.target.address && held.target.port === object.target.port;
    },
    list: () => [...all.values()].map((held) => held.object),
    free: createFree(),
    relayPort() {
      relay ??= openRelay(routeOf);
      return relay.port;
    },
    close() {
      relay?.close();
      for (const held of all.values()) end(held);
      all.clear();
      blocks.close();
    },
  };
};
