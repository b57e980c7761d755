import { describe, expect, it } from 'vitest';
import { bridge } from '../../src/drivers/bridge/index.js';
import { bridgeSettings } from '../../src/drivers/bridge/settings.js';
import { checkEndpointOptions } from '../../src/drivers/endpoint-options.js';
import { DRIVERS, driverOf } from '../../src/drivers/index.js';
import type { AdoptedBridge, Network } from '../../src/model/network.js';
import { aNetwork, anEndpoint, aView, HOST, POOL4, POOL6 } from '../support/views.js';

const B = 'com.docker.network.bridge';
const N = 'com.docker.network';
const validate = (network: Network, others: readonly Network[] = []): void =>
  bridge.validate(network, others, HOST);
const options = (label: string, value: string): Network => aNetwork({ options: { [label]: value } });

describe('bridge options that cannot be', () => {
  it.each([
    [
      `${N}.driver.mtu`,
      'junk',
      'failed to parse com.docker.network.driver.mtu value: junk (strconv.Atoi: parsing "junk": invalid syntax)',
    ],
    [
      `${N}.driver.mtu`,
      '0x50',
      'failed to parse com.docker.network.driver.mtu value: 0x50 (strconv.Atoi: parsing "0x50": invalid syntax)',
    ],
    [`${N}.driver.mtu`, '-1', 'invalid MTU number: -1'],
    [`${N}.driver.mtu`, '65536', 'invalid MTU number: 65536'],
    [
      `${B}.gateway_mode_ipv4`,
      'natt',
      'failed to parse com.docker.network.bridge.gateway_mode_ipv4 value: natt (unknown gateway mode natt)',
    ],
    [
      `${B}.enable_icc`,
      'yes',
      'failed to parse com.docker.network.bridge.enable_icc value: yes (strconv.ParseBool: parsing "yes": invalid syntax)',
    ],
    [
      'viaduct.fastpath',
      'perhaps',
      'failed to parse viaduct.fastpath value: perhaps (true, false or always is understood)',
    ],
    [
      `${B}.host_binding_ipv4`,
      '010.0.0.1',
      'failed to parse com.docker.network.bridge.host_binding_ipv4 value: 010.0.0.1 (nil ip)',
    ],
    [
      `${N}.host_ipv6`,
      '10.0.0.1',
      'failed to parse com.docker.network.host_ipv6 value: 10.0.0.1 (not an IPv6 address)',
    ],
    [
      `${B}.name`,
      'a/b',
      'failed to parse com.docker.network.bridge.name value: a/b (invalid interface name)',
    ],
    [
      `${B}.name`,
      'sixteen-bytes-xx',
      'failed to parse com.docker.network.bridge.name value: sixteen-bytes-xx (invalid interface name)',
    ],
    [
      `${B}.gateway_mode_ipv4`,
      'isolated',
      "gateway mode 'isolated' can only be used for an internal network",
    ],
    [`${N}.advertise_addr_nmsgs`, '4', 'com.docker.network.advertise_addr_nmsgs must be in the range 0 to 3'],
    [
      `${N}.advertise_addr_nmsgs`,
      'nonsense',
      'value for option com.docker.network.advertise_addr_nmsgs "nonsense" must be an integer',
    ],
    [`${N}.advertise_addr_ms`, '99', 'com.docker.network.advertise_addr_ms must be in the range 100 to 2000'],
    [
      `${N}.advertise_addr_ms`,
      'nonsense',
      'value for option com.docker.network.advertise_addr_ms "nonsense" must be integer milliseconds',
    ],
  ])('%s=%s', (label, value, message) => {
    const network = options(label, value);
    expect(() => validate(network)).toThrow(expect.objectContaining({ kind: 'invalid', message }));
    expect(() => bridge.gateways(network)).toThrow(message);
  });

  it.each([
    ['no family', { ipv4: false }, 'invalid', 'IPv4 or IPv6 must be enabled'],
    [
      'two IPv4 subnets',
      { pools: [POOL4, { ...POOL4, subnet: '10.0.0.0/8' }] },
      'forbidden',
      "bridge driver doesn't support multiple subnets",
    ],
    ['no pool', { pools: [] }, 'invalid', 'ipv4 pool is empty'],
    [
      'multicast',
      { ipv6: true, pools: [POOL4, { ...POOL6, subnet: 'ff00::/64' }] },
      'invalid',
      "multicast subnet 'ff00::/64' is not allowed",
    ],
    [
      'link-local',
      { ipv6: true, pools: [POOL4, { ...POOL6, subnet: 'fe80::/80' }] },
      'invalid',
      "'fe80::/80' clashes with the Link-Local prefix 'fe80::/64'",
    ],
    [
      'IPv6 in a small MTU',
      { ipv6: true, options: { [`${N}.driver.mtu`]: '1000' } },
      'invalid',
      'invalid MTU number: 1000: IPv6 needs at least 1280',
    ],
    [
      'default gateway outside',
      { pools: [{ ...POOL4, auxiliary: { DefaultGatewayIPv4: '10.0.0.1' } }] },
      'invalid',
      'default gateway ip must be part of the network',
    ],
  ])('%s', (_, changes, kind, message) => {
    expect(() => validate(aNetwork(changes))).toThrow(expect.objectContaining({ kind, message }));
  });

  it('conflict with a network of the same bridge or addresses', () => {
    const named = { [`${B}.name`]: 'mybr' };
    const network = aNetwork({ options: named });
    const other = aNetwork({ id: 'bb', options: named, pools: [{ ...POOL4, subnet: '10.0.0.0/24' }] });
    expect(() => validate(network, [other])).toThrow(
      expect.objectContaining({
        kind: 'forbidden',
        message: expect.stringMatching(/: networks have same bridge name$/),
      }),
    );
    expect(() => validate(network, [aNetwork({ id: 'bb' })])).toThrow(/: networks have overlapping IPv4$/);
    expect(() => validate(network, [{ ...other, driver: 'macvlan' }])).not.toThrow();
    expect(() => validate(network, [network])).not.toThrow();
  });
});

