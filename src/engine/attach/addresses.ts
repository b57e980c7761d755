/**
 * Who has which address, per network and family. Rebuilt from the endpoints at start, so the allocator itself needs no
 * durable state: an address is taken exactly while a record says so.
 */
import { forbidden, invalid, ViaductError } from '../../errors.js';
import { type Allocator, createAllocator } from '../../ipam/allocator.js';
import { isOwnIpam } from '../../ipam/own.js';
import { bare } from '../../model/address.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { Family, Network, Pool } from '../../model/network.js';
import type { AddressCount } from '../../model/pool.js';
import type { Model } from '../commit/model.js';

interface Space {
  readonly pool: Pool;
  readonly allocator: Allocator;
}

export class Addresses {
  readonly #spaces = new Map<string, readonly Space[]>();
  /** bare addresses of somebody of whom no record knows, and who keeps them from others */
  #withheld: readonly string[] = [];
  #keeping: { readonly allocator: Allocator; readonly address: string }[] = [];

  readonly #model: Model;

  constructor(model: Model) {
    this.#model = model;
    this.openAll();
  }

  /** These, bare, are given to nobody from now on, on whichever network; those before are free again. */
  withhold(addresses: readonly string[]): void {
    for (const { allocator, address } of this.#keeping) allocator.release(address);
    this.#keeping = [];
    this.#withheld = addresses;
    for (const networkId of this.#spaces.keys()) this.#keep(networkId);
  }

  #keep(networkId: string): void {
    for (const address of this.#withheld)
      for (const { allocator } of this.#spaces.get(networkId) ?? [])
        if (allocator.contains(address) && !allocator.has(address)) {
          allocator.take(address);
          this.#keeping.push({ allocator, address });
        }
  }

  /** As the records say now. */
  openAll(): void {
    for (const network of this.#model.networks.values())
      if (isOwnIpam(network.ipam.driver)) this.open(network);
  }

  /** With the addresses that endpoints have on it already. */
  open(network: Network): void {
    this.#spaces.set(
      network.id,
      network.pools.map((pool) => ({ pool, allocator: createAllocator(pool) })),
    );
    for (const endpoint of this.#model.endpointsOfNetwork(network.id)) this.#adopt(endpoint);
    this.#keep(network.id);
  }

  close(networkId: string): void {
    this.#spaces.delete(networkId);
  }

  #adopt({ networkId, ipv4, ipv6 }: Endpoint): void {
    for (const address of [ipv4, ipv6])
      for (const space of this.#spaces.get(networkId) ?? [])
        if (address && space.allocator.contains(bare(address)) && !space.allocator.has(bare(address)))
          space.allocator.take(bare(address));
  }

  /** An address with prefix length, or undefined where the network has none of the family. */
  take(network: Network, family: Family, requested?: string): string | undefined {
    const spaces = (this.#spaces.get(network.id) ?? []).filter(({ pool }) => pool.family === family);
    // What a container that does not run asks for is given to others last.
    if (requested === undefined) return nextOf(spaces, this.#model.namedAddresses(network));
    const space = spaces.find(({ allocator }) => allocator.contains(requested));
    if (!space)
      throw invalid(`invalid endpoint settings:\nno configured subnet contains IP address ${requested}`);
    if (space.allocator.has(requested))
      throw forbidden(`Address already in use: ${requested} ${this.#holder(network, space.pool, requested)}`);
    return withPrefix(space.allocator.take(requested), space.pool);
  }

  #holder(network: Network, pool: Pool, address: string): string {
    const endpoint = this.#model.endpointAt(network.id, address);
    if (endpoint) return `is that of container ${endpoint.containerName}`;
    if (address === pool.gateway) return `is the gateway of network ${network.name}`;
    return `is kept free on network ${network.name}`;
  }

  /** How many addresses of each of its subnets a network uses, and can still give out. */
  counts(network: Network): ReadonlyMap<string, AddressCount> {
    const spaces = this.#spaces.get(network.id) ?? [];
    return new Map(spaces.map(({ pool, allocator }) => [pool.subnet, allocator.count()]));
  }

  give(networkId: string, address: string | undefined): void {
    if (address === undefined) return;
    for (const { allocator } of this.#spaces.get(networkId) ?? [])
      if (allocator.contains(bare(address))) allocator.release(bare(address));
  }
}

/** Of the first pool that has one left. */
const nextOf = ([space, ...more]: readonly Space[], spare: ReadonlySet<string>): string | undefined => {
  if (!space) return undefined;
  try {
    return withPrefix(space.allocator.next({ spare }), space.pool);
  } catch (error) {
    if (more.length > 0 && error instanceof ViaductError) return nextOf(more, spare);
    throw error;
  }
};

const withPrefix = (address: string, pool: Pool): string => `${address}/${pool.subnet.split('/')[1] ?? ''}`;
