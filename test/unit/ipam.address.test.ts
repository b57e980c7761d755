import { describe, expect, it } from 'vitest';
import { canonical, parseAddress, parsePrefix } from '../../src/ipam/address.js';
import { macFromAddress, parseMac } from '../../src/ipam/mac.js';
import { macFromText } from '../../src/model/mac.js';

describe('addresses', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8::0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['172.18.0.2/16', '172.18.0.2/16'],
    ['FD00::1/64', 'fd00::1/64'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
  ])('reads %s as %s', (text, expected) => {
    expect(canonical(text)).toBe(expected);
  });

  it.each([
    '',
    '1',
    '010.0.0.1',
    '0x50.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.-4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1..2.3',
    '+1.2.3.4',
    '1.2.3.4e0',
    '١.٢.٣.٤',
    ':',
    ':::',
    ':1',
    '1:',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '[::1]',
    '::1.2.3',
    '1.2.3.4::',
    '::01.2.3.4',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(() => canonical(text)).toThrow(/^invalid IP address: /);
  });

  it.each([
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '::/129',
    '/8',
    '::ffff:10.0.0.0/104',
    '10.0.0.0/0x8',
  ])('refuses the CIDR %j', (text) => {
    expect(parsePrefix(text)).toBeUndefined();
  });
});

describe('MAC addresses', () => {
  it('follow from an IPv4 address as Docker gives them', () => {
    expect(macFromAddress('172.17.0.2')).toBe('02:42:ac:11:00:02');
  });

  it('of an IPv6 address are local, unicast, stable, and the same for every spelling', () => {
    const mac = macFromAddress('fd00::2');
    expect(macFromAddress('FD00:0::2')).toBe(mac);
    expect(macFromAddress('fd00::3')).not.toBe(mac);
    expect(Number.parseInt(mac.slice(0, 2), 16) & 3).toBe(2);
    expect(macFromText('bridge x').startsWith('02:42')).toBe(false);
  });

  it.each(['02:42:AC:11:00:02', '02-42-ac-11-00-02', '0242.ac11.0002'])(
    'are read as Go reads them: %s',
    (text) => {
      expect(parseMac(text)).toBe('02:42:ac:11:00:02');
    },
  );

  it.each([
    '',
    '02:42:ac:11:00',
    '02:42:ac:11:00:02:03',
    '02:42-ac:11:00:02',
    '02:42:ac:11:00:0g',
    'x'.repeat(65536),
  ])('that are none are refused', (text) => {
    expect(() => parseMac(text)).toThrow(/^invalid MAC address: /);
  });
});
