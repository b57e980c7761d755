/** One who takes what an address space answers, as commits of endpoints do, and gives back only what was taken. */
import { emptySpace } from '../../src/ipam/space.js';
import type { Pool } from '../../src/model/network.js';

export const createAllocator = (pool: Pool, taken: Iterable<string> = []) => {
  const space = emptySpace(pool);
  const given = new Set<string>();
  const add = (address: string): string => {
    space.add(address);
    given.add(address);
    return address;
  };
  for (const address of taken) add(space.unused(pool, address));
  return {
    next: (spare?: ReadonlySet<string>) => add(space.free(pool, spare)),
    take: (address: string) => add(space.unused(pool, address)),
    release: (address: string): void => {
      if (given.delete(address)) space.remove(address);
    },
    has: (address: string) => space.has(address),
    count: () => space.count(pool),
  };
};
