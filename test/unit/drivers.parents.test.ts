/** macvlan and ipvlan: their options, what they make of them, and what they refuse. */
import { describe, expect, it } from 'vitest';
import { DRIVERS, driverOf } from '../../src/drivers/index.js';
import { ViaductError } from '../../src/errors.js';
import type { Network } from '../../src/model/network.js';
import { build } from '../../src/plan/diff.js';
import { print } from '../../src/plan/print.js';
import { aNetwork, anEndpoint, aSandbox, aView, HOST, POOL4, POOL6 } from '../support/views.js';

type Options = Readonly<Record<string, string>>;
const NS = '/run/viaduct/netns/5a';
const network = (driver: string, options: Options, more: Partial<Network> = {}): Network =>
  aNetwork({ driver, options, ipv6: true, ...more });

/** The plan of one network with one endpoint, the sandbox's namespace written as NS. */
const plan = (driver: string, options: Options, more: Partial<Network> = {}): string[] => {
  const of = driverOf({ driver }, DRIVERS);
  const endpoint = anEndpoint({
    hostIfname: '',
    ipv6: 'fd00:1::2/64',
    mac: of.capabilities.mac ? '02:42:ac:12:00:02' : '',
  });
  const view = aView({ network: network(driver, options, more), endpoint, sandbox: aSandbox() });
  const objects = [...(of.shared?.([view.network], HOST) ?? []), ...of.network(view), ...of.endpoint(view)];
  return print(build(objects))
    .replaceAll(NS, 'NS')
    .split('\n')
    .filter((line) => line !== '' && !line.includes('sysctl'));
};
const refusal = (work: () => void): string => {
  try {
    work();
    return '';
  } catch (error) {
    if (error instanceof ViaductError) return `${error.kind}: ${error.message}`;
    throw error;
  }
};
const validated = (driver: string, options: Options, others: readonly Network[] = []): string =>
  refusal(() => driverOf({ driver }, DRIVERS).validate(network(driver, options), others, HOST));

const ADDRESSES = [
  'ip -n NS address add 172.18.0.2/16 dev eth0',
  'ip -n NS address add fd00:1::2/64 dev eth0 nodad',
];
const VIA = [
  'ip -n NS route add default via 172.18.0.1 dev eth0',
  'ip -n NS -6 route add default via fd00:1::1 dev eth0',
];

describe('D6 macvlan', () => {
  it('D6 lies on the parent given, which must be there', () => {
    expect(plan('macvlan', { parent: 'eth0' })).toEqual([
      'ip -n NS link add eth0 link eth0 address 02:42:ac:12:00:02 down type macvlan mode bridge',
      'use eth0',
      ...ADDRESSES,
      'ip -n NS link set eth0 up',
      ...VIA,
    ]);
  });

  it('D6 makes the sub-interface that the parent’s name describes, below its own', () => {
    expect(
      plan('macvlan', { parent: 'eth1.50', macvlan_mode: 'vepa', 'com.docker.network.driver.mtu': '1400' }),
    ).toEqual([
      'ip link add eth1.50 link eth1 down type vlan id 50',
      'ip -n NS link add eth0 link eth1.50 address 02:42:ac:12:00:02 mtu 1400 down type macvlan mode vepa',
      ...ADDRESSES,
      'ip link set eth1.50 up',
      'ip -n NS link set eth0 up',
      ...VIA,
    ]);
  });

  it('D6 without a parent lies on a dummy of its own and leads nowhere', () => {
    expect(plan('macvlan', {})).toEqual([
      'ip link add dm-a1b2c3d4e5f6 down type dummy',
      'ip -n NS link add eth0 link dm-a1b2c3d4e5f6 address 02:42:ac:12:00:02 down type macvlan mode bridge',
      ...ADDRESSES,
      'ip link set dm-a1b2c3d4e5f6 up',
      'ip -n NS link set eth0 up',
    ]);
    expect(driverOf({ driver: 'macvlan' }, DRIVERS).leadsOut?.(network('macvlan', {}))).toEqual({
      ipv4: false,
      ipv6: false,
    });
  });

  it('D6 has no default route where no gateway is known, nor on an internal network', () => {
    const pools = [POOL4, POOL6].map(({ gateway: _, ...pool }) => pool);
    for (const more of [{ pools }, { internal: true }])
      expect(plan('macvlan', { parent: 'eth0' }, more).filter((line) => line.includes('route'))).toEqual([]);
  });

  it('D6 asks for no gateway address of its own: the router is the physical network’s', () => {
    for (const name of ['macvlan', 'ipvlan'])
      expect(driverOf({ driver: name }, DRIVERS).gateways(network(name, { parent: 'eth0' }))).toEqual({
        ipv4: false,
        ipv6: false,
      });
  });

  it('D6 lets networks share a parent, but not one in passthru mode', () => {
    const other = (mode: string): Network =>
      network('macvlan', { parent: 'eth0', macvlan_mode: mode }, { name: 'other' });
    const others = [{ ...other('bridge'), id: aNetwork({ id: 'b2' }).id }];
    const through = [{ ...other('passthru'), id: aNetwork({ id: 'b2' }).id }];
    expect(validated('macvlan', { parent: 'eth0' }, others)).toBe('');
    expect(validated('macvlan', { parent: 'eth0', macvlan_mode: 'passthru' }, others)).toMatch(
      /^forbidden: cannot use mode passthru, macvlan network b2/,
    );
    expect(validated('macvlan', { parent: 'eth0' }, through)).toMatch(
      /^forbidden: macvlan network b20* is already using parent interface eth0 in mode passthru$/,
    );
    expect(validated('macvlan', { parent: 'eth0.50' }, through)).toBe('');
  });
});

