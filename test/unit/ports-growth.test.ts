/** Holding one port costs the same whoever holds others: counted in looks at their objects, not in time. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { HostPortObject } from '../../src/plan/objects.js';
import { createBlocks } from '../../src/ports/blocks.js';
import { dualPlace, placeOf } from '../../src/ports/hold.js';
import { createHolders, type Reach } from '../../src/ports/holders.js';
import { createPorts, type Ports } from '../../src/ports/index.js';
import { createSpare } from '../../src/ports/spare.js';

// no sockets: -1 is a descriptor that another has taken over
vi.mock('../../src/ports/hold.js', async (original) => ({
  ...(await original<typeof import('../../src/ports/hold.js')>()),
  hold: () => -1,
}));

let looks = 0;
/** The same object, whose every property counts how often it is looked at. */
const counted = <T extends object>(object: T): T =>
  new Proxy(object, {
    get: (target, name, receiver) => {
      looks += 1;
      return Reflect.get(target, name, receiver);
    },
  });

const during = (work: () => void): number => {
  looks = 0;
  work();
  return looks;
};

const single = (address: string, port: number): HostPortObject => ({
  kind: 'hostport',
  protocol: 'tcp',
  address,
  port,
  count: 1,
  target: { address: '172.17.0.2', port },
});

/** Even ports from 10,000 on, in no order, on both families. */
const holding = (count: number): Ports => {
  const ports = createPorts();
  for (let i = 0; i < count / 2; i += 1) {
    const port = 10_000 + ((i * 7919) % (count / 2)) * 2;
    ports.create(counted(single('0.0.0.0', port)));
    ports.create(counted(single('::', port)));
  }
  return ports;
};

describe.each([10, 20_000])('beside %i held ports', (count) => {
  let ports: Ports;
  beforeEach(() => {
    ports = holding(count);
  });
  test('one more is taken, asked for and given back without a look at them', () => {
    const mine = single('0.0.0.0', 10_001);
    const used = during(() => {
      ports.create(mine);
      expect(ports.has(mine)).toBe(true);
      ports.delete(mine);
    });
    expect(used).toBe(0);
    expect(ports.list()).toHaveLength(count);
  });
  test('a taken one is refused after a look at its holder alone', () => {
    const used = during(() => {
      expect(() => ports.create(single('127.0.0.1', 10_002))).toThrow(
        'Bind for 0.0.0.0:10002 failed: port is already allocated',
      );
    });
    expect(used).toBeGreaterThan(0);
    expect(used).toBeLessThan(5);
  });
});

test.each([2, 200])(
  'beside %i long ranges on both families, one more is taken without a look at them',
  (count) => {
    const blocks = createBlocks(createSpare());
    const range = (i: number) => ({
      ...({ protocol: 'tcp', paired: true } as const),
      ...{ port: 10_000 + i * 20, count: 20 },
    });
    const [four, six] = [placeOf('tcp', '0.0.0.0'), placeOf('tcp', '::')];
    for (let i = 0; i < count; i += 1) {
      const block = blocks.take(range(i), four, false);
      expect(blocks.take(range(i), six, false)).toBe(block);
      const get = () => {
        looks += 1;
        return dualPlace('tcp');
      };
      Object.defineProperty(block, 'place', { get, set: () => undefined });
    }
    const used = during(() => {
      const block = blocks.take(range(count), four, false);
      expect(blocks.take(range(count), six, false)).toBe(block);
      blocks.give(block, 4);
      blocks.give(block, 6);
    });
    expect(used).toBe(0);
  },
);

describe('who holds a port', () => {
  const reach = (address: string, port: number, count = 1): Reach => ({
    protocol: 'tcp',
    address,
    v6: address.includes(':'),
    port,
    count,
  });
  test.each([
    ['the same address', '127.0.0.1', 80, '127.0.0.1', 80, true],
    ['another address', '127.0.0.1', 80, '127.0.0.2', 80, false],
    ['a wildcard over an address', '127.0.0.1', 80, '0.0.0.0', 80, true],
    ['an address under a wildcard', '0.0.0.0', 80, '127.0.0.1', 80, true],
    ['the other family', '0.0.0.0', 80, '::', 80, false],
    ['the next port', '0.0.0.0', 80, '0.0.0.0', 81, false],
  ])('%s', (_, held, at, asked, wanted, overlaps) => {
    const holders = createHolders<Reach>();
    const holder = reach(held, at);
    holders.add(holder);
    expect(holders.overlapping(reach(asked, wanted))).toBe(overlaps ? holder : undefined);
    expect(holders.overlapping({ ...reach(asked, wanted), protocol: 'udp' })).toBeUndefined();
    holders.remove(holder);
    expect(holders.overlapping(reach(asked, wanted))).toBeUndefined();
  });
  test('ranges overlap at their edges; the lowest held port tells whose', () => {
    const holders = createHolders<Reach>();
    const [low, high] = [reach('0.0.0.0', 100, 10), reach('0.0.0.0', 120, 10)];
    holders.add(high);
    holders.add(low);
    expect(holders.overlapping(reach('0.0.0.0', 90, 10))).toBeUndefined();
    expect(holders.overlapping(reach('0.0.0.0', 109, 12))).toBe(low);
    expect(holders.overlapping(reach('0.0.0.0', 110, 10))).toBeUndefined();
    expect(holders.overlapping(reach('0.0.0.0', 110, 11))).toBe(high);
    expect(holders.overlapping(reach('0.0.0.0', 1, 65_535))).toBe(low);
  });
  test('several addresses of one port come and go by themselves', () => {
    const holders = createHolders<Reach>();
    const all = ['127.0.0.1', '127.0.0.2', '127.0.0.3'].map((address) => reach(address, 80));
    for (const holder of all) holders.add(holder);
    for (const holder of all) expect(holders.overlapping(holder)).toBe(holder);
    for (const holder of all) {
      expect(holders.overlapping(reach('0.0.0.0', 80))).toBeDefined();
      holders.remove(holder);
      expect(holders.overlapping(holder)).toBeUndefined();
    }
    expect(holders.overlapping(reach('0.0.0.0', 80))).toBeUndefined();
  });
});
