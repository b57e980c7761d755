/** What nodes and managers say to each other: frames of any cut, messages of any kind, and addresses as moby resolves them. */
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type HostInterface,
  joinPlace,
  resolveAddresses,
  splitPlace,
  withPort,
} from '../../src/cluster/life/addresses.js';
import { encodeFrame, frameDecoder, frames } from '../../src/cluster/session/frames.js';
import { fromManager, fromNode, fromStranger } from '../../src/cluster/session/protocol.js';

const LIMIT = 10_000;

describe('frames', () => {
  test('come out whole and in order, however they were cut', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.array(fc.integer({ min: 1, max: 20 })), (values, cuts) => {
        const messages = values.map((value) => ({ value }));
        const bytes = Buffer.concat(messages.map(encodeFrame));
        const decode = frameDecoder(() => LIMIT);
        const found: unknown[] = [];
        for (let at = 0, i = 0; at < bytes.length; i += 1) {
          const size = cuts[i % Math.max(cuts.length, 1)] ?? 7;
          found.push(...decode(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(found).toEqual(JSON.parse(JSON.stringify(messages)));
      }),
    );
  });

  test('that say they are too long are refused before they come', () => {
    const decode = frameDecoder(() => LIMIT);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(LIMIT + 1);
    expect(() => decode(header)).toThrow('a message of 10001 bytes, where 10000 are allowed');
  });

  test('that are no JSON end the connection, and nobody else', async () => {
    const socket = new PassThrough();
    const reason = await new Promise<string>((resolve) => {
      frames(socket, { limit: () => LIMIT, message: () => {}, closed: resolve });
      socket.write(Buffer.from([0, 0, 0, 2, 0x7b, 0x7b]));
    });
    expect(reason).toMatch(/JSON/);
    expect(socket.destroyed).toBe(true);
  });
});

describe('messages', () => {
  test('of any shape are refused or understood, and never an error of another kind', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const schema of [fromNode, fromStranger, fromManager])
          expect(schema.safeParse(value).success).toBeTypeOf('boolean');
      }),
    );
  });

  test('who has no certificate can ask nothing that a node may', () => {
    expect(fromStranger.safeParse({ type: 'beat' }).success).toBe(false);
    expect(fromStranger.safeParse({ type: 'enrol', ask: 1, address: 'a:1' }).success).toBe(false);
    expect(fromStranger.safeParse({ type: 'authorities', ask: 1 }).success).toBe(true);
  });
});

const link = (name: string, ...addresses: string[]): HostInterface => ({
  name,
  ours: name.startsWith('br-'),
  addresses: addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
});
const lo = link('lo', '127.0.0.1', '::1');
const asked = { listen: '0.0.0.0:2377', advertise: '', defaultAdvertise: '', dataPath: '' };

describe('addresses', () => {
  test.each([
    ['192.0.2.1:2377', '192.0.2.1', '2377'],
    ['[2001:db8::1]:99', '2001:db8::1', '99'],
    ['eth0:1', 'eth0', '1'],
    [':2377', '', '2377'],
  ])('%s is a host and a port', (text, host, port) => {
    expect(splitPlace(text)).toEqual({ host, port });
    expect(joinPlace({ host, port })).toBe(text);
  });

  test.each(['192.0.2.1', '2001:db8::1', 'x:99999', ''])('%s has no port', (text) => {
    expect(splitPlace(text)).toBeUndefined();
  });

  test('the port of managers is added where there is none', () => {
    expect(withPort('192.0.2.1')).toBe('192.0.2.1:2377');
    expect(withPort('2001:db8::1')).toBe('[2001:db8::1]:2377');
    expect(withPort('[2001:db8::1]')).toBe('[2001:db8::1]:2377');
    expect(withPort('192.0.2.1:1')).toBe('192.0.2.1:1');
  });

  test('the only address is found; containers’ and link-local ones do not count', () => {
    const host = [lo, link('eth0', '192.0.2.1', 'fe80::1'), link('br-1', '172.17.0.1')];
    expect(resolveAddresses(asked, host).advertise).toEqual({ host: '192.0.2.1', port: '2377' });
  });

  test('an interface stands for its address, IPv4 first', () => {
    const host = [lo, link('eth0', '192.0.2.1', '2001:db8::1', 'fe80::1'), link('eth1', '198.51.100.1')];
    expect(resolveAddresses({ ...asked, advertise: 'eth0' }, host).advertise.host).toBe('192.0.2.1');
    const only6 = [lo, link('eth0', 'fe80::1', '2001:db8::1')];
    expect(resolveAddresses({ ...asked, advertise: 'eth0' }, only6).advertise.host).toBe('2001:db8::1');
    const found = resolveAddresses({ ...asked, advertise: 'eth1:99', dataPath: 'eth0' }, host);
    expect(found.advertise).toEqual({ host: '198.51.100.1', port: '99' });
    expect(found.dataPath).toBe('192.0.2.1');
  });

  test.each([
    [
      {},
      'could not choose an IP address to advertise since this system has multiple addresses on different interfaces (192.0.2.1 on eth0 and 198.51.100.1 on eth1) - specify one with --advertise-addr',
    ],
    [
      { listen: 'nowhere:1' },
      'listen address must be an IP address or network interface (with optional port number)',
    ],
    [{ listen: '' }, 'invalid ListenAddr "": invalid empty address'],
    [
      { advertise: '0.0.0.0' },
      'advertise address must be a non-zero IP address or network interface (with optional port number)',
    ],
    [
      { advertise: 'eth0', dataPath: '0.0.0.0' },
      'data path address must be a non-zero IP address or network interface (without a port number)',
    ],
    [{ advertise: 'eth2' }, 'interface eth2 has more than one IPv4 address (203.0.113.1 and 203.0.113.2)'],
    [
      { advertise: '8.8.8.8' },
      "must specify a listening address because the address to advertise is not recognized as a system address, and a system's IP address to use could not be uniquely identified",
    ],
  ])('%j is refused in moby’s words', (request, words) => {
    const host = [
      lo,
      link('eth0', '192.0.2.1'),
      link('eth1', '198.51.100.1'),
      { ...link('eth2', '203.0.113.1', '203.0.113.2'), ours: true },
    ];
    expect(() => resolveAddresses({ ...asked, ...request }, host)).toThrow(words);
  });
});