describe('a bridge network', () => {
  it('needs no gateway address where nobody would answer on it', () => {
    const gateways = (changes: Record<string, string>, internal = false): unknown =>
      bridge.gateways({ options: changes, internal });
    expect(gateways({})).toEqual({ ipv4: true, ipv6: true });
    expect(gateways({ [`${B}.inhibit_ipv4`]: 'true' })).toEqual({ ipv4: true, ipv6: true });
    expect(gateways({ [`${B}.inhibit_ipv4`]: 'true' }, true)).toEqual({ ipv4: false, ipv6: true });
    expect(gateways({ [`${B}.gateway_mode_ipv6`]: 'isolated' }, true)).toEqual({ ipv4: true, ipv6: false });
  });

  it('N8 M3 F5: on a bridge that was there, only what it lacks is ours', () => {
    const options = { [`${B}.name`]: 'lan0' };
    const kinds = (adopted: AdoptedBridge | undefined, ipv6 = false): unknown[] =>
      bridge
        .network({ network: aNetwork({ options, ipv6, ...(adopted ? { adopted } : {}) }), host: HOST })
        .filter((o) => ['link', 'address', 'sysctl'].includes(o.kind));
    const strange = (adopted?: AdoptedBridge): boolean =>
      bridge
        .network({ network: aNetwork({ options, ...(adopted ? { adopted } : {}) }), host: HOST })
        .some((o) => o.kind === 'element' && o.set === 'foreign_bridges');
    expect([strange(), strange({ addresses: [], mtu: 1500, routeLocalnet: true })]).toEqual([false, true]);
    const link = { kind: 'link', name: 'lan0' };
    expect(kinds(undefined)[0]).toMatchObject({ ...link, owned: true });
    const route = { kind: 'sysctl', path: 'net/ipv4/conf/lan0/route_localnet', value: '1', restore: '0' };
    const bareBridge = { addresses: [], mtu: 9000, routeLocalnet: false };
    expect(kinds(bareBridge)).toMatchObject([
      { ...link, owned: false, mtu: 9000 },
      route,
      { kind: 'address', address: '172.18.0.1/16' },
    ]);
    const addresses = ['172.18.0.1/16', 'fd00:1::1/48', 'fe80::1/64'];
    expect(kinds({ addresses, mtu: 1500, routeLocalnet: true }, true)).toMatchObject([
      { ...link, owned: false },
    ]);
    // Another subnet of the same address is another address of IPv4's.
    expect(kinds({ addresses: ['172.18.0.1/24'], mtu: 1500, routeLocalnet: true })).toMatchObject([
      link,
      { kind: 'address', address: '172.18.0.1/16' },
    ]);
  });

  it('keeps containers on docker_gwbridge apart by their ports, others and linked ones by a look at each frame', () => {
    const kept = (name: string, changes: Parameters<typeof anEndpoint>[0] = {}, adopted = false): unknown => {
      const options = { [`${B}.enable_icc`]: 'false' };
      const was = { adopted: { addresses: [], mtu: 1500, routeLocalnet: false } };
      const network = aNetwork({ name, options, ...(adopted ? was : {}) });
      const objects = bridge.endpoint(aView({ network, endpoint: anEndpoint(changes) }));
      const port = objects.find((o) => o.kind === 'link' && o.type === 'veth');
      return {
        isolated: port && 'isolated' in port && port.isolated,
        looks: objects.some((o) => o.kind === 'element' && o.set === 'icc_off'),
      };
    };
    expect(kept('docker_gwbridge')).toEqual({ isolated: true, looks: false });
    const looks = { isolated: false, looks: true };
    expect(kept('docker_gwbridge', {}, true)).toEqual(looks);
    expect(kept('mine')).toEqual(looks);
    const linkedTo = [{ address: '172.18.0.3', protocol: 'tcp' as const, port: 80 }];
    expect(kept('docker_gwbridge', { linkedTo })).toEqual(looks);
  });
  it('takes --icc and --mtu of the daemon, the first for the default bridge only', () => {
    const host = { ...HOST, icc: false, mtu: 1400 };
    const icc = (options: Record<string, string>): boolean => bridgeSettings(aNetwork({ options }), host).icc;
    expect(icc({})).toBe(true);
    expect(icc({ [`${B}.default_bridge`]: 'true' })).toBe(false);
    expect(icc({ [`${B}.default_bridge`]: 'true', [`${B}.enable_icc`]: 'true' })).toBe(true);
    expect(bridge.network({ network: aNetwork(), host })[0]).toMatchObject({ mtu: 1400 });
  });
});

