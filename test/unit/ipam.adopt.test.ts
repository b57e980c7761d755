import { describe, expect, it } from 'vitest';
import { type DefaultBridge, defaultBridgeConfig, takeOver } from '../../src/ipam/adopt.js';

const NOTHING = { bip: '', fixed: '', router: '' };
const LL = 'fe80::42:aff:fe58:1/64';

/** subnet, range and gateway that the default bridge asks for */
const asked = (managed: boolean, addresses: readonly string[], more: Partial<DefaultBridge> = {}) => {
  const family = (more.fixed || more.bip || addresses[0] || '').includes(':') ? 6 : 4;
  const { config } = defaultBridgeConfig({
    family,
    ...NOTHING,
    addresses: [...addresses, LL],
    managed,
    ...more,
  });
  return config && [config.subnet, config.range, config.gateway];
};

describe('N8 M3 M18: the default network on a bridge that is there', () => {
  const three4 = ['192.168.160.88/20', '192.168.176.88/20', '192.168.192.88/20'];
  const three6 = ['fdd1:8161:2d2c::8888/60', 'fdd1:8161:2d2c:10::8888/60', 'fdd1:8161:2d2c:20::8888/60'];
  it.each([
    // the administrator's: its addresses say which subnets there are
    [false, ['192.168.176.88/20'], {}, ['192.168.176.0/20', undefined, '192.168.176.88']],
    [false, ['fdd1::8888/64'], {}, ['fdd1::/64', undefined, 'fdd1::8888']],
    [false, [], { fixed: '192.168.176.0/24' }, ['192.168.176.0/24', '192.168.176.0/24', undefined]],
    [
      false,
      three4,
      { fixed: '192.168.176.0/24' },
      ['192.168.176.0/20', '192.168.176.0/24', '192.168.176.88'],
    ],
    [
      false,
      three4,
      { fixed: '192.168.177.0/24' },
      ['192.168.176.0/20', '192.168.177.0/24', '192.168.176.88'],
    ],
    [
      false,
      three6,
      { fixed: 'fdd1:8161:2d2c:11::8888/64' },
      ['fdd1:8161:2d2c:10::/60', 'fdd1:8161:2d2c:11::/64', 'fdd1:8161:2d2c:10::8888'],
    ],
    [false, [], { fixed: 'fe80::/64' }, ['fe80::/64', 'fe80::/64', 'fe80::42:aff:fe58:1']],
    [
      false,
      ['fe80:1234::88/56'],
      { fixed: 'fe80:1234::/64' },
      ['fe80:1234::/56', 'fe80:1234::/64', 'fe80:1234::88'],
    ],
    [
      false,
      ['192.168.176.88/24'],
      { fixed: '192.168.176.0/20' },
      ['192.168.176.0/24', undefined, '192.168.176.88'],
    ],
    [
      false,
      ['192.168.160.88/20'],
      { fixed: '192.168.176.0/24' },
      ['192.168.160.0/20', undefined, '192.168.160.88'],
    ],
    // docker0: what the daemon is told wins
    [true, [], {}, undefined],
    [true, ['192.168.176.88/24'], {}, ['192.168.176.0/24', undefined, '192.168.176.88']],
    [true, [], { bip: '192.168.176.88/24' }, ['192.168.176.0/24', undefined, '192.168.176.88']],
    [
      true,
      ['192.168.176.88/20'],
      { fixed: '192.168.176.0/24' },
      ['192.168.176.0/20', '192.168.176.0/24', '192.168.176.88'],
    ],
    [
      true,
      ['192.168.176.88/24'],
      { fixed: '192.168.176.0/20' },
      ['192.168.176.0/20', '192.168.176.0/20', '192.168.176.88'],
    ],
    [
      true,
      ['192.168.176.88/24'],
      { fixed: '192.168.177.0/24' },
      ['192.168.177.0/24', '192.168.177.0/24', undefined],
    ],
    [
      true,
      ['192.168.176.88/20'],
      { fixed: '192.168.176.0/24', bip: '192.168.176.99/24' },
      ['192.168.176.0/24', '192.168.176.0/24', '192.168.176.99'],
    ],
    [true, ['fd1c:aaaa::1/64'], { fixed: 'fd1c:bbbb::/64' }, ['fd1c:bbbb::/64', 'fd1c:bbbb::/64', undefined]],
    [
      true,
      ['fd1c:bbbb::1/64'],
      { fixed: 'fd1c:bbbb::/80' },
      ['fd1c:bbbb::/64', 'fd1c:bbbb::/80', 'fd1c:bbbb::1'],
    ],
  ])('managed %j, with %j and %j: %j', (managed, addresses, more, expected) => {
    expect(asked(managed, addresses, more)).toEqual(expected);
  });

  it.each([
    [['fdd1::8888/64'], 'fdd1::/60'],
    [['fdd1::8888/60'], 'fdd1:0:0:10::/64'],
    [['fdd1:0:0:10::1/64'], 'fdd1:0:0:10::/60'],
  ])('%j and --fixed-cidr-v6 %s contradict each other', (addresses, fixed) => {
    expect(() => asked(false, addresses, { fixed })).toThrow(
      /outside any subnet that the addresses of the bridge name/,
    );
  });

  it('warns of an IPv4 range that it drops, and keeps the bridge’s further addresses and the router from containers', () => {
    const { config, warning } = defaultBridgeConfig({
      family: 4,
      bip: '',
      fixed: '10.9.0.0/24',
      router: '10.0.0.254',
      addresses: ['10.0.0.1/24', '10.0.0.7/24', '10.0.0.254/24'],
      managed: false,
    });
    expect(warning).toContain('--fixed-cidr=10.9.0.0/24 is outside');
    expect(config?.auxiliary).toEqual({ 'bridge 10.0.0.7': '10.0.0.7', DefaultGatewayIPv4: '10.0.0.254' });
  });
});

describe('N8 F5: a network of a user’s on a bridge that is there', () => {
  const addresses = ['10.88.0.1/24', '10.88.0.9/24', 'fd88::1/64', LL];
  const both = { 4: true, 6: true };
  it('takes the bridge’s addresses where none was asked for', () => {
    expect(takeOver([], addresses, both, both)).toEqual([
      { subnet: '10.88.0.0/24', gateway: '10.88.0.1', auxiliary: { 'bridge 10.88.0.9': '10.88.0.9' } },
      { subnet: 'fd88::/64', gateway: 'fd88::1' },
    ]);
    expect(takeOver([], addresses, { 4: true, 6: false }, both)).toHaveLength(1);
    expect(takeOver([], [LL], both, both)).toEqual([]);
  });
  it('keeps what was asked for, and the bridge’s addresses from containers', () => {
    const subnet = '10.88.0.0/24';
    const auxiliary = { 'bridge 10.88.0.1': '10.88.0.1', 'bridge 10.88.0.9': '10.88.0.9' };
    expect(takeOver([{ subnet }], addresses, { 4: true, 6: false }, both)).toMatchObject([
      { subnet, gateway: '10.88.0.1' },
    ]);
    expect(takeOver([{ subnet, gateway: '10.88.0.254' }], addresses, { 4: true, 6: false }, both)).toEqual([
      { subnet, gateway: '10.88.0.254', auxiliary },
    ]);
    expect(takeOver([{ subnet }], addresses, { 4: true, 6: false }, { 4: false, 6: false })).toEqual([
      { subnet, auxiliary },
    ]);
    expect(takeOver([{ subnet: '10.99.0.0/24' }], addresses, { 4: true, 6: false }, both)).toEqual([
      { subnet: '10.99.0.0/24' },
    ]);
  });
});
