/** What plugins are sent, word by word as by libnetwork, and what a lying one cannot do. */
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { FakePlugin } from '../support/fake-plugin.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile();
const { inspect, sleeper, addressOf, inside } = phrasesFor(d);
let plugin: FakePlugin;
beforeAll(async () => {
  plugin = new FakePlugin();
  await d.host(`mkdir -p ${d.world.base}/plugins`);
  await plugin.listen(join(d.world.base, 'plugins/fake.sock'));
});
afterAll(() => plugin.close());

const OK = ['CreateNetwork', 'DeleteNetwork', 'CreateEndpoint', 'DeleteEndpoint', 'Join', 'Leave'];
const MORE = ['ProgramExternalConnectivity', 'RevokeExternalConnectivity'];
let next = 1;
beforeEach(() => {
  next = 1;
  plugin.calls.length = 0;
  for (const method of [...OK, ...MORE]) plugin.replies[`NetworkDriver.${method}`] = {};
  for (const method of ['ReleasePool', 'ReleaseAddress']) plugin.replies[`IpamDriver.${method}`] = {};
  plugin.replies['IpamDriver.GetDefaultAddressSpaces'] = { LocalDefaultAddressSpace: 'here' };
  plugin.replies['IpamDriver.RequestPool'] = { PoolID: 'p1', Pool: '10.70.0.0/24' };
  plugin.replies['IpamDriver.RequestAddress'] = (response) => {
    response.end(JSON.stringify({ Address: `10.70.0.${next}/24` }));
    next += 1;
  };
});
const methods = (): string[] =>
  plugin.calls.map((c) => c.method).filter((m) => !/Activate|GetCapabilities/.test(m));
const body = (method: string, nth = 0): unknown => plugin.bodies(method)[nth];

test('D9 a network and a container with published ports, word by word', async () => {
  const create = ['network', 'create', '-d', 'fake', '-o', 'colour=red', '--ipv6'];
  create.push('--subnet', '10.71.0.0/24', '--aux-address', 'printer=10.71.0.9', '--subnet', 'fd71::/64');
  const network = await d.docker(...create, 'net');
  expect(body('NetworkDriver.CreateNetwork')).toEqual({
    NetworkID: network,
    Options: {
      'com.docker.network.enable_ipv4': true,
      'com.docker.network.enable_ipv6': true,
      'com.docker.network.generic': { colour: 'red' },
    },
    IPv4Data: [
      {
        AddressSpace: 'LocalDefault',
        Pool: '10.71.0.0/24',
        Gateway: '10.71.0.1/24',
        AuxAddresses: { printer: '10.71.0.9/24' },
      },
    ],
    IPv6Data: [
      { AddressSpace: 'LocalDefault', Pool: 'fd71::/64', Gateway: expect.stringMatching(/^fd71::.*\/64$/) },
    ],
  });
  await d.host('ip link add tap7 type veth peer name tap8');
  plugin.replies['NetworkDriver.Join'] = {
    InterfaceName: { SrcName: 'tap7', DstPrefix: 'wire' },
    Gateway: '10.71.0.1',
    StaticRoutes: [{ Destination: '10.72.0.0/16', NextHop: '10.71.0.8' }],
  };
  await sleeper('one', '--network', 'net', '-p', '127.0.0.1:8080:80', '--mac-address', '02:00:00:00:00:0a');
  const endpoint = await inspect('{{.NetworkSettings.Networks.net.EndpointID}}', 'one');
  const ids = { NetworkID: network, EndpointID: endpoint };
  const port = { Proto: 6, Port: 80 };
  const ports = {
    'com.docker.network.endpoint.exposedports': [port],
    'com.docker.network.portmap': [
      { ...port, IP: '', HostIP: '127.0.0.1', HostPort: 8080, HostPortEnd: 8080 },
    ],
  };
  expect(body('NetworkDriver.CreateEndpoint')).toEqual({
    ...ids,
    Interface: {
      Address: '10.71.0.2/24',
      AddressIPv6: expect.stringMatching(/^fd71::.*\/64$/),
      MacAddress: '02:00:00:00:00:0a',
    },
    Options: { ...ports, 'com.docker.network.endpoint.macaddress': 'AgAAAAAK' },
  });
  expect(body('NetworkDriver.Join')).toEqual({
    ...ids,
    SandboxKey: expect.stringMatching(/\/netns\/[0-9a-f]{12}$/),
    Options: ports,
  });
  expect(body('NetworkDriver.ProgramExternalConnectivity')).toEqual({ ...ids, Options: ports });
  expect(await inside('one', 'ip route; cat /sys/class/net/wire0/address')).toMatch(
    /default via 10.71.0.1 dev wire0[\s\S]*10.72.0.0\/16 via 10.71.0.8 dev wire0[\s\S]*02:00:00:00:00:0a/,
  );
  await d.docker('rm', '-f', 'one');
  await until('it was told', () => methods().includes('NetworkDriver.DeleteEndpoint'), 5_000);
  expect(
    methods()
      .slice(-3)
      .map((m) => m.split('.')[1]),
  ).toEqual(['RevokeExternalConnectivity', 'Leave', 'DeleteEndpoint']);
  expect(await d.host('ip -o link show tap7')).toContain('tap7'); // back on the host
  await d.host('ip link delete tap7');
  plugin.replies['NetworkDriver.Join'] = {};
});

