/** Networks as users list, make, inspect, join, leave and remove them. */
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile();
const { inspect, subnetOf, gatewayOf, addressOf, sleeper, ping, inside, refusal } = phrasesFor(d);

describe('N1 the three predefined networks', () => {
  test('N1 network ls lists bridge, host and none with driver and scope', async () => {
    const listed = await d.docker('network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}');
    expect(listed.split('\n').sort()).toEqual(['bridge bridge local', 'host host local', 'none null local']);
  });
  test.each(['bridge', 'host', 'none'])('N1 %s can be neither removed nor made', async (name) => {
    const removed = await d.docker.try(['network', 'rm', name]);
    expect(removed.code).not.toBe(0);
    expect(removed.stderr).toContain(`${name} is a pre-defined network and cannot be removed`);
    expect((await refusal('DELETE', `/networks/${name}`)).status).toBe(403);
    expect((await refusal('POST', '/networks/create', { Name: name })).status).toBe(403);
  });
});

describe('N2 create, list, inspect, remove', () => {
  test('N2 create prints a 64-digit id; the default driver is bridge', async () => {
    const id = await d.docker('network', 'create', 'mynetwork');
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const row = '{{.ID}} {{.Driver}} {{.Scope}}';
    expect(await d.docker('network', 'ls', '--filter', 'name=mynetwork', '--format', row)).toBe(
      `${id.slice(0, 12)} bridge local`,
    );
    expect(await inspect('{{.Driver}} {{.Id}}', 'mynetwork')).toBe(`bridge ${id}`);
    expect(await inspect('{{.Name}}', id.slice(0, 12))).toBe('mynetwork');
  });
  test('N2 two networks take subnets that do not overlap, and bridges of their own', async () => {
    const subnets = new Set<string>();
    for (const name of ['one', 'two']) {
      const id = await d.docker('network', 'create', name);
      const gateway = await gatewayOf(name);
      expect(gateway).toMatch(/^172\.(1[89]|2\d|3[01])\.0\.1$/);
      subnets.add(await subnetOf(name));
      expect(await d.host(`ip -4 -o addr show br-${id.slice(0, 12)}`)).toContain(`${gateway}/16`);
    }
    expect(subnets.size).toBe(2);
  });
  test('N2 inspect shows the containers with endpoint, MAC and addresses', async () => {
    await d.docker('network', 'create', 'mynetwork');
    const id = await sleeper('c1', '--network', 'mynetwork');
    const [network] = JSON.parse(await d.docker('network', 'inspect', 'mynetwork'));
    expect(network.Containers[id]).toEqual({
      Name: 'c1',
      EndpointID: expect.stringMatching(/^[0-9a-f]{64}$/),
      MacAddress: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
      IPv4Address: `${await addressOf('c1', 'mynetwork')}/16`,
      IPv6Address: '',
    });
    expect(await inside('c1', 'cat /sys/class/net/eth0/address')).toBe(network.Containers[id].MacAddress);
  });
  test('N2 filters by driver, id, label, name, type and dangling', async () => {
    const a = await d.docker('network', 'create', '--label', 'tier=front', 'alpha');
    await d.docker('network', 'create', '--label', 'tier=back', 'beta');
    await sleeper('c1', '--network', 'beta');
    const names = async (filter: string) =>
      (await d.docker('network', 'ls', '--format', '{{.Name}}', '--filter', filter)).split('\n').sort();
    expect(await names('driver=bridge')).toEqual(['alpha', 'beta', 'bridge']);
    expect(await names('driver=null')).toEqual(['none']);
    expect(await names(`id=${a.slice(0, 20)}`)).toEqual(['alpha']);
    expect(await names('label=tier')).toEqual(['alpha', 'beta']);
    expect(await names('label=tier=back')).toEqual(['beta']);
    expect(await names('name=lph')).toEqual(['alpha']);
    expect(await names('type=custom')).toEqual(['alpha', 'beta']);
    expect(await names('type=builtin')).toEqual(['bridge', 'host', 'none']);
    expect(await names('dangling=true')).toEqual(['alpha']);
    expect(await names('scope=local')).toEqual(['alpha', 'beta', 'bridge', 'host', 'none']);
  });
  test('N2 rm takes bridge and route away; a network in use stays', async () => {
    const id = await d.docker('network', 'create', 'mynetwork');
    const [gateway, subnet] = [await gatewayOf('mynetwork'), await subnetOf('mynetwork')];
    await sleeper('c1', '--network', 'mynetwork');
    const refused = await d.docker.try(['network', 'rm', 'mynetwork']);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('has active endpoints');
    expect((await refusal('DELETE', '/networks/mynetwork')).status).toBe(403);
    expect((await ping('c1', gateway)).code).toBe(0);
    await d.docker('rm', '-f', 'c1');
    expect(await d.host('ip route')).toContain(subnet);
    expect(await d.docker('network', 'rm', 'mynetwork')).toBe('mynetwork');
    await until(
      'the bridge is gone',
      async () => !(await d.host('ip -o link')).includes(`br-${id.slice(0, 12)}`),
    );
    expect(await d.host('ip route')).not.toContain(subnet);
    expect((await d.docker.try(['network', 'inspect', 'mynetwork'])).code).toBe(1);
    expect(await refusal('GET', '/networks/mynetwork')).toEqual({
      status: 404,
      message: 'network mynetwork not found',
    });
  });
  test('N2 a second network of the same name is a conflict', async () => {
    await d.docker('network', 'create', 'mynetwork');
    expect(await refusal('POST', '/networks/create', { Name: 'mynetwork', CheckDuplicate: true })).toEqual({
      status: 409,
      message: 'network with name mynetwork already exists',
    });
  });
});

