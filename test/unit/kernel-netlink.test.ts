import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KernelError } from '../../src/errors.js';
import {
  attr,
  attrStr,
  attrText,
  attrU8,
  attrU16be,
  attrU32,
  attrU32be,
  listAttributes,
  message,
  messageFlags,
  messageType,
  nested,
  parseAttributes,
  splitMessages,
} from '../../src/kernel/netlink.js';
import { createAddress, parseAddress } from '../../src/kernel/rtnetlink/address.js';
import { parseLink } from '../../src/kernel/rtnetlink/link.js';
import { createVeth } from '../../src/kernel/rtnetlink/link-types.js';
import { createRoute, parseRoute } from '../../src/kernel/rtnetlink/route.js';
import { address, route, veth } from '../kernel/kernel-objects.js';

test('attributes as `include/uapi/linux/netlink.h` lays them out', () => {
  expect(attrU8(3, 7).toString('hex')).toBe('0500030007000000');
  expect(attrU16be(3, 0x1234).toString('hex')).toBe('0600030012340000');
  expect(attrU32(3, 0x12345678).toString('hex')).toBe('0800030078563412');
  expect(attrU32be(3, 0x12345678).toString('hex')).toBe('0800030012345678');
  expect(attrStr(3, 'lo').toString('hex')).toBe('070003006c6f0000');
  expect(nested(1, attrU8(3, 7)).toString('hex')).toBe('0c0001800500030007000000');
  expect(message(16, 4, Buffer.alloc(4)).toString('hex')).toBe(
    '14000000100005000000000000000000' + '00000000',
  );
});

test('what was written is read again, repeated attributes included', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 0x3fff }), fc.uint8Array({ maxLength: 40 }))),
      (written) => {
        const wire = Buffer.concat(written.map(([type, value]) => attr(type, Buffer.from(value))));
        expect(listAttributes(wire).map(({ type, value }) => [type, new Uint8Array(value)])).toEqual(written);
      },
    ),
  );
});

test('whatever bytes come, they are messages or a KernelError', () => {
  const parse = (bytes: Uint8Array): void => {
    for (const m of splitMessages(Buffer.from(bytes))) {
      messageType(m);
      messageFlags(m);
      parseAttributes(m.subarray(16));
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        parse(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(KernelError);
      }
    }),
  );
});

test('a message or an attribute that is cut is refused, wherever it is cut', () => {
  const wire = message(16, 0, Buffer.alloc(16), attrStr(3, 'eth0'));
  for (let n = 17; n < wire.length; n++)
    expect(() => splitMessages(wire.subarray(0, n))).toThrow(KernelError);
  const attribute = attrStr(3, 'eth0');
  for (let n = 4; n < 9; n++) expect(() => listAttributes(attribute.subarray(0, n))).toThrow(KernelError);
});

test('a text ends at its NUL', () => {
  expect(attrText(Buffer.from('eth0\0junk'))).toBe('eth0');
  expect(attrText(Buffer.from('eth0'))).toBe('eth0');
});

test('addresses and routes are read as they were written', () => {
  for (const text of ['172.18.0.2/16', '10.0.0.1/32', 'fd00::2/64', 'fe80::1/10'])
    expect(parseAddress(createAddress(address('host', 'br0', text), 7))).toMatchObject({
      address: text,
      index: 7,
    });
  const gateway = parseRoute(
    createRoute({ ...route('host', 'br0', '0.0.0.0/0', '172.18.0.1'), metric: 5 }, 7),
  );
  expect(gateway).toMatchObject({
    destination: '0.0.0.0/0',
    via: '172.18.0.1',
    metric: 5,
    index: 7,
    plain: true,
  });
  const onLink = parseRoute(createRoute(route('host', 'br0', 'fd00::/64'), 7));
  expect(onLink).toMatchObject({ family: 6, destination: 'fd00::/64', index: 7 });
  expect(onLink).not.toHaveProperty('metric');
});

test('a broadcast address goes with an IPv4 prefix that has one', () => {
  const broadcast = (text: string) =>
    parseAttributes(createAddress(address('host', 'br0', text), 1).subarray(24)).get(4);
  expect(broadcast('172.18.0.2/16')).toEqual(Buffer.from([172, 18, 255, 255]));
  expect(broadcast('255.255.255.253/30')).toEqual(Buffer.from([255, 255, 255, 255]));
  for (const text of ['10.0.0.0/31', '10.0.0.1/32', 'fd00::1/64']) expect(broadcast(text)).toBeUndefined();
});

test('a veth names both ends', () => {
  const wire = createVeth(veth('veth1', 'br0', '/run/a'), 4, 9);
  expect(parseLink(wire)).toMatchObject({ name: 'veth1', type: 'veth', master: 4, mtu: 1500, up: false });
  expect(wire.includes('eth0\0')).toBe(true);
  expect(wire.includes(Buffer.from('0242ac120002', 'hex'))).toBe(true);
});

test('texts that are no addresses are refused before they reach the kernel', () => {
  for (const text of [
    '',
    '10.0.0.1/33',
    '10.0.0.1/',
    '10.0.0.256/8',
    '010.0.0.1/8',
    'fd00::1/129',
    '10.0.0.1/8x',
    'fe80::1%eth0%',
  ])
    expect(() => createAddress(address('host', 'br0', text), 1)).toThrow(KernelError);
  expect(() => createVeth(veth('v', 'b', 'n', { peerMac: '02:42:ac:12:00' }), 1, 1)).toThrow(KernelError);
});
