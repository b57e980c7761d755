/** Networks as they were asked for: what others' tests expect of create, connect, disconnect and inspect. */
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST } from '../support/world.js';

const d = daemonForThisFile({
  flags: ['--default-network-opt', 'bridge=com.docker.network.enable_ipv4=false'],
});
const { inspect, addressOf, sleeper, inside, refusal, gatewayOf } = phrasesFor(d);

const SLEEP = { Image: 'alpine', Cmd: ['sleep', '600'] };
const networksOf = async (name: string): Promise<readonly string[]> =>
  Object.keys(JSON.parse(await inspect('{{json .NetworkSettings.Networks}}', name)));
const make = (name: string, ...flags: string[]) => d.docker('network', 'create', '--ipv4', ...flags, name);

describe('what a container is on', () => {
  test('C3 M9: networks named by EndpointsConfig alone are all that it is on', async () => {
    await make('n1');
    await make('n2');
    for (const HostConfig of [{}, { NetworkMode: 'default' }, { NetworkMode: 'bridge' }]) {
      const NetworkingConfig = { EndpointsConfig: { n1: {}, n2: {} } };
      const made = await d.api('POST', '/v1.52/containers/create?name=cc', {
        ...SLEEP,
        HostConfig,
        NetworkingConfig,
      });
      expect(made.status).toBe(201);
      await d.docker('start', 'cc');
      expect(await networksOf('cc')).toEqual(['n1', 'n2']);
      expect(await inside('cc', 'ls /sys/class/net')).toBe('eth0\neth1\nlo');
      await d.docker('rm', '-f', 'cc');
    }
  });

  test('C8: a MAC address given at connect is kept for the start of a container that does not run', async () => {
    await make('n');
    await d.docker('create', '--name', 'cc', 'alpine', 'sleep', '600');
    const MacAddress = '02:42:ac:11:00:77';
    await d.api('POST', '/v1.45/networks/n/connect', { Container: 'cc', EndpointConfig: { MacAddress } });
    const mac = () => inspect('{{.NetworkSettings.Networks.n.MacAddress}}', 'cc');
    expect(await mac()).toBe(MacAddress);
    await d.docker('start', 'cc');
    expect(await mac()).toBe(MacAddress);
    expect(await inside('cc', 'cat /sys/class/net/eth1/address')).toBe(MacAddress);
  });

  test('M12: a chain of containers in one network namespace', async () => {
    await sleeper('aa', '--hostname', 'first');
    await sleeper('bb', '--network', 'container:aa');
    await sleeper('cc', '--network', 'container:bb');
    expect(await inside('cc', 'ip -o -4 addr show eth0; hostname; cat /etc/hosts')).toBe(
      await inside('aa', 'ip -o -4 addr show eth0; hostname; cat /etc/hosts'),
    );
    const own = await d.docker.try(['run', '--name', 'xx', '--network', 'container:xx', 'alpine', 'true']);
    expect(own.stderr).toMatch(/cannot join own network/);
  });

  test('M13: disconnect where the network is gone', async () => {
    await make('gone');
    await sleeper('cc', '--network', 'gone');
    await d.docker('stop', 'cc');
    await d.docker('network', 'rm', 'gone');
    await d.docker('network', 'disconnect', '-f', 'gone', 'cc');
    expect(await networksOf('cc')).toEqual([]);
    await d.docker('start', 'cc');
    expect((await d.docker.try(['network', 'disconnect', '-f', 'gone', 'cc'])).stderr).toMatch(
      /is not connected/,
    );
  });

  test('M14: none stays alone', async () => {
    await make('n');
    await sleeper('cc', '--network', 'none');
    const refused = await d.docker.try(['network', 'connect', 'n', 'cc']);
    expect(refused.stderr).toContain(
      'container cannot be connected to multiple networks with one of the networks in private (none) mode',
    );
    await d.docker('network', 'disconnect', 'none', 'cc');
    await d.docker('network', 'connect', 'n', 'cc');
    expect(await networksOf('cc')).toEqual(['n']);
  });
});