describe('N3 what can be said about a network', () => {
  test('N3 subnet, range, gateway, auxiliary addresses', async () => {
    const addressing = [
      '--subnet',
      '10.77.0.0/24',
      '--ip-range',
      '10.77.0.128/25',
      '--gateway',
      '10.77.0.254',
    ];
    await d.docker('network', 'create', ...addressing, '--aux-address', 'router=10.77.0.128', 'mynetwork');
    expect(JSON.parse(await inspect('{{json (index .IPAM.Config 0)}}', 'mynetwork'))).toEqual({
      Subnet: '10.77.0.0/24',
      IPRange: '10.77.0.128/25',
      Gateway: '10.77.0.254',
      AuxiliaryAddresses: { router: '10.77.0.128' },
    });
    await sleeper('c1', '--network', 'mynetwork');
    expect(await addressOf('c1', 'mynetwork')).toBe('10.77.0.129');
    expect(await inside('c1', 'ip route')).toContain('default via 10.77.0.254');
  });
  test('N3 IPv6 beside IPv4', async () => {
    await d.docker('network', 'create', '--ipv6', '--subnet', 'fd00:77::/64', 'six');
    for (const name of ['c1', 'c2']) await sleeper(name, '--network', 'six');
    const address = await inspect('{{.NetworkSettings.Networks.six.GlobalIPv6Address}}', 'c2');
    expect(address).toBe('fd00:77::3');
    await until('the address answers', async () => (await ping('c1', address)).code === 0);
    expect(await inside('c1', 'ip -6 route')).toContain('default via fd00:77::1');
  });
  test('N3 labels and options are kept', async () => {
    const option = 'com.docker.network.bridge.name=br-mine';
    await d.docker('network', 'create', '--label', 'a=b', '-o', option, 'mynetwork');
    expect(await inspect('{{json .Labels}} {{json .Options}}', 'mynetwork')).toBe(
      '{"a":"b"} {"com.docker.network.bridge.name":"br-mine"}',
    );
    expect(await d.host('ip -o -4 addr show br-mine')).toContain(await gatewayOf('mynetwork'));
  });
  test('N3 an internal network has no way out', async () => {
    await d.docker('network', 'create', '--internal', 'internal');
    for (const name of ['c1', 'c2']) await sleeper(name, '--network', 'internal', '--cap-add', 'NET_ADMIN');
    expect((await ping('c1', 'c2')).code).toBe(0);
    await inside('c1', `ip route replace default via ${await gatewayOf('internal')}`);
    expect((await ping('c1', '198.51.100.1')).code).not.toBe(0);
  });
  test('N3 config-only and config-from', async () => {
    await d.docker('network', 'create', '--config-only', '--subnet', '10.78.0.0/24', 'template');
    await d.docker('network', 'create', '--config-from', 'template', 'real');
    expect(await inspect('{{(index .IPAM.Config 0).Subnet}} {{.ConfigFrom.Network}}', 'real')).toBe(
      '10.78.0.0/24 template',
    );
    expect((await d.docker.try(['run', '--rm', '--network', 'template', 'alpine', 'true'])).code).toBe(125);
    await d.docker('network', 'rm', 'real'); // before its template
  });
});