describe('a bridge endpoint', () => {
  it('has its user’s sysctls instead of ours', () => {
    const driverOptions = {
      [`${N}.endpoint.sysctls`]: 'net.ipv6.conf.IFNAME.accept_ra=2,net.ipv4.conf.ifname.log_martians=1',
    };
    const endpoint = anEndpoint({ driverOptions, ipv6: 'fd00:1::2/64', ifname: 'wan0' });
    const found = bridge
      .endpoint(aView({ network: aNetwork({ ipv6: true }), endpoint }))
      .flatMap((o) => (o.kind === 'sysctl' && o.ns !== 'host' ? [`${o.path}=${o.value}`] : []));
    expect(found).toContain('net/ipv6/conf/wan0/accept_ra=2');
    expect(found).toContain('net/ipv4/conf/wan0/log_martians=1');
    expect(found).not.toContain('net/ipv6/conf/wan0/accept_ra=0');
  });

  it('leads to another default gateway where the daemon has one', () => {
    const pools = [{ ...POOL4, auxiliary: { DefaultGatewayIPv4: '172.18.0.254' } }];
    expect(bridge.endpoint(aView({ network: aNetwork({ pools }) }))).toContainEqual(
      expect.objectContaining({ kind: 'route', via: '172.18.0.254' }),
    );
  });

  it('I12: holds no port of the host in routed mode, both families together where all is published, and the relay knows where IPv6 goes without IPv6', () => {
    const binding = { protocol: 'tcp' as const, hostPort: 8080, containerPort: 80, count: 2 };
    const endpoint = anEndpoint({
      bindings: [
        { ...binding, hostIp: '0.0.0.0' },
        { ...binding, hostIp: '::' },
      ],
    });
    const ports = (network: Network): unknown[] =>
      bridge.endpoint(aView({ network, endpoint })).filter((o) => o.kind === 'hostport');
    const target = { address: '172.18.0.2', port: 80 };
    const paired = { paired: true };
    expect(ports(aNetwork())).toEqual([
      { kind: 'hostport', protocol: 'tcp', address: '0.0.0.0', port: 8080, count: 2, target, ...paired },
      { kind: 'hostport', protocol: 'tcp', address: '::', port: 8080, count: 2, target, ...paired },
    ]);
    expect(ports(options(`${B}.gateway_mode_ipv4`, 'routed'))).toHaveLength(1);
    expect(ports(aNetwork({ internal: true }))).toEqual([]);
  });
});

describe('endpoint options', () => {
  it.each([
    'net.ipv4.conf.eth0.x=1',
    'kernel.x.y.IFNAME.z=1',
    'net.ipv4.conf.IFNAME.../../x=1',
    'net.ipv4.conf.IFNAME.x',
    'net.ipv4.conf.IFNAME.a.b=1',
  ])('refuse the sysctl %s', (sysctl) => {
    expect(() => checkEndpointOptions({ [`${N}.endpoint.sysctls`]: sysctl })).toThrow(
      expect.objectContaining({
        kind: 'invalid',
        message: expect.stringContaining('unrecognised network interface sysctl'),
      }),
    );
  });

  it.each(['a b', 'a/b', 'sixteen-bytes-xx', '..', 'a\u0000'])('refuse the interface name %j', (name) => {
    expect(() => checkEndpointOptions({ [`${N}.endpoint.ifname`]: name })).toThrow(/invalid interface name/);
  });

  it('accept what is right', () => {
    expect(() => checkEndpointOptions({ [`${N}.endpoint.ifname`]: 'wan0' })).not.toThrow();
  });
});

describe('the registry', () => {
  it.each(['host', 'null'])('allows one %s network', (name) => {
    const other = aNetwork({ id: 'bb', driver: name });
    const network = aNetwork({ driver: name });
    expect(() => driverOf(network, DRIVERS).validate(network, [other], HOST)).toThrow(
      expect.objectContaining({
        kind: 'forbidden',
        message: `only one instance of "${name}" network is allowed`,
      }),
    );
  });
});
