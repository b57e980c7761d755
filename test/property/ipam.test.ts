import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LABEL, readOptions } from '../../src/drivers/bridge/settings.js';
import { checkEndpointOptions, IFNAME, SYSCTLS } from '../../src/drivers/endpoint-options.js';
import { ViaductError } from '../../src/errors.js';
import {
  canonical,
  contains,
  formatAddress,
  formatPrefix,
  last,
  masked,
  type Prefix,
  parseAddress,
  parsePrefix,
} from '../../src/ipam/address.js';
import { macFromAddress, parseMac } from '../../src/ipam/mac.js';
import { resolvePools } from '../../src/ipam/pools.js';
import { Subnets } from '../../src/ipam/subnets.js';
import type { IpamConfig, Pool } from '../../src/model/network.js';
import { createAllocator } from '../support/allocator.js';

const ipv4 = fc.nat(0xffffffff).map((n) => ({ family: 4 as const, value: BigInt(n) }));
const ipv6 = fc
  .tuple(fc.bigInt(0n, (1n << 128n) - 1n), fc.bigInt(0n, (1n << 128n) - 1n))
  // And-ing two makes runs of zeros likelier; what begins with 80 zero bits and ffff is IPv4.
  .map(([a, b]) => ({ family: 6 as const, value: (a & b) | (1n << 127n) }));
const prefix: fc.Arbitrary<Prefix> = fc
  .tuple(fc.oneof(ipv4, ipv6), fc.nat(128))
  .map(([address, n]) => masked({ ...address, bits: n % (address.family === 4 ? 33 : 129) }));
/** small enough to be filled */
const smallPool: fc.Arbitrary<Pool> = fc
  .tuple(fc.oneof(ipv4, ipv6), fc.integer({ min: 0, max: 6 }), fc.nat(), fc.nat(), fc.boolean())
  .map(([address, hostBits, gateway, auxiliary, ranged]) => {
    const bits = (address.family === 4 ? 32 : 128) - hostBits;
    const subnet = masked({ ...address, bits });
    const at = (n: number): string =>
      formatAddress({ ...subnet, value: subnet.value + (BigInt(n) % (1n << BigInt(hostBits))) });
    return {
      family: subnet.family,
      subnet: formatPrefix(subnet),
      gateway: at(gateway),
      auxiliary: { a: at(auxiliary) },
      ...(ranged && hostBits > 1 ? { range: formatPrefix({ ...subnet, bits: bits + 1 }) } : {}),
    };
  });

/** Texts that look like something, and texts that do not. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef:./x%-') }),
  fc.tuple(prefix, fc.string()).map(([p, tail]) => formatPrefix(p) + tail),
);
const HOSTILE = [
  '1',
  '.',
  ':',
  '0',
  '/',
  'a',
  '1.',
  '::',
  '1:',
  'net.ipv4.conf.IFNAME.a=,',
  '\u0000',
  ' ',
  'é',
  '😀',
].map((unit) => unit.repeat(Math.ceil(65536 / unit.length)));

const onlyViaductErrors = (work: () => unknown): void => {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ViaductError)) throw error;
    expect(error.message.length).toBeLessThan(2000);
    expect(['invalid', 'forbidden']).toContain(error.kind);
  }
};

const pools = (config: readonly IpamConfig[], taken: readonly string[] = []): readonly Pool[] =>
  resolvePools(
    { ipv4: true, ipv6: true, config },
    {
      networkId: 'aa',
      defaultPools: [],
      taken: new Subnets(taken),
      hostRoutes: () => new Subnets(),
      seed: 's',
    },
  );

/** Everything of ours that reads a user's text. */
const readers: Record<string, (t: string) => unknown> = {
  canonical,
  parseMac,
  macFromAddress,
  subnet: (t) => pools([{ subnet: t }]),
  rest: (t) => pools([{ subnet: '10.0.0.0/24', range: t, gateway: t, auxiliary: { [t]: t } }]),
  endpoint: (t) => checkEndpointOptions({ [IFNAME]: t, [SYSCTLS]: t }),
  ...Object.fromEntries(
    Object.values(LABEL)
      .flatMap((label) => (typeof label === 'string' ? [label] : [label[4], label[6]]))
      .map((label) => [label, (t: string) => readOptions({ internal: false, options: { [label]: t } })]),
  ),
};

describe('addresses', () => {
  it('read back what they are written as, and nothing else has that text', () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, ipv6), (address) => {
        const written = formatAddress(address);
        expect(parseAddress(written)).toEqual(address);
        expect(canonical(written)).toBe(written);
      }),
    );
  });

  it('agree with the platform’s own canonical form (URL hosts)', () => {
    fc.assert(
      fc.property(ipv6, (address) => {
        expect(new URL(`http://[${formatAddress(address)}]/`).hostname).toBe(`[${formatAddress(address)}]`);
      }),
    );
  });
});

describe.each(Object.entries(readers))('the reader %s', (_, read) => {
  it('throws nothing but a ViaductError on any text', () => {
    fc.assert(fc.property(text, (t) => onlyViaductErrors(() => read(t))));
  });

  it('is done with 64 KiB of hostile text without trying for ever', () => {
    for (const hostile of HOSTILE) {
      const times = Array.from({ length: 3 }, () => {
        const start = performance.now();
        onlyViaductErrors(() => read(hostile));
        return performance.now() - start;
      });
      expect(Math.min(...times)).toBeLessThan(1000);
    }
  });
});

