/**
 * What of addresses and subnets is somebody's: an index over all records, each of which says what nobody else may have while
 * it is there. To take is to commit a record and to give back is to remove it; nothing else does either.
 */
import type { TakenAddress } from '../model/claim.js';
import { Addresses, type AddressSpace } from './space.js';
import { Subnets } from './subnets.js';

/** What a record takes. */
export interface Takes {
  /** CIDRs, of our own address space */
  readonly subnets?: readonly string[];
  readonly addresses?: readonly TakenAddress[];
}

interface Space {
  readonly addresses: Addresses;
  /** how many are in it: one without any goes */
  count: number;
}

const NOBODYS: AddressSpace = new Addresses();

export class Taken {
  readonly subnets = new Subnets();
  readonly #spaces = new Map<string, Space>();

  /** `by`: -1 takes it back. */
  count({ subnets = [], addresses = [] }: Takes, by: 1 | -1): void {
    for (const subnet of subnets)
      if (by > 0) this.subnets.add(subnet);
      else this.subnets.remove(subnet);
    for (const { networkId, address } of addresses) this.#count(networkId, address, by);
  }

  #count(networkId: string, address: string, by: 1 | -1): void {
    const space = this.#spaces.get(networkId) ?? { addresses: new Addresses(), count: 0 };
    if (by > 0) space.addresses.add(address);
    else space.addresses.remove(address);
    space.count += by;
    if (space.count > 0) this.#spaces.set(networkId, space);
    else this.#spaces.delete(networkId);
  }

  /** undefined: nothing of it is taken, as nobody has committed it. */
  on(networkId: string): AddressSpace | undefined {
    return this.#spaces.get(networkId)?.addresses;
  }

  /** Addresses that are somebody's on whichever network. */
  get anywhere(): AddressSpace {
    return this.#spaces.get('')?.addresses ?? NOBODYS;
  }
}
