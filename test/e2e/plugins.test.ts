/** Third-party plugins: the example in examples/plugin as network and IPAM driver, killed, stopped, gone. */
import { expect, test } from 'vitest';
import { examplePluginFor } from '../support/example-plugin.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile();
const { inspect, inside, sleeper, ping, addressOf, refusal } = phrasesFor(d);

const plugin = examplePluginFor(d);
const { held, nothingHeld } = plugin;

test('D9 N6 a plugin makes networks and gives addresses; two containers reach each other by name', async () => {
  await d.docker('network', 'create', '-d', 'example', '--ipam-driver', 'example', 'net');
  expect(await inspect('{{.Driver}} {{.Scope}} {{.IPAM.Driver}} {{json .IPAM.Config}}', 'net')).toBe(
    'example local example [{"Subnet":"10.90.0.0/24","Gateway":"10.90.0.1"}]',
  );
  await sleeper('one', '--network', 'net');
  await sleeper('two', '--network', 'net', '--ip', '10.90.0.77');
  expect(await addressOf('one', 'net')).toBe('10.90.0.2');
  expect(await addressOf('two', 'net')).toBe('10.90.0.77');
  expect(await inspect('{{.NetworkSettings.Networks.net.Gateway}}', 'one')).toBe('10.90.0.1');
  expect((await ping('one', 'two')).code).toBe(0);
  expect((await ping('two', '10.90.0.1')).code).toBe(0);
  expect(await inside('one', 'ip route')).toContain('default via 10.90.0.1 dev eth0');
  const mac = await inspect('{{.NetworkSettings.Networks.net.MacAddress}}', 'one');
  expect(mac).toMatch(/^06:/);
  expect(await inside('one', 'cat /sys/class/net/eth0/address')).toBe(mac);
  expect(await d.docker('info', '--format', '{{.Plugins.Network}}')).toContain('example');
  await d.clear();
  await nothingHeld();
});

test('D9 the plugin killed and started again: networks and containers go on, and new ones come', async () => {
  await d.docker('network', 'create', '-d', 'example', '--ipam-driver', 'example', 'net');
  await sleeper('one', '--network', 'net');
  await plugin.end('SIGKILL');
  expect((await d.docker('network', 'ls')).includes('net')).toBe(true);
  // A start meets a plugin on its way: it waits for it.
  const starting = sleeper('two', '--network', 'net');
  await plugin.start();
  await starting;
  expect((await ping('one', 'two')).code).toBe(0);
  await d.clear();
  await nothingHeld();
});

test('D9 what a plugin that is away is owed, it is told when it is back, also by a daemon started anew', {
  timeout: 90_000,
}, async () => {
  await d.docker('network', 'create', '-d', 'example', '--ipam-driver', 'example', 'net');
  await sleeper('one', '--network', 'net');
  await plugin.end('SIGKILL');
  await d.docker('rm', '-f', 'one');
  await d.kill9();
  await d.start();
  expect((await held()).length).toBeGreaterThan(0);
  await plugin.start();
  await until(
    'the endpoint is gone',
    async () => !(await held()).some((name) => /^ex[oi]/.test(name)),
    30_000,
  );
  // The address is the last thing given back.
  await until(
    'its address is free',
    () => plugin.pools()['10.90.0.0/24']?.taken.join() === '10.90.0.1',
    5_000,
  );
  await d.clear();
  await nothingHeld();
});

test('D9 the daemon killed: a restarted one finds the container connected, and leaves properly', async () => {
  await d.docker('network', 'create', '-d', 'example', 'net');
  await sleeper('one', '--network', 'net');
  await sleeper('two', '--network', 'net');
  await d.kill9();
  await d.start();
  expect((await ping('one', 'two')).code).toBe(0);
  await d.docker('network', 'disconnect', 'net', 'one');
  expect(await inside('one', 'ls /sys/class/net')).toBe('lo');
  await d.docker('network', 'connect', 'net', 'one');
  expect((await ping('two', 'one')).code).toBe(0);
  await d.clear();
  await nothingHeld();
});

test('D9 a plugin that hangs holds up its own networks and nothing else', { timeout: 60_000 }, async () => {
  await d.docker('network', 'create', '-d', 'example', 'net');
  plugin.signal('SIGSTOP');
  try {
    const slow = d.docker.try(['run', '-d', '--name', 'slow', '--network', 'net', 'alpine', 'sleep', '600'], {
      timeoutMs: 50_000,
    });
    const before = performance.now();
    await sleeper('quick');
    await d.docker('ps');
    await d.docker('network', 'create', 'other');
    await d.docker('network', 'ls');
    expect(performance.now() - before).toBeLessThan(20_000); // the plugin is given up after 30
    const { code, stderr } = await slow;
    expect(code).toBe(125);
    expect(stderr).toContain('failed to create endpoint slow on network net: plugin "example" at unix://');
    expect(stderr).toContain('no answer within 30 s');
  } finally {
    plugin.signal('SIGCONT');
  }
  await d.docker('rm', 'slow');
  await until(
    'what it was asked for is taken back',
    async () => !(await held()).some((n) => /^ex[oi]/.test(n)),
    20_000,
  );
  await d.clear();
  await nothingHeld();
});

