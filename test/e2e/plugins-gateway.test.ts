/** The way out by docker_gwbridge, for containers whose plugin names no gateway (`-o gateway=none` of the example). */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { examplePluginFor } from '../support/example-plugin.js';
import { FakePlugin } from '../support/fake-plugin.js';
import { daemonForThisFile, peerOf, phrasesFor, TELL_PEER } from '../support/phrases.js';
import { until } from '../support/run.js';
import { HOST, OUTSIDE } from '../support/world.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, inside, sleeper, ping, gatewayOf, reaches, server } = phrasesFor(d);
const { nothingHeld } = examplePluginFor(d);

const GW = 'docker_gwbridge';
const makeNet = (name = 'net', ...more: string[]) =>
  d.docker('network', 'create', '-d', 'example', '-o', 'gateway=none', ...more, name);
const links = (container: string) => inside(container, 'ls /sys/class/net | sort | xargs');
const defaultRoute = (container: string) => inside(container, 'ip route | grep ^default || true');
/** Endpoints on docker_gwbridge: `gateway_0123456789ab 172.19.0.2/16`. */
const users = () => inspect('{{range .Containers}}{{.Name}} {{.IPv4Address}},{{end}}', GW);
const sandboxOf = (container: string) => inspect('{{.NetworkSettings.SandboxID}}', container);
const networkNames = () => d.docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'type=custom');
/** What the server behind a port of the host says to the LAN; empty: nobody answers. */
const asked = async (port: number): Promise<string> => {
  const ask = `socat -u -T2 TCP:${HOST.ipv4}:${port},connect-timeout=2 - 2>/dev/null`;
  return peerOf((await d.outside.try(ask)).stdout.trim());
};
const answers = (port: number) =>
  until(`port ${port} answers`, async () => (await asked(port)) === OUTSIDE.ipv4);

test('D9 a plugin that names no gateway: docker_gwbridge leads out and publishes, and only its own inspect tells', async () => {
  await makeNet();
  await server('one', '--network', 'net', '-p', '8080:80', '-p', '80');
  expect(await defaultRoute('one')).toMatch(`default via ${await gatewayOf(GW)} dev eth1`);
  expect((await ping('one', OUTSIDE.internet)).code).toBe(0);
  await answers(8080);
  const own = (await inside('one', "ip -4 -o address show dev eth1 | awk '{print $4}'")).trim();
  expect(await users()).toBe(`gateway_${(await sandboxOf('one')).slice(0, 12)} ${own},`);
  expect(await inspect('{{range $name, $_ := .NetworkSettings.Networks}}{{$name}},{{end}}', 'one')).toBe(
    'net,',
  );
  expect(await inspect('{{.Driver}} {{.Internal}} {{.EnableIPv6}} {{json .Options}}', GW)).toBe(
    'bridge false false {"com.docker.network.bridge.enable_icc":"false","com.docker.network.bridge.enable_ip_masquerade":"true","com.docker.network.bridge.name":"docker_gwbridge"}',
  );
  expect(await d.host(`cat /sys/class/net/${GW}/operstate`)).toBe('up');
  const ports = await d.docker('port', 'one');
  expect(ports).toContain('80/tcp -> 0.0.0.0:8080');
  expect(await d.docker('ps', '--format', '{{.Ports}}')).toContain('0.0.0.0:8080->80/tcp');
  const free = Number(
    ports
      .split('\n')
      .find((line) => !line.endsWith(':8080'))
      ?.split(':')
      .pop(),
  );
  await answers(free);
  await d.docker('rm', '-f', 'one');
  expect(await users()).toBe('');
  expect(await d.host(`ls /sys/class/net/${GW}/brif`)).toBe('');
  await d.docker('network', 'rm', GW);
  expect((await d.host.try(`ip link show ${GW}`)).code).not.toBe(0);
  await d.clear();
  await nothingHeld();
});

test('D9 gateway endpoints have no names, no line in hosts files, and reach each other not at all', async () => {
  await makeNet();
  await sleeper('one', '--network', 'net');
  await sleeper('two', '--network', 'net');
  expect((await ping('one', 'two')).code).toBe(0);
  const [first = '', second = ''] = (await users()).split(',').map((user) => user.split(/[ /]/)[1] ?? '');
  const name = `gateway_${(await sandboxOf('two')).slice(0, 12)}`;
  expect((await ping('one', name)).stderr).toContain('bad address');
  expect((await ping('one', first)).code + (await ping('one', second)).code).toBe(1); // its own, not the other's
  const reverse = await d.docker.try(['exec', 'one', 'nslookup', second]);
  expect(reverse.stdout).not.toContain('gateway_');
  expect(await inside('one', 'cat /etc/hosts')).not.toContain(first);
  await d.docker('rename', 'two', 'deux');
  expect(await users()).toContain(name);
  const refused = await d.docker.try(['network', 'rm', GW]);
  expect(refused.stderr).toContain(`network ${GW} has active endpoints (name:"gateway_`);
  expect((await d.docker.try(['network', 'disconnect', GW, 'one'])).stderr).toContain('is not connected to');
});

