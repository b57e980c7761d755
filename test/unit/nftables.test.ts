/** nfnetlink bytes: what libnftnl would send, values of every type, ranges. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ViaductError } from '../../src/errors.js';
import type { DataType } from '../../src/firewall/language.js';
import { decodeElements, elementMessages, getMessage } from '../../src/kernel/nftables/elements.js';
import { batch } from '../../src/kernel/nftables/messages.js';
import { getRange, putRange } from '../../src/kernel/nftables/ranges.js';
import { getValue, putValue, TYPES } from '../../src/kernel/nftables/values.js';
import { addressText } from '../../src/model/address-bytes.js';
import type { ElementObject } from '../../src/plan/objects.js';
import { SAMPLES } from '../support/elements.js';

const add = (element: ElementObject) => ({ op: 'add' as const, element });
const hex = (message: Buffer | undefined): string => (message ?? Buffer.alloc(0)).toString('hex');

describe('an element', () => {
  test('of a map is these bytes', () => {
    const element: ElementObject = {
      kind: 'element',
      family: 'inet',
      set: 'publish_any4',
      key: ['tcp', '8080'],
      data: ['172.18.0.2', '80'],
    };
    const [message] = elementMessages([add(element)]);
    // NEWSETELEM, REQUEST|ACK|CREATE, inet; table; set; list of one; tcp . 8080; 172.18.0.2 . 80
    expect(hex(message?.message)).toBe(
      `5c000000 0c0a 0504 00000000 00000000 01000000
       0c000100 7669616475637400
       11000200 7075626c6973685f616e793400 000000
       28000380 24000180
       10000180 0c000100 06000000 1f900000
       10000280 0c000100 ac120002 00500000`.replaceAll(/\s+/g, ''),
    );
  });
  test('of every set is decoded to what was encoded', () => {
    for (const element of SAMPLES) {
      const [message] = elementMessages([add(element)]);
      expect(decodeElements(element.family, element.set, message ? [message.message] : [])).toEqual([
        element,
      ]);
    }
  });
  test('that does not fit its set is refused', () => {
    const wrong = (set: string, key: string[], data?: string[]): ElementObject => ({
      kind: 'element',
      family: 'inet',
      set,
      key,
      ...(data ? { data } : {}),
    });
    for (const element of [
      wrong('no_such_set', ['x']),
      wrong('bridges', []),
      wrong('bridges', ['a', 'b']),
      wrong('bridges', ['a'], ['b']),
      wrong('bridges', ['sixteen-letters-']),
      wrong('bridges', ['']),
      wrong('bridges', ['a\0b']),
      wrong('publish_any4', ['tcp', '65536'], ['10.0.0.1', '1']),
      wrong('publish_any4', ['tcp', '080'], ['10.0.0.1', '1']),
      wrong('publish_any4', ['tpc', '80'], ['10.0.0.1', '1']),
      wrong('publish_any4', ['tcp', '80'], ['010.0.0.1', '1']),
      wrong('publish_any4', ['tcp', '80'], ['fd00::1', '1']),
      wrong('publish_any_range4', ['tcp', '9-8'], ['10.0.0.1']),
      wrong('publish_range4', ['10.0.0.1/8', 'tcp', '9'], ['10.0.0.1']),
      wrong('publish_range4', ['10.0.0.0/33', 'tcp', '9'], ['10.0.0.1']),
      wrong('from', ['ipv4', 'a'], ['jump']),
      wrong('from', ['ipv4', 'a'], ['accept now']),
      wrong('from', ['ipv5', 'a'], ['accept']),
      wrong('from', ['toString', 'a'], ['accept']),
    ])
      expect(() => elementMessages([add(element)]), JSON.stringify(element)).toThrow(ViaductError);
  });
});

describe('messages', () => {
  const port = (number: number): ElementObject => ({
    kind: 'element',
    family: 'inet',
    set: 'relay_any6',
    key: ['tcp', String(number)],
  });
  test('hold what is of one set and operation, each set in its order, below the limit of a list', () => {
    const other: ElementObject = { kind: 'element', family: 'inet', set: 'bridges', key: ['br-a'] };
    const changes = [
      add(port(1)),
      add(port(2)),
      add(other),
      { op: 'delete' as const, element: other },
      add(port(3)),
    ];
    const messages = elementMessages(changes);
    const [one, two, bridge, noBridge, three] = changes;
    expect(messages.map((m) => m.changes)).toEqual([[one, two, three], [bridge], [noBridge]]);
    const many = elementMessages(Array.from({ length: 20_000 }, (_, i) => add(port(i + 1))));
    expect(many.length).toBeGreaterThan(1);
    for (const { message } of many) expect(message.length).toBeLessThan(65_535);
    expect(many.flatMap(({ message }) => decodeElements('inet', 'relay_any6', [message]))).toHaveLength(
      20_000,
    );
  });
  test('of a batch stand between its begin and its end', () => {
    const types = batch([getMessage(port(1))]).map((m) => m.readUInt16LE(4));
    expect(types).toEqual([0x10, 0x0a0d, 0x11]);
    expect(hex(batch([], 7)[0]).slice(-16)).toBe('0800010000000007');
  });
});

const roundTrip = (type: DataType, text: string): string => {
  const out = Buffer.alloc(TYPES[type].length + 8, 0xff);
  putValue(type, text, out, 4);
  return getValue(type, out, 4);
};
const port = fc.integer({ min: 0, max: 65_535 });
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addressText);
const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(addressText);

describe('values', () => {
  test('come back as they went', () => {
    fc.assert(
      fc.property(port, ipv4, ipv6, (number, four, six) => {
        expect(roundTrip('inet_service', String(number))).toBe(String(number));
        expect(roundTrip('mark', String(number * 65_537))).toBe(String(number * 65_537));
        expect(roundTrip('ipv4_addr', four)).toBe(four);
        expect(roundTrip('ipv6_addr', six)).toBe(six);
      }),
    );
    for (const protocol of ['tcp', 'udp', 'sctp', 'icmp', 'ipv6-icmp', '4'])
      expect(roundTrip('inet_proto', protocol)).toBe(protocol);
  });
  test('of text that means nothing are refused', () => {
    const types: DataType[] = ['ipv4_addr', 'ipv6_addr', 'inet_service', 'ether_addr', 'nf_proto', 'mark'];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.string(), (type, text) => {
        let back: string;
        try {
          back = roundTrip(type, text);
        } catch (error) {
          expect(error).toBeInstanceOf(ViaductError);
          return;
        }
        if (type !== 'ipv6_addr') expect(back).toBe(text);
      }),
    );
  });
});

describe('ranges', () => {
  const there = (type: DataType, text: string): string => {
    const { length } = TYPES[type];
    const out = Buffer.alloc(2 * length);
    putRange(type, text, out, 0, length);
    return getRange(type, out.subarray(0, length), out.subarray(length), 0);
  };
  test('of ports come back as they went', () => {
    fc.assert(
      fc.property(port, port, (a, b) => {
        const text = a === b ? String(a) : `${Math.min(a, b)}-${Math.max(a, b)}`;
        expect(there('inet_service', text)).toBe(text);
      }),
    );
  });
  test('of addresses are written shortest', () => {
    expect(there('ipv4_addr', '10.0.0.0-10.255.255.255')).toBe('10.0.0.0/8');
    expect(there('ipv4_addr', '0.0.0.0-255.255.255.255')).toBe('0.0.0.0/0');
    expect(there('ipv4_addr', '10.0.0.1-10.0.0.2')).toBe('10.0.0.1-10.0.0.2');
    expect(there('ipv4_addr', '10.0.0.1/32')).toBe('10.0.0.1');
    expect(there('ipv6_addr', 'fd00::/8')).toBe('fd00::/8');
    expect(there('ipv6_addr', '::/0')).toBe('::/0');
  });
});