describe('N4 connect and disconnect a running container', () => {
  test('N4 an interface appears and leaves, names follow at once', async () => {
    for (const name of ['front', 'back']) await d.docker('network', 'create', name);
    await sleeper('web', '--network', 'front');
    await sleeper('db', '--network', 'back');
    expect((await ping('web', 'db')).code).not.toBe(0);

    await d.docker('network', 'connect', 'back', 'web');
    expect(await inside('web', 'ip -4 -o addr show eth1')).toContain(`${await addressOf('web', 'back')}/16`);
    expect((await ping('web', 'db')).code).toBe(0);
    expect((await ping('db', 'web')).code).toBe(0);
    expect(
      Object.keys(JSON.parse(await inspect('{{json .NetworkSettings.Networks}}', 'web'))).sort(),
    ).toEqual(['back', 'front']);

    await d.docker('network', 'disconnect', 'back', 'web');
    expect(await inside('web', 'ls /sys/class/net')).toBe('eth0\nlo');
    expect((await ping('web', 'db')).code).not.toBe(0);
    expect(await inspect('{{len .Containers}}', 'back')).toBe('1');
  });
  test('N4 a container on two networks reaches both, one that is not reaches neither by address', async () => {
    for (const name of ['front', 'back']) await d.docker('network', 'create', name);
    await sleeper('front1', '--network', 'front');
    await sleeper('back1', '--network', 'back');
    await sleeper('both', '--network', 'front');
    await d.docker('network', 'connect', 'back', 'both');
    expect((await ping('both', 'front1')).code).toBe(0);
    expect((await ping('both', 'back1')).code).toBe(0);
    expect((await ping('front1', await addressOf('back1', 'back'))).code).not.toBe(0);
    expect((await ping('back1', await addressOf('front1', 'front'))).code).not.toBe(0);
  });
  test('N4 the default gateway moves when its network is left', async () => {
    for (const name of ['first', 'second']) await d.docker('network', 'create', name);
    await sleeper('c1', '--network', 'first');
    await d.docker('network', 'connect', 'second', 'c1');
    const route = () => inside('c1', 'ip route');
    expect(await route()).toContain(`default via ${await gatewayOf('first')}`);
    await d.docker('network', 'disconnect', 'first', 'c1');
    expect(await route()).toContain(`default via ${await gatewayOf('second')}`);
    expect((await ping('c1', '198.51.100.1')).code).toBe(0);
  });
  test('N4 a container that is not started can be connected; what is not connected cannot be disconnected', async () => {
    await d.docker('network', 'create', '--subnet', '10.80.0.0/24', 'later');
    await d.docker('create', '--name', 'c1', 'alpine', 'sleep', '600');
    await d.docker('network', 'connect', '--ip', '10.80.0.77', 'later', 'c1');
    await d.docker('start', 'c1');
    expect(await addressOf('c1', 'later')).toBe('10.80.0.77');
    await d.docker('network', 'create', 'never');
    const refused = await d.docker.try(['network', 'disconnect', 'never', 'c1']);
    expect(refused.stderr).toContain('is not connected to');
    expect(d.log()).not.toContain('is not connected to');
  });
});

describe('N5 prune', () => {
  test('N5 removes what no container uses, with bridge, route and rules', async () => {
    const used = await d.docker('network', 'create', 'used');
    const unused = await d.docker('network', 'create', 'unused');
    const prefix = (await subnetOf('unused')).replace(/\.0\.0\/\d+$/, '.');
    await sleeper('c1', '--network', 'used');
    expect((await d.docker('network', 'prune', '-f')).trim()).toBe('Deleted Networks:\nunused');
    const bridge = `br-${unused.slice(0, 12)}`;
    await until('the bridge is gone', async () => !(await d.host('ip -o link')).includes(bridge));
    expect(await d.host('ip -o link')).toContain(`br-${used.slice(0, 12)}`);
    expect(await d.host('ip route')).not.toContain(prefix);
    const rules = await d.host('nft list ruleset');
    expect(rules).not.toContain(prefix);
    expect(rules).not.toContain(bridge);
  });
  test('N5 by label and age', async () => {
    await d.docker('network', 'create', '--label', 'keep', 'kept');
    await d.docker('network', 'create', 'old');
    expect(await d.docker('network', 'prune', '-f', '--filter', 'until=1h')).not.toContain('old');
    expect(await d.docker('network', 'prune', '-f', '--filter', 'label!=keep')).toContain('old');
    expect(await d.docker('network', 'ls', '-q', '--filter', 'name=kept')).not.toBe('');
  });
});

describe('N6 addresses', () => {
  test('N6 none is given twice, reserved ones never, and a full network says so', async () => {
    await d.docker('network', 'create', '--subnet', '10.79.0.0/29', '--aux-address', 'a=10.79.0.3', 'small');
    const names = ['c1', 'c2', 'c3', 'c4'];
    for (const name of names) await sleeper(name, '--network', 'small');
    const addresses = await inspect('{{.NetworkSettings.Networks.small.IPAddress}}', ...names);
    expect(addresses.split('\n').sort()).toEqual(['10.79.0.2', '10.79.0.4', '10.79.0.5', '10.79.0.6']);
    const fifth = await d.docker.try(['run', '--rm', '--network', 'small', 'alpine', 'true']);
    expect(fifth.code).toBe(125);
    expect(fifth.stderr).toMatch(/no available IPv4 addresses/i);
  });
});