test('D9 a network that leads out takes the gateway endpoint’s place, and gives it back', async () => {
  await makeNet();
  await makeNet('more');
  await d.docker('network', 'create', 'leads');
  await server('one', '--network', 'net', '-p', '8080:80');
  await answers(8080);
  await d.docker('network', 'connect', 'more', 'one');
  expect(await links('one')).toBe('eth0 eth1 eth2 lo');
  expect(await defaultRoute('one')).toMatch(/dev eth1/);
  await d.docker('network', 'connect', 'leads', 'one');
  expect(await users()).toBe('');
  expect(await links('one')).toBe('eth0 eth2 eth3 lo');
  expect(await defaultRoute('one')).toMatch(`default via ${await gatewayOf('leads')} dev eth3`);
  await answers(8080);
  await d.docker('network', 'disconnect', 'leads', 'one');
  expect(await defaultRoute('one')).toMatch(`default via ${await gatewayOf(GW)} dev eth1`);
  expect((await ping('one', OUTSIDE.internet)).code).toBe(0);
  await answers(8080);
  await d.docker('network', 'disconnect', 'net', 'one');
  expect(await users()).toContain('gateway_');
  await d.docker('network', 'disconnect', 'more', 'one');
  expect(await links('one')).toBe('lo');
  expect(await users()).toBe('');
  await d.docker('network', 'connect', 'net', 'one');
  expect((await ping('one', OUTSIDE.internet)).code).toBe(0);
  await d.docker('network', 'connect', GW, 'one'); // the user's own endpoint leads out as well
  expect(await users()).toMatch(/^one /);
  await d.docker('network', 'disconnect', GW, 'one');
  expect(await users()).toMatch(/^gateway_/);
});

test('D9 both at once at the start: the bridge network leads out, and docker_gwbridge has no endpoint', async () => {
  await makeNet();
  await d.docker('network', 'create', 'leads');
  await d.docker('create', '--name', 'one', '--network', 'net', '-p', '8080:80', 'nettools', ...TELL_PEER);
  await d.docker('network', 'connect', 'leads', 'one');
  await d.docker('start', 'one');
  expect(await defaultRoute('one')).toContain(await gatewayOf('leads'));
  await answers(8080);
  expect(await d.host(`ls /sys/class/net/${GW}/brif 2>/dev/null || true`)).toBe('');
});

test('D9 stop, start, restart: the endpoint goes and comes, its address is given back', async () => {
  await makeNet();
  await sleeper('one', '--network', 'net');
  const before = (await users()).split(' ')[1];
  for (const command of [
    ['restart', '-t', '0', 'one'],
    ['stop', 'one'],
  ])
    await d.docker(...command);
  expect(await users()).toBe('');
  await d.docker('start', 'one');
  expect((await users()).split(' ')[1]).toBe(before);
  expect((await ping('one', OUTSIDE.internet)).code).toBe(0);
});

test('D9 a docker_gwbridge that the user made is used as it is', async () => {
  const options = ['--subnet', '10.99.0.0/29', '-o', `com.docker.network.bridge.name=${GW}`];
  options.push('-o', 'com.docker.network.bridge.host_binding_ipv4=127.0.0.1', '--ipv6');
  await d.docker('network', 'create', ...options, '--subnet', 'fd99::/64', GW);
  await makeNet();
  await server('one', '--network', 'net', '-p', '8080:80');
  expect(await users()).toMatch(/^gateway_[0-9a-f]{12} 10\.99\.0\.2\/29,$/);
  expect(await inside('one', 'ip -6 route')).toContain('default via fd99::1 dev eth1');
  expect((await ping('one', OUTSIDE.ipv4)).code).toBe(0);
  expect(await d.docker('port', 'one')).toBe('80/tcp -> 127.0.0.1:8080');
  expect(await asked(8080)).toBe('');
  // Its address for ports is not that of a network which leads out itself.
  await d.docker('network', 'create', 'leads');
  await d.docker('create', '--name', 'two', '--network', 'net', '-p', '8081:80', 'alpine', 'sleep', '600');
  await d.docker('network', 'connect', 'leads', 'two');
  await d.docker('start', 'two');
  expect(await d.docker('port', 'two')).toContain('80/tcp -> 0.0.0.0:8081');
});

