import { describe, expect, it } from 'vitest';
import { emptySpace } from '../../src/ipam/space.js';
import { Taken } from '../../src/ipam/taken.js';
import type { Pool } from '../../src/model/network.js';
import { createAllocator } from '../support/allocator.js';

const pool = (subnet: string, rest: Partial<Pool> = {}): Pool => ({
  family: subnet.includes(':') ? 6 : 4,
  subnet,
  auxiliary: {},
  ...rest,
});

const all = (p: Pool): string[] => {
  const allocator = createAllocator(p);
  const out: string[] = [];
  for (;;) {
    try {
      out.push(allocator.next());
    } catch {
      return out;
    }
  }
};

describe('an address space', () => {
  it('gives the first container .2, as Docker does', () => {
    expect(createAllocator(pool('172.18.0.0/16', { gateway: '172.18.0.1' })).next()).toBe('172.18.0.2');
  });

  it('never gives network, broadcast, gateway or auxiliary addresses', () => {
    const p = pool('10.0.0.0/29', { gateway: '10.0.0.1', auxiliary: { router: '10.0.0.4' } });
    expect(all(p)).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.5', '10.0.0.6']);
  });

  it('gives two addresses of a /31 and one of a /32', () => {
    expect(all(pool('10.0.0.0/31'))).toEqual(['10.0.0.0', '10.0.0.1']);
    expect(all(pool('10.0.0.7/32'))).toEqual(['10.0.0.7']);
  });

  it('spares an IPv6 subnet its first address only', () => {
    expect(all(pool('fd00::/126', { gateway: 'fd00::1' }))).toEqual(['fd00::2', 'fd00::3']);
  });

  it('stays inside the range, where its first address is one like others', () => {
    expect(all(pool('10.0.0.0/16', { range: '10.0.5.0/30', gateway: '10.0.0.1' }))).toEqual([
      '10.0.5.0',
      '10.0.5.1',
      '10.0.5.2',
      '10.0.5.3',
    ]);
  });

  it('takes requested addresses outside the range but inside the subnet', () => {
    const allocator = createAllocator(pool('10.0.0.0/16', { range: '10.0.5.0/30' }));
    expect(allocator.take('10.0.200.9')).toBe('10.0.200.9');
    expect(() => allocator.take('10.1.0.1')).toThrow(
      expect.objectContaining({
        kind: 'invalid',
        message: 'no configured subnet contains IP address 10.1.0.1',
      }),
    );
  });

  it.each(['10.0.0.1', '10.0.0.2', '10.0.0.4', '10.0.0.0', '10.0.0.7'])(
    'refuses %s when it is in use',
    (address) => {
      const allocator = createAllocator(
        pool('10.0.0.0/29', { gateway: '10.0.0.1', auxiliary: { a: '10.0.0.4' } }),
        ['10.0.0.2'],
      );
      expect(() => allocator.take(address)).toThrow(
        expect.objectContaining({ kind: 'forbidden', message: 'Address already in use' }),
      );
      expect(allocator.has(address)).toBe(true);
    },
  );

  it('gives the lowest free address again after a release, never a reserved one', () => {
    const allocator = createAllocator(pool('10.0.0.0/29', { gateway: '10.0.0.1' }));
    for (const expected of ['10.0.0.2', '10.0.0.3', '10.0.0.4']) expect(allocator.next()).toBe(expected);
    allocator.release('10.0.0.3');
    allocator.release('10.0.0.1');
    allocator.release('10.0.0.0');
    expect(allocator.next()).toBe('10.0.0.3');
    expect(allocator.next()).toBe('10.0.0.5');
  });

  it('F11: gives what is to be spared only when nothing else is left', () => {
    const allocator = createAllocator(pool('10.0.0.0/29', { gateway: '10.0.0.1' }));
    const spare = new Set(['10.0.0.2', '10.0.0.3', '10.0.0.5', '10.0.0.6']);
    const given = Array.from({ length: 5 }, () => allocator.next(spare));
    expect(given).toEqual(['10.0.0.4', '10.0.0.2', '10.0.0.3', '10.0.0.5', '10.0.0.6']);
  });

  it('M17: counts what is in use of the subnet and what is left of the range, as Docker does', () => {
    const four = createAllocator(
      pool('192.168.0.0/24', {
        range: '192.168.0.64/31',
        gateway: '192.168.0.1',
        auxiliary: { a: '192.168.0.65', b: '192.168.0.128' },
      }),
    );
    expect(four.count()).toEqual({ inUse: 5n, available: 1n });
    four.take('192.168.0.129');
    expect(four.count()).toEqual({ inUse: 6n, available: 1n });
    const six = createAllocator(
      pool('2001:db8:abcd::/64', {
        range: '2001:db8:abcd::/120',
        gateway: '2001:db8:abcd::1',
        auxiliary: { a: '2001:db8:abcd::2a', b: '2001:db8:abcd::8000' },
      }),
    );
    expect(six.count()).toEqual({ inUse: 4n, available: 253n });
    six.release(six.next());
    expect(six.count()).toEqual({ inUse: 4n, available: 253n });
  });

  it('says when a pool is full', () => {
    const full = createAllocator(pool('10.0.0.0/30', { gateway: '10.0.0.1' }), ['10.0.0.2']);
    expect(() => full.next()).toThrow(
      expect.objectContaining({
        kind: 'forbidden',
        message: "no available IPv4 addresses on this network's address pools: 10.0.0.0/30",
      }),
    );
  });

  it('is as quick at the end of a /16 as at its beginning, and in a /64', () => {
    const allocator = createAllocator(pool('172.18.0.0/16', { gateway: '172.18.0.1' }));
    for (let i = 0; i < 65533; i += 1) allocator.next();
    const sparse = createAllocator(pool('fd00::/64', { gateway: 'fd00::1' }), ['fd00::ffff:ffff:ffff:ffff']);
    const start = performance.now();
    for (let i = 0; i < 1000; i += 1) {
      allocator.release('172.18.200.200');
      expect(allocator.next()).toBe('172.18.200.200');
      sparse.next();
    }
    expect(performance.now() - start).toBeLessThan(3000);
  });

  it('answers the same again, as nothing is taken by asking', () => {
    const p = pool('10.0.0.0/29', { gateway: '10.0.0.1' });
    const space = emptySpace(p);
    expect([space.free(p), space.free(p), space.unused(p, '10.0.0.4')]).toEqual([
      '10.0.0.2',
      '10.0.0.2',
      '10.0.0.4',
    ]);
  });

  it('has an address as long as one record has it, in whichever order records come and go', () => {
    const p = pool('10.0.0.0/29', { gateway: '10.0.0.1' });
    const space = emptySpace(p);
    space.add('10.0.0.2');
    space.add('10.0.0.2');
    space.remove('10.0.0.2');
    expect(space.has('10.0.0.2')).toBe(true);
    space.remove('10.0.0.2');
    expect(space.free(p)).toBe('10.0.0.2');
  });

  it('passes by what is somebody’s on whichever network', () => {
    const taken = new Taken();
    taken.count({ addresses: [{ networkId: '', address: '10.0.0.2' }] }, 1);
    const p = pool('10.0.0.0/30', { gateway: '10.0.0.1' });
    expect(() => emptySpace(p).free(p, undefined, taken.anywhere)).toThrow('no available IPv4 addresses');
    taken.count({ addresses: [{ networkId: '', address: '10.0.0.2' }] }, -1);
    expect(emptySpace(p).free(p, undefined, taken.anywhere)).toBe('10.0.0.2');
  });
});