describe('the allocator', () => {
  const addressesOf = (pool: Pool): string[] => {
    const subnet = parsePrefix(pool.subnet);
    if (!subnet) return [];
    const out: string[] = [];
    for (let { value } = subnet; value <= last(subnet); value += 1n)
      out.push(formatAddress({ ...subnet, value }));
    return out;
  };

  it('fills a pool giving each address once, none reserved, all inside the range', () => {
    fc.assert(
      fc.property(smallPool, (pool) => {
        const allocator = createAllocator(pool);
        const free = addressesOf(pool).filter((address) => !allocator.has(address));
        const range = new Subnets([pool.range ?? pool.subnet]);
        const inRange = free.filter((a) =>
          range.overlaps(
            parsePrefix(`${a}/${a.includes(':') ? 128 : 32}`) ?? { family: 4, value: 0n, bits: 32 },
          ),
        );
        expect(inRange.map(() => allocator.next())).toEqual(inRange);
        expect(() => allocator.next()).toThrow(ViaductError);
        expect(free).not.toContain(pool.gateway);
        expect(free).not.toContain(pool.auxiliary.a);
      }),
    );
  });

  it('never gives an address twice, through any history; a rebuild from what is in use is the same allocator', () => {
    const action = fc.record({ what: fc.constantFrom('next', 'take', 'release'), n: fc.nat(63) });
    fc.assert(
      fc.property(smallPool, fc.array(action, { maxLength: 60 }), (pool, actions) => {
        const all = addressesOf(pool);
        const allocator = createAllocator(pool);
        const reserved = new Set(all.filter((a) => allocator.has(a)));
        const inUse = new Set<string>();
        for (const { what, n } of actions) {
          const named = all[n % all.length] ?? '';
          if (what === 'release') {
            allocator.release(named);
            inUse.delete(named);
            continue;
          }
          let given: string | undefined;
          onlyViaductErrors(() => {
            given = what === 'next' ? allocator.next() : allocator.take(named);
          });
          if (given === undefined) {
            if (what === 'take') expect(inUse.has(named) || reserved.has(named)).toBe(true);
            continue;
          }
          expect(inUse.has(given) || reserved.has(given)).toBe(false);
          inUse.add(given);
        }
        const rebuilt = createAllocator(pool, inUse);
        expect(all.map((a) => rebuilt.has(a))).toEqual(all.map((a) => allocator.has(a)));
      }),
    );
  });

  it('is where it was after an address was taken and released', () => {
    fc.assert(
      fc.property(smallPool, fc.subarray([...Array(20).keys()]), (pool, taken) => {
        const allocator = createAllocator(pool);
        const all = addressesOf(pool);
        for (const n of taken) onlyViaductErrors(() => allocator.take(all[n % all.length] ?? ''));
        const before = all.map((a) => allocator.has(a));
        onlyViaductErrors(() => allocator.release(allocator.next()));
        expect(all.map((a) => allocator.has(a))).toEqual(before);
      }),
    );
  });
});

describe('pools', () => {
  it('never overlap what is taken, and have gateway and auxiliary addresses inside', () => {
    const cidrs = fc.array(prefix.filter((p) => p.bits > 8).map(formatPrefix), { maxLength: 8 });
    const config = fc.array(
      fc.record({
        subnet: fc.oneof(prefix.map(formatPrefix), fc.constantFrom('0.0.0.0/24', '::/120')),
        gateway: fc.constant(''),
      }),
      { maxLength: 3 },
    );
    fc.assert(
      fc.property(cidrs, config, (taken, wanted) => {
        onlyViaductErrors(() => {
          const index = new Subnets(taken);
          for (const pool of pools(wanted, taken)) {
            const subnet = parsePrefix(pool.subnet);
            expect(subnet && index.overlaps(subnet)).toBe(false);
            index.add(pool.subnet);
            const gateway = parsePrefix(`${pool.gateway ?? ''}/${pool.family === 4 ? 32 : 128}`);
            expect(subnet && gateway && contains(subnet, gateway)).toBe(true);
          }
        });
      }),
    );
  });

  it('answer overlaps as a list searched one by one does, through additions and removals', () => {
    const near = fc
      .tuple(fc.nat(255), fc.integer({ min: 24, max: 32 }))
      .map(([byte, bits]) => formatPrefix(masked({ family: 4, value: BigInt(0x0a000000 + byte), bits })));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(near, fc.boolean()), { maxLength: 30 }),
        fc.array(near, { maxLength: 10 }),
        (changes, probes) => {
          const subnets = new Subnets();
          const list: string[] = [];
          for (const [cidr, add] of changes) {
            if (add) {
              subnets.add(cidr);
              list.push(cidr);
            } else {
              const at = list.indexOf(cidr);
              expect(subnets.remove(cidr)).toBe(at >= 0);
              if (at >= 0) list.splice(at, 1);
            }
          }
          for (const text of probes) {
            const probe = parsePrefix(text);
            if (!probe) continue;
            const hit = list.some((cidr) => {
              const other = parsePrefix(cidr);
              return other && other.value <= last(probe) && probe.value <= last(other);
            });
            expect(subnets.overlaps(probe)).toBe(hit);
          }
          const rebuilt = new Subnets(list);
          const span = (s: Subnets): unknown =>
            Array.from({ length: 256 }, (_, n) =>
              s.blockedUntil(4, BigInt(0x0a000000 + n), BigInt(0x0a000001 + n)),
            );
          expect(span(subnets)).toEqual(span(rebuilt));
        },
      ),
    );
  });
});