test('D9 internal networks and plugins that disable the gateway service get no way out', async () => {
  const shy = new FakePlugin();
  await shy.listen(join(d.world.base, 'plugins/shy.sock'));
  for (const method of ['CreateNetwork', 'DeleteNetwork', 'CreateEndpoint', 'DeleteEndpoint', 'Leave'])
    shy.replies[`NetworkDriver.${method}`] = {};
  shy.replies['NetworkDriver.Join'] = { DisableGatewayService: true };
  try {
    await d.docker('network', 'create', '-d', 'shy', 'shy');
    await makeNet('inside', '--internal');
    await sleeper('one', '--network', 'shy');
    await d.docker('network', 'connect', 'inside', 'one');
    expect(await defaultRoute('one')).toBe('');
    expect((await networkNames()).split('\n').sort()).toEqual(['inside', 'shy']);
    await d.clear();
    await nothingHeld();
  } finally {
    await d.clear();
    await shy.close();
  }
});

test('D9 where docker_gwbridge cannot be, starts and connects fail, say why and change nothing', async () => {
  await makeNet();
  await makeNet(GW); // the plugin's own: no plugin can be asked for a gateway endpoint
  const no = `no way out for container one by network ${GW}: `;
  const refused = await d.docker.try(['run', '--name', 'one', '--network', 'net', 'alpine', 'true']);
  expect(refused.code).toBe(125);
  expect(refused.stderr).toContain(`${no}it is no network of a built-in driver`);
  await d.docker('rm', 'one');
  await d.docker('network', 'rm', GW);

  await d.docker('network', 'create', '--subnet', '10.99.0.0/30', GW); // room for one
  await sleeper('holder', '-p', '8080:80');
  const held = await d.docker.try([
    'run',
    '--name',
    'one',
    '--network',
    'net',
    '-p',
    '8080:80',
    'alpine',
    'true',
  ]);
  expect(held.stderr).toContain('port is already allocated');
  expect(await users()).toBe('');
  await d.docker('rm', '-f', 'holder');
  await d.docker('start', 'one'); // the address was given back
  await d.docker('rm', '-f', 'one');
  await d.docker('network', 'create', 'leads');
  await sleeper('one', '--network', 'leads');
  await d.docker('network', 'connect', 'net', 'one');
  await sleeper('two', '--network', 'net');
  const state = await d.docker('inspect', 'one');
  const disconnected = await d.docker.try(['network', 'disconnect', 'leads', 'one']);
  expect(disconnected.stderr).toContain(no);
  expect(await d.docker('inspect', 'one')).toBe(state);
  await reaches('one', OUTSIDE.internet);
  await d.docker('network', 'disconnect', 'net', 'one');
  await d.docker('network', 'disconnect', 'leads', 'one');
  expect((await d.docker.try(['network', 'connect', 'net', 'one'])).stderr).toContain(no);
  expect(await links('one')).toBe('lo');
  await d.docker('rm', '-f', 'two'); // its address is free again
  await d.docker('network', 'connect', 'net', 'one');
  await reaches('one', OUTSIDE.internet);
});

test('D9 no subnet is left for docker_gwbridge', { timeout: 90_000 }, async () => {
  await d.terminate();
  await d.start(['--default-address-pool', 'base=10.50.0.0/24,size=24']);
  await d.docker('network', 'create', 'last');
  await makeNet('net', '--subnet', '10.51.0.0/24');
  const refused = await d.docker.try(['run', '-d', '--name', 'one', '--network', 'net', 'alpine', 'true']);
  expect(refused.stderr).toContain('all predefined address pools have been fully subnetted');
  expect((await networkNames()).split('\n').sort()).toEqual(['last', 'net']);
  await d.docker('network', 'rm', 'last');
  await d.docker('start', 'one');
  await d.clear();
  await nothingHeld();
  await d.terminate();
  await d.start([]);
});

test('D9 the daemon killed: the way out and its ports are kept, and go with the container', async () => {
  await makeNet();
  await server('one', '--network', 'net', '-p', '8080:80');
  await answers(8080);
  const before = [await users(), await links('one'), await defaultRoute('one')];
  await d.kill9();
  await d.start();
  expect([await users(), await links('one'), await defaultRoute('one')]).toEqual(before);
  expect((await ping('one', OUTSIDE.internet)).code).toBe(0);
  await answers(8080);
  await sleeper('two', '--network', 'net'); // the address of the first is known to be taken
  expect((await users()).split(',')).toHaveLength(3);
  await d.docker('rm', '-f', 'one', 'two');
  expect(await users()).toBe('');
});