test('N6 pools and addresses word by word; a plugin that wants it is asked again when the daemon starts', async () => {
  plugin.replies['IpamDriver.GetCapabilities'] = { RequiresRequestReplay: true };
  await d.docker('network', 'create', '--ipam-driver', 'fake', '--ipam-opt', 'zone=b', 'net');
  await sleeper('one', '--network', 'net');
  expect(await addressOf('one', 'net')).toBe('10.70.0.2');
  const forGateway = { RequestAddressType: 'com.docker.network.gateway' };
  const named = { 'com.docker.network.endpoint.name': 'one' };
  const pool = { AddressSpace: 'here', Pool: '', SubPool: '', Options: { zone: 'b' }, V6: false };
  expect(plugin.bodies('IpamDriver.RequestPool')).toEqual([pool]);
  expect(plugin.bodies('IpamDriver.RequestAddress')).toEqual([
    { PoolID: 'p1', Address: '', Options: forGateway },
    { PoolID: 'p1', Address: '', Options: named },
  ]);
  await d.kill9();
  plugin.calls.length = 0;
  plugin.replies['IpamDriver.RequestPool'] = { PoolID: 'p2', Pool: '10.70.0.0/24' };
  await d.start();
  await until('it was asked again', () => plugin.bodies('IpamDriver.RequestAddress').length === 2, 5_000);
  expect(plugin.bodies('IpamDriver.RequestPool')).toEqual([{ ...pool, Pool: '10.70.0.0/24' }]);
  expect(plugin.bodies('IpamDriver.RequestAddress')).toEqual([
    { PoolID: 'p2', Address: '10.70.0.1', Options: forGateway },
    { PoolID: 'p2', Address: '10.70.0.2', Options: named },
  ]);
  await d.docker('rm', '-f', 'one');
  await until('it was given back', () => plugin.bodies('IpamDriver.ReleaseAddress').length > 0, 5_000);
  expect(body('IpamDriver.ReleaseAddress')).toEqual({ PoolID: 'p2', Address: '10.70.0.2' });
});

test('N6 an address that another has is not given again, whatever the plugin says', async () => {
  await d.docker('network', 'create', '--ipam-driver', 'fake', 'net');
  await sleeper('one', '--network', 'net');
  next = 2;
  const again = await d.docker.try(['run', '-d', '--name', 'two', '--network', 'net', 'alpine', 'true']);
  expect(again.stderr).toContain(
    'IPAM driver "fake" answered address 10.70.0.2, which is in use on network net',
  );
  expect(plugin.bodies('IpamDriver.ReleaseAddress')).toEqual([]);
});

test('D9 what was done before a refusal is taken back, in reverse', async () => {
  await d.docker('network', 'create', '-d', 'fake', '--ipam-driver', 'fake', 'net');
  plugin.replies['NetworkDriver.Join'] = { Err: 'no room' };
  plugin.calls.length = 0;
  const run = await d.docker.try(['run', '-d', '--name', 'one', '--network', 'net', 'alpine', 'sleep', '9']);
  expect(run.stderr).toContain('remote: no room');
  expect(methods()).toEqual([
    'IpamDriver.RequestAddress',
    'NetworkDriver.CreateEndpoint',
    'NetworkDriver.Join',
    'NetworkDriver.Leave',
    'NetworkDriver.DeleteEndpoint',
    'IpamDriver.ReleaseAddress',
  ]);
  plugin.replies['NetworkDriver.Join'] = { InterfaceName: { SrcName: 'nobody', DstPrefix: 'eth' } };
  plugin.calls.length = 0;
  expect((await d.docker.try(['start', 'one'])).stderr).toContain('no interface nobody on the host');
  expect(methods().slice(-3)).toEqual([
    'NetworkDriver.Leave',
    'NetworkDriver.DeleteEndpoint',
    'IpamDriver.ReleaseAddress',
  ]);
  plugin.replies['NetworkDriver.CreateNetwork'] = { Err: 'not here' };
  plugin.calls.length = 0;
  const create = ['network', 'create', '-d', 'fake', '--ipam-driver', 'fake', 'other'];
  expect((await d.docker.try(create)).stderr).toContain('remote: not here');
  expect(methods().slice(-3)).toEqual([
    'NetworkDriver.DeleteNetwork',
    'IpamDriver.ReleaseAddress',
    'IpamDriver.ReleasePool',
  ]);
});