describe('D7 ipvlan', () => {
  it.each(['l2', 'l3', 'l3s'])('D7 mode %s, with each flag', (mode) => {
    for (const flag of ['bridge', 'private', 'vepa'])
      expect(plan('ipvlan', { parent: 'eth0', ipvlan_mode: mode, ipvlan_flag: flag })).toEqual([
        `ip -n NS link add eth0 link eth0 down type ipvlan mode ${mode} ${flag}`,
        'use eth0',
        ...ADDRESSES,
        'ip -n NS link set eth0 up',
        ...(mode === 'l2'
          ? VIA
          : ['ip -n NS route add default dev eth0', 'ip -n NS -6 route add default dev eth0']),
      ]);
  });

  it('D7 without a parent lies on a dummy of its own', () => {
    expect(plan('ipvlan', { ipvlan_mode: 'l3' })[0]).toBe('ip link add di-a1b2c3d4e5f6 down type dummy');
    expect(plan('ipvlan', { ipvlan_mode: 'l3' }).filter((line) => line.includes('route'))).toEqual([]);
  });

  it('D7 has a parent to itself', () => {
    const others = [{ ...network('ipvlan', { parent: 'eth0' }), id: aNetwork({ id: 'b2' }).id }];
    expect(validated('ipvlan', { parent: 'eth0' }, others)).toBe(
      'forbidden: network di-b20000000000 is already using parent interface eth0',
    );
    expect(validated('ipvlan', { parent: 'eth1' }, others)).toBe('');
  });

  it('D7 leads through the router of the pool that the address is of', () => {
    const second = { family: 4, subnet: '10.1.0.0/24', gateway: '10.1.0.1', auxiliary: {} } as const;
    const view = aView({
      network: aNetwork({ driver: 'ipvlan', options: { parent: 'eth0' }, pools: [POOL4, second] }),
      endpoint: anEndpoint({ ipv4: '10.1.0.9/24' }),
    });
    expect(driverOf({ driver: 'ipvlan' }, DRIVERS).endpoint(view)).toContainEqual(
      expect.objectContaining({ kind: 'route', via: '10.1.0.1' }),
    );
  });
});

describe('what both refuse', () => {
  const text = (driver: string, options: Options): string =>
    refusal(() => void driverOf({ driver }, DRIVERS).gateways({ options, internal: false }));
  it('modes, flags, parents and sizes that cannot be', () => {
    expect(text('macvlan', { macvlan_mode: 'x' })).toBe(
      "invalid: requested macvlan mode 'x' is not valid, 'bridge' mode is the macvlan driver default",
    );
    expect(text('ipvlan', { ipvlan_mode: 'x' })).toBe(
      "invalid: requested ipvlan mode 'x' is not valid, 'l2' mode is the ipvlan driver default",
    );
    expect(text('ipvlan', { ipvlan_flag: 'x' })).toBe(
      "invalid: requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default",
    );
    for (const driver of ['macvlan', 'ipvlan']) {
      expect(text(driver, { parent: 'lo' })).toBe(
        `invalid: loopback interface is not a valid ${driver} parent link`,
      );
      expect(text(driver, { parent: '../x' })).toBe('invalid: invalid parent interface name: ../x');
      expect(text(driver, { 'com.docker.network.driver.mtu': '-1' })).toBe('invalid: invalid MTU number: -1');
      expect(validated(driver, { 'com.docker.network.driver.mtu': '1000' })).toBe(
        'invalid: invalid MTU number: 1000: IPv6 needs at least 1280',
      );
      expect(text(driver, { unknown: 'x', parent: 'eth0' })).toBe('');
    }
  });

  it('knows what to say where a parent is not there and its name says not how to make it', () => {
    const said = (parent: string): string | undefined =>
      DRIVERS.get('macvlan')
        ?.shared?.([network('macvlan', { parent })], HOST)
        .flatMap((o) => (o.kind === 'foreign' ? [o.missing] : []))[0];
    expect(said('eth7')).toBe('the requested parent interface eth7 was not found on the Docker host');
    expect(said('a.b.7')).toBe(
      'required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received a.b.7',
    );
    expect(said('eth0.x')).toBe('unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)');
    expect(said('eth0.4095')).toBe('vlan id must be between 1-4094, received: 4095');
    expect(said('eth0.0')).toBe('vlan id must be between 1-4094, received: 0');
    expect(said('eth0.4094')).toBeUndefined();
  });
});