describe('addresses', () => {
  test('F11: the address that a stopped container names is given to others last, and the error names the holder', async () => {
    await make('st', '--subnet', '10.60.0.0/29');
    await sleeper('aa', '--network', 'st', '--ip', '10.60.0.2');
    await d.docker('stop', 'aa');
    await d.docker('create', '--name', 'later', '--network', 'st', '--ip', '10.60.0.4', 'alpine', 'true');
    for (const [name, address] of [
      ['bb', '10.60.0.3'],
      ['cc', '10.60.0.5'],
      ['ee', '10.60.0.6'],
      ['ff', '10.60.0.2'],
    ] as const) {
      await sleeper(name, '--network', 'st');
      expect(await addressOf(name, 'st')).toBe(address);
    }
    const refused = await d.docker.try(['start', 'aa']);
    expect(refused.stderr).toContain('Address already in use: 10.60.0.2 is that of container ff');
  });

  test('F10: a subnet that is the host’s own is warned of, in the answer and in the log', async () => {
    const { json } = await d.api('POST', '/v1.52/networks/create', {
      Name: 'brick',
      EnableIPv4: true,
      IPAM: { Config: [{ Subnet: '192.0.2.128/25' }] },
    });
    expect(json).toMatchObject({
      Warning: expect.stringContaining('192.0.2.128/25 of network brick overlaps'),
    });
    await until('the log tells it', () => d.log().includes('192.0.2.128/25 of network brick overlaps'));
    expect(await d.host(`ip -o -4 addr show eth0`)).toContain(HOST.ipv4);
  });

  test('N: an address to leave with that the host does not have is warned of, also when it goes later', async () => {
    await d.host('ip addr add 198.51.100.7/24 dev eth0');
    const create = (name: string, address: string) =>
      d.api('POST', '/v1.52/networks/create', {
        Name: name,
        EnableIPv4: true,
        Options: { 'com.docker.network.host_ipv4': address },
      });
    expect((await create('has', '198.51.100.7')).json).toMatchObject({ Warning: '' });
    const lacks = 'network lacks leaves with 198.51.100.8, which this host does not have';
    expect((await create('lacks', '198.51.100.8')).json).toMatchObject({
      Warning: expect.stringContaining(lacks),
    });
    await until('the log tells it too', () => d.log().includes(lacks));
    expect(d.log()).not.toContain('network has leaves with');
    const six = await d.api('POST', '/v1.52/networks/create', {
      Name: 'six',
      EnableIPv6: true,
      Options: { 'com.docker.network.host_ipv6': '2001:db8:ffff::9' },
    });
    expect(six.json).toMatchObject({ Warning: expect.stringContaining('leaves with 2001:db8:ffff::9') });
    await d.host('ip addr del 198.51.100.7/24 dev eth0');
    await until('the loss is told of', () =>
      d.log().includes('network has leaves with 198.51.100.7, which this host does not have'),
    );
  });

  test('M17: inspect tells from API 1.52 on how many addresses are in use', async () => {
    await make('n', '--subnet', '10.61.0.0/28', '--ip-range', '10.61.0.8/29');
    await sleeper('cc', '--network', 'n');
    const { json } = await d.api('GET', '/v1.52/networks/n');
    expect(json).toMatchObject({
      // network, gateway, broadcast and the container; three of them are in the range
      Status: { IPAM: { Subnets: { '10.61.0.0/28': { IPsInUse: 4, DynamicIPsAvailable: 5 } } } },
    });
    expect((await d.api('GET', '/v1.51/networks/n')).json).not.toHaveProperty('Status');
  });

  test('N2: inspect finds a network only in the scope that is asked for', async () => {
    await make('n');
    const asked = async (name: string, scope: string) =>
      (await d.api('GET', `/v1.52/networks/${name}?scope=${scope}`)).status;
    for (const name of ['n', 'bridge', 'host']) {
      expect([await asked(name, ''), await asked(name, 'local')], name).toEqual([200, 200]);
      expect([await asked(name, 'global'), await asked(name, 'swarm')], name).toEqual([404, 404]);
    }
    expect((await refusal('GET', '/networks/n?scope=swarm')).message).toBe('network n not found');
  });

  test('M20 M23: addresses that are none, link-local ones that are none, and a family that the network lacks', async () => {
    await make('n');
    const asked = async (...flags: string[]) =>
      (await d.docker.try(['run', '--rm', '--network', 'n', ...flags, 'alpine', 'true'])).stderr;
    expect(await asked('--link-local-ip', '169.253.5.5')).toContain(
      'invalid link local IP address: 169.253.5.5',
    );
    expect(await asked('--ip6', '2001:db8:1234::9988')).toContain(
      'no configured subnet contains IP address 2001:db8:1234::9988',
    );
    const NetworkingConfig = { EndpointsConfig: { n: { IPAMConfig: { IPv4Address: 'mynet_ip' } } } };
    expect(await refusal('POST', '/containers/create', { ...SLEEP, NetworkingConfig })).toEqual({
      status: 400,
      message: 'invalid JSON: ParseAddr("mynet_ip"): unable to parse IP',
    });
  });
});