test('D9 errors of the plugin are the user’s to read, and change nothing', async () => {
  const bad = await d.docker.try(['network', 'create', '-d', 'example', '-o', 'mtu=large', 'net']);
  expect(bad.stderr).toContain('remote: mtu must be a number, not large');
  const ipam = ['network', 'create', '--ipam-driver', 'example', '--subnet', '10.91.0.0/8', 'net'];
  expect((await d.docker.try(ipam)).stderr).toContain('invalid subnet 10.91.0.0/8: it should be 10.0.0.0/8');
  ipam[5] = '10.0.0.0/8';
  expect((await d.docker.try(ipam)).stderr).toContain('remote: cannot manage 10.0.0.0/8');
  expect(await d.docker('network', 'ls', '-q', '--filter', 'type=custom')).toBe('');
  await nothingHeld();
});

test('D9 unknown drivers are not found at once; a driver of the wrong kind is refused', async () => {
  const create = (body: object) => refusal('POST', '/networks/create', { Name: 'net', ...body });
  expect(await create({ Driver: 'weave' })).toEqual({
    status: 404,
    message: 'could not find plugin weave in v1 plugin registry: plugin not found',
  });
  expect(await create({ IPAM: { Driver: 'weave' } })).toMatchObject({ status: 404 });
  expect(await create({ Driver: '../specs/x' })).toMatchObject({ status: 404 });
});

test('D9 a network whose plugin is gone is not removed but by force, and the plugin is told when it comes back', async () => {
  await d.docker('network', 'create', '-d', 'example', 'net');
  await plugin.end('SIGTERM');
  await d.host(`rm -f ${d.world.base}/plugins/example.sock`);
  await d.restart(); // the daemon knows it from no former call
  const refused = await refusal('DELETE', '/networks/net');
  expect(refused.status).toBe(404);
  expect(refused.message).toContain('plugin not found: start the plugin, or remove the network without it');
  expect((await d.api('DELETE', '/networks/net?force=1')).status).toBe(204);
  expect(await d.docker('network', 'ls', '-q', '--filter', 'type=custom')).toBe('');
  await plugin.start();
  await until('the plugin was told', async () => (await held()).length === 0, 15_000);
});

test('N6 a third-party IPAM driver serves the bridge driver', async () => {
  await d.docker('network', 'create', '--ipam-driver', 'example', '--subnet', '10.95.0.0/24', 'net');
  await sleeper('one', '--network', 'net');
  await sleeper('two', '--network', 'net');
  expect(await addressOf('one', 'net')).toBe('10.95.0.2');
  expect(plugin.pools()['10.95.0.0/24']?.taken).toEqual(['10.95.0.1', '10.95.0.2', '10.95.0.3']);
  expect((await ping('one', 'two')).code).toBe(0);
  const again = await d.docker.try([
    'run',
    '--rm',
    '--network',
    'net',
    '--ip',
    '10.95.0.2',
    'alpine',
    'true',
  ]);
  expect(again.stderr).toContain('address 10.95.0.2 is in use');
  await d.docker('rm', '-f', 'one');
  await until(
    'it was given back',
    () => plugin.pools()['10.95.0.0/24']?.taken.includes('10.95.0.2') === false,
    5_000,
  );
  await d.clear();
  await nothingHeld();
});

test('N6 the null IPAM driver: a link without addresses from a plugin, refused by drivers that need them', async () => {
  await d.docker('network', 'create', '-d', 'example', '--ipam-driver', 'null', 'net');
  expect(await inspect('{{.IPAM.Driver}} {{json .IPAM.Config}}', 'net')).toBe(
    'null [{"Subnet":"0.0.0.0/0"}]',
  );
  await sleeper('one', '--network', 'net');
  expect(await addressOf('one', 'net')).toBe('');
  expect(await inside('one', 'ip -4 -o address show dev eth0')).toBe('');
  expect(await inside('one', 'cat /sys/class/net/eth0/operstate')).toBe('up');
  const create = (body: object) => refusal('POST', '/networks/create', { Name: 'other', ...body });
  expect(await create({ IPAM: { Driver: 'null' } })).toMatchObject({
    status: 400,
    message: expect.stringContaining('ipv4 pool is empty'),
  });
  expect(
    await create({ Driver: 'example', IPAM: { Driver: 'null', Config: [{ Subnet: '10.1.0.0/16' }] } }),
  ).toEqual({
    status: 400,
    message: 'null ipam driver does not handle specific address pool requests',
  });
});

test('D9 a plugin’s link that is gone when the daemon starts holds nobody else up; a restart makes a new one', {
  timeout: 90_000,
}, async () => {
  await d.docker('network', 'create', '-d', 'example', 'net');
  await sleeper('one', '--network', 'net');
  await sleeper('two', '--network', 'net');
  await sleeper('bystander');
  const endpoint = await inspect('{{.NetworkSettings.Networks.net.EndpointID}}', 'one');
  await d.kill9();
  await d.host(`ip link delete exo${endpoint.slice(0, 12)}`);
  await d.start();
  await until('the log tells it', () =>
    d.log().includes('the link that a plugin made is gone: restart the container'),
  );
  expect((await ping('bystander', '172.17.0.1')).code).toBe(0);
  expect((await ping('two', '172.18.0.1')).code).toBe(0);
  await d.host('nft flush ruleset'); // a repair meets the missing link, too
  await d.docker('restart', '-t', '0', 'one');
  expect((await ping('two', 'one')).code).toBe(0);
  await d.clear();
  await nothingHeld();
});