describe('what cannot be is said in the words that others look for', () => {
  test('M23: a default route that is taken, an interface name that is taken', async () => {
    await make('inner', '--internal');
    await make('outer');
    await sleeper('cc', '--network', 'inner', '--cap-add', 'NET_ADMIN');
    await inside('cc', `ip route add default via ${await gatewayOf('inner')}`);
    const route = await d.docker.try(['network', 'connect', 'outer', 'cc']);
    expect(route.stderr).toContain('failed to set gateway: file exists');
    expect(await networksOf('cc')).toEqual(['inner']);
    expect(await inside('cc', 'ls /sys/class/net')).toBe('eth0\nlo');
    await inside('cc', 'ip route del default');
    const ifname = 'com.docker.network.endpoint.ifname=eth0';
    const name = await d.docker.try(['network', 'connect', '--driver-opt', ifname, 'outer', 'cc']);
    expect(name.stderr).toMatch(/error renaming interface .*file exists/);
    await d.docker('network', 'connect', 'outer', 'cc');
  });

  test('M9: a network whose interface the container took down is no reason not to leave another', async () => {
    await make('n1');
    await make('n2');
    await sleeper('cc', '--network', 'name=n1,gw-priority=1', '--network', 'n2', '--cap-add', 'NET_ADMIN');
    await inside('cc', 'ip link set eth1 down');
    await d.docker('network', 'disconnect', 'n1', 'cc');
    await d.docker('network', 'connect', 'n1', 'cc');
    await d.docker('restart', '-t', '0', 'cc');
    expect(await networksOf('cc')).toEqual(['n1', 'n2']);
    expect(await inside('cc', 'ip route show default')).toContain('default via');
  });

  test('M21: default options that a network overrides do not stand beside it', async () => {
    const create = async (name: string, more: object) => {
      await d.api('POST', '/v1.52/networks/create', { Name: name, EnableIPv6: true, ...more });
      return (await d.api('GET', `/v1.52/networks/${name}`)).json;
    };
    const option = 'com.docker.network.enable_ipv4';
    expect(await create('aa', {})).toMatchObject({ EnableIPv4: false, Options: { [option]: 'false' } });
    const overridden = await create('bb', { EnableIPv4: true });
    expect(overridden).toMatchObject({ EnableIPv4: true });
    expect(overridden).not.toHaveProperty(['Options', option]);
  });

  test('M22: macvlan without addresses', async () => {
    await d.docker('network', 'create', '-d', 'macvlan', '-o', 'parent=eth0', '--ipv4=false', 'wire');
    await sleeper('cc', '--network', 'wire');
    expect(await inside('cc', 'ip -o addr show eth0')).toBe('');
    expect(await inspect('{{.NetworkSettings.Networks.wire.MacAddress}}', 'cc')).toBe(
      await inside('cc', 'cat /sys/class/net/eth0/address'),
    );
    const bridge = await d.docker.try(['network', 'create', '--ipv4=false', 'xx']);
    expect(bridge.stderr).toContain('IPv4 or IPv6 must be enabled');
  });

  test('M24: fields of info by API version', async () => {
    const { json: old } = await d.api('GET', '/v1.48/info');
    expect(old).toMatchObject({ BridgeNfIptables: false, BridgeNfIp6tables: false });
    expect(old).not.toHaveProperty('FirewallBackend');
    const { json: now } = await d.api('GET', '/v1.50/info');
    expect(now).toMatchObject({ FirewallBackend: { Driver: 'nftables' } });
    expect(now).not.toHaveProperty('BridgeNfIptables');
  });
});
