/** Docker's plugin protocol against plugins that behave, lie, hang, and are not there. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ViaductError } from '../../src/errors.js';
import { locatePlugin } from '../../src/plugins/discovery.js';
import { createPlugins } from '../../src/plugins/index.js';
import { FakePlugin, pluginDirectories } from '../support/fake-plugin.js';

const LIMITS = { answerMs: 300, retryMs: 1_500, firstPauseMs: 20, answerBytes: 10_000 };
let at: ReturnType<typeof pluginDirectories>;
let plugin: FakePlugin;
beforeEach(() => {
  at = pluginDirectories();
  plugin = new FakePlugin();
});
afterEach(async () => {
  await plugin.close();
  at.remove();
});
const plugins = () => createPlugins(at.directories, LIMITS);
const socketOf = (name: string): string => join(at.directories.sockets, `${name}.sock`);
const started = async () => {
  await plugin.listen(socketOf('x'));
  return plugins();
};
/** `kind: message` of what it throws */
const failure = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no failure',
    (error: unknown) => (error instanceof ViaductError ? `${error.kind}: ${error.message}` : String(error)),
  );
const N = 'n'.repeat(64);
const E = 'e'.repeat(64);

describe('where plugins are', () => {
  it('a socket before a .spec before a .json, in the first directory, also one level below', async () => {
    expect(locatePlugin('x', at.directories)).toBeUndefined();
    at.write('lib/x.json', JSON.stringify({ Name: 'x', Addr: 'http://localhost:1' }));
    expect(locatePlugin('x', at.directories)).toEqual({ kind: 'tcp', host: 'localhost', port: 1 });
    at.write('lib/x.spec', 'tcp://127.0.0.1:2\n');
    expect(locatePlugin('x', at.directories)).toMatchObject({ port: 2 });
    at.write('etc/x/x.spec', ' tcp://[::1]:3 ');
    expect(locatePlugin('x', at.directories)).toEqual({ kind: 'tcp', host: '::1', port: 3 });
    at.write('etc/x.spec', 'unix:///run/there.sock');
    expect(locatePlugin('x', at.directories)).toEqual({ kind: 'unix', path: '/run/there.sock' });
    at.write('run/x.sock', 'a file is no socket');
    expect(locatePlugin('x', at.directories)).toMatchObject({ path: '/run/there.sock' });
    at.write('run/x/note', '');
    await plugin.listen(join(at.directories.sockets, 'x/x.sock'));
    expect(locatePlugin('x', at.directories)).toMatchObject({
      path: join(at.directories.sockets, 'x/x.sock'),
    });
  });

  it.each(['', '.', '..', '../etc/x', '/etc/x', 'a/b', 'x\0', 'vieux/sshfs:latest', 'x'.repeat(200)])(
    'a name never leads out of the directories: %j',
    (name) => {
      at.write('etc/x.spec', 'tcp://localhost:1');
      expect(locatePlugin(name, at.directories)).toBeUndefined();
    },
  );

  it.each([
    ['x.spec', 'ftp://host:1', 'Unknown protocol'],
    ['x.spec', '', 'Unknown protocol'],
    ['x.spec', 'tcp://', 'Unknown protocol|no host'],
    ['x.json', '{', 'no plugin’s specification'],
    ['x.json', '{"Name":"x"}', 'no plugin’s specification'],
    ['x.json', '{"Name":"x","Addr":7}', 'no plugin’s specification'],
    ['x.spec', `tcp://localhost:1${' '.repeat(70_000)}`, 'too long'],
  ])('%s that says %j is refused', (file, text, why) => {
    at.write(`etc/${file}`, text);
    expect(() => locatePlugin('x', at.directories)).toThrow(new RegExp(why));
  });

  it('certificates beside an address without TLS are not silently left out', () => {
    at.write('etc/ca.pem', 'CA');
    const spec = { Name: 'x', Addr: 'tcp://localhost:1', TLSConfig: { CAFile: join(at.base, 'etc/ca.pem') } };
    at.write('etc/x.json', JSON.stringify(spec));
    expect(() => locatePlugin('x', at.directories)).toThrow('needs an address that begins with https://');
  });
});

describe('activation', () => {
  it('is asked once, with moby’s headers, however many ask at a time', async () => {
    const all = await started();
    await Promise.all([all.network('x'), all.network('x'), all.ipam('x')]);
    await all.network('x');
    expect(plugin.bodies('Plugin.Activate')).toEqual([undefined]);
    expect(plugin.bodies('NetworkDriver.GetCapabilities')).toHaveLength(1);
    expect(plugin.calls[0]?.headers).toMatchObject({
      accept: 'application/vnd.docker.plugins.v1.2+json',
      'content-type': 'application/vnd.docker.plugins.v1.1+json',
      host: 'plugin.moby.localhost',
    });
    expect(all.active('NetworkDriver')).toEqual(['x']);
  });

  it('says who is missing and who is of another kind, in moby’s words', async () => {
    const all = await started();
    expect(await failure(all.network('y'))).toBe(
      'not-found: could not find plugin y in v1 plugin registry: plugin not found',
    );
    plugin.replies['Plugin.Activate'] = { Implements: ['VolumeDriver'] };
    expect(await failure(all.network('x'))).toBe(
      'invalid: Plugin does not implement the requested driver: plugin="x", requested implementation="NetworkDriver"',
    );
    expect(all.active('NetworkDriver')).toEqual([]);
  });

  it('a plugin that comes up late is waited for; one that does not is given up, and tried anew the next time', async () => {
    await plugin.listen(socketOf('x'));
    const all = plugins();
    await all.network('x');
    await plugin.close();
    expect(await failure(all.network('x').then((p) => p.createNetwork(N, {}, [], [])))).toMatch(
      /^unavailable: plugin "x" at unix:\/\/.*x\.sock cannot be reached: connect ENOENT/,
    );
    expect(await failure(all.network('x'))).toMatch(/^not-found/);
    plugin = new FakePlugin();
    await plugin.listen(socketOf('x'));
    const driver = await all.network('x');
    expect(plugin.bodies('Plugin.Activate')).toHaveLength(1);
    await plugin.close();
    const calling = driver.createNetwork(N, {}, [], []);
    plugin = new FakePlugin();
    plugin.replies['NetworkDriver.CreateNetwork'] = {};
    setTimeout(() => void plugin.listen(socketOf('x')), 100);
    await calling;
  });

  it('`tell` tries once: what is owed waits elsewhere', async () => {
    const all = await started();
    await all.network('x');
    await plugin.close();
    const before = performance.now();
    const call = { plugin: 'x', method: 'NetworkDriver.Leave', body: {} };
    expect(await failure(all.tell(call))).toMatch(/^unavailable/);
    expect(performance.now() - before).toBeLessThan(500);
  });

  it('an old plugin that knows no RevokeExternalConnectivity is left in peace', async () => {
    const all = await started();
    await all.tell({ plugin: 'x', method: 'NetworkDriver.RevokeExternalConnectivity', body: {} });
    await (await all.network('x')).programExternalConnectivity(N, E, {});
    expect(await failure(all.tell({ plugin: 'x', method: 'NetworkDriver.Leave', body: {} }))).toMatch(
      /^internal/,
    );
  });
});

describe('a lying plugin', () => {
  const join_ = async (answer: object) => {
    const all = await started();
    plugin.replies['NetworkDriver.Join'] = answer;
    return (await all.network('x')).join(N, E, '/run/netns/x', {});
  };
  const create = async (answer: object, given = {}) => {
    const all = await started();
    plugin.replies['NetworkDriver.CreateEndpoint'] = answer;
    return (await all.network('x')).createEndpoint(N, E, given, {});
  };

  it.each<[string, (response: import('node:http').ServerResponse) => void, RegExp]>([
    ['not JSON', (r) => void r.end('<html>'), /answered Plugin.Activate with what is not JSON: <html>/],
    ['an empty body', (r) => void r.end(), /not JSON/],
    ['a list', (r) => void r.end('[]'), /answered Plugin.Activate wrongly/],
    ['the wrong types', (r) => void r.end('{"Implements":"NetworkDriver"}'), /Implements/],
    ['ten megabytes', (r) => void r.end(`"${'x'.repeat(10_000_000)}"`), /longer than 10000 bytes/],
    [
      'an endless answer',
      (r) => {
        const timer = setInterval(() => r.write(' '), 10);
        r.once('close', () => clearInterval(timer));
      },
      /no answer within 0.3 s/,
    ],
    ['nothing', () => {}, /no answer within 0.3 s/],
    [
      'half an answer',
      (r) => void r.writeHead(200, { 'content-length': 50 }).write('{', () => r.destroy()),
      /Activate/,
    ],
    ['a reset', (r) => void r.destroy(), /hang up/],
    [
      'status 500',
      (r) => void r.writeHead(500).end('no \u001b[31mway\n'),
      /^internal: Plugin.Activate: no \[31mway$/,
    ],
    [
      'status 500 with Err',
      (r) => void r.writeHead(500).end('{"Err":"why"}'),
      /^internal: Plugin.Activate: why$/,
    ],
  ])('answers %s', async (_, reply, message) => {
    const all = await started();
    plugin.replies['Plugin.Activate'] = reply;
    const before = performance.now();
    expect(await failure(all.network('x'))).toMatch(message);
    expect(performance.now() - before).toBeLessThan(1_400);
    plugin.replies['Plugin.Activate'] = { implements: ['NetworkDriver'], Later: 1 };
    await all.network('x'); // nothing of it stays
  });

  it.each([
    [{ Err: 'no' }, 'internal: remote: no'],
    [{ err: 'no' }, 'internal: remote: no'],
    [{ InterfaceName: { SrcName: 'a/b' } }, 'the name of an interface'],
    [{ InterfaceName: { SrcName: 'lo' } }, 'the name of an interface'],
    [{ InterfaceName: { SrcName: 'x'.repeat(16) } }, 'the name of an interface'],
    [{ InterfaceName: { SrcName: '..' } }, 'the name of an interface'],
    [{ InterfaceName: { SrcName: 'a', DstPrefix: 'x'.repeat(13) } }, 'beginning of an interface'],
    [{ InterfaceName: 7 }, 'wrongly'],
    [{ Gateway: 'here' }, 'not an IPv4 address'],
    [{ Gateway: 'fd00::1' }, 'not an IPv4 address'],
    [{ GatewayIPv6: '10.0.0.1' }, 'not an IPv6 address'],
    [{ StaticRoutes: [{ Destination: '10.0.0.0', NextHop: '10.0.0.1' }] }, 'not a subnet'],
    [{ StaticRoutes: [{ Destination: '10.0.0.0/8' }] }, 'no next hop'],
    [{ StaticRoutes: [{ Destination: '10.0.0.0/8', NextHop: 'fd00::1' }] }, 'next hop fd00::1'],
    [{ StaticRoutes: [{ NextHop: '10.0.0.1' }] }, 'without a destination'],
    [{ StaticRoutes: [{ Destination: '10.0.0.0/8', RouteType: 9 }] }, 'RouteType'],
    [{ StaticRoutes: {} }, 'StaticRoutes'],
  ])('Join answers %j', async (answer, message) => {
    expect(await failure(join_(answer))).toContain(message);
  });

  it('Join: what is not said is absent, what is said is canonical', async () => {
    expect(await join_({ InterfaceName: null, Gateway: '' })).toEqual({ routes: [], disableGateway: false });
    plugin.replies['NetworkDriver.Join'] = {
      interfacename: { SrcName: 'tap0', DstPrefix: 'net' },
      GatewayIPv6: 'FD00::0:1',
      StaticRoutes: [
        { Destination: '10.1.2.3/8', RouteType: 1 },
        { Destination: '10.0.0.0/8', NextHop: '192.0.2.1' },
      ],
      DisableGatewayService: true,
    };
    expect(await (await plugins().network('x')).join(N, E, '/ns', {})).toEqual({
      source: 'tap0',
      prefix: 'net',
      gateway6: 'fd00::1',
      routes: [{ destination: '10.0.0.0/8', via: '192.0.2.1' }],
      disableGateway: true,
    });
  });

  it.each([
    [{ Interface: { Address: '10.0.0.300/8' } }, 'not an IPv4 address'],
    [{ Interface: { Address: '10.0.0.3' } }, 'not an IPv4 address'],
    [{ Interface: { AddressIPv6: '10.0.0.3/8' } }, 'not an IPv6 address'],
    [{ Interface: { MacAddress: '01:00:5e:00:00:01' } }, 'not a unicast MAC'],
    [{ Interface: { MacAddress: '00:00:00:00:00:00' } }, 'not a unicast MAC'],
    [{ Interface: { MacAddress: 'me' } }, 'not a unicast MAC'],
    [{ Interface: { Address: '10.0.0.3/8' } }, 'driver modified interface address'],
    [{ Interface: { MacAddress: '02:00:00:00:00:09' } }, 'driver modified interface MAC address'],
  ])('CreateEndpoint answers %j', async (answer, message) => {
    const given = { ipv4: '10.0.0.2/8', mac: '02:00:00:00:00:01' };
    expect(await failure(create(answer, given))).toContain(message);
  });

  it('CreateEndpoint: what was given may be repeated, what was not may be added', async () => {
    const answer = { Interface: { Address: '10.0.0.2/8', MacAddress: '02-00-00-00-00-0A' } };
    expect(await create(answer, { ipv4: '10.0.0.2/8' })).toEqual({ mac: '02:00:00:00:00:0a' });
    expect(plugin.bodies('NetworkDriver.CreateEndpoint')).toEqual([
      {
        NetworkID: N,
        EndpointID: E,
        Interface: { Address: '10.0.0.2/8', AddressIPv6: '', MacAddress: '' },
        Options: {},
      },
    ]);
  });

  it.each([
    ['RequestPool', { PoolID: 'p', Pool: '10.0.0.0' }, 'not a subnet'],
    ['RequestPool', { PoolID: 'p' }, 'no pool'],
    ['RequestPool', { PoolID: 'p', Pool: 'fd00::/64' }, 'for an IPv4 pool'],
    ['RequestPool', { Error: 'full' }, 'remote: full'],
    [
      'RequestPool',
      { PoolID: 'p', Pool: '10.0.0.0/24', Data: { 'com.docker.network.gateway': '10.0.1.1/24' } },
      'failed to parse gateway address',
    ],
    ['RequestAddress', { Address: '10.0.0.1' }, 'with prefix length'],
    ['RequestAddress', { Address: '' }, 'no IP address returned'],
    ['RequestAddress', { Address: 'fd00::1/64' }, 'for an IPv4 address'],
  ])('%s answers %j', async (method, answer, message) => {
    const ipam = await (await started()).ipam('x');
    plugin.replies[`IpamDriver.${method}`] = answer;
    const request = { addressSpace: '', pool: '', subPool: '', options: {}, v6: false };
    const asked = method === 'RequestPool' ? ipam.requestPool(request) : ipam.requestAddress('p', '', {}, 4);
    expect(await failure(asked)).toContain(message);
  });

  it.each([{ Scope: 'universe' }, {}, { Scope: 'local', ConnectivityScope: 'x' }])(
    'capabilities %j make no driver, and are asked for again',
    async (answer) => {
      const all = await started();
      plugin.replies['NetworkDriver.GetCapabilities'] = answer;
      expect(await failure(all.network('x'))).toContain('GetCapabilities wrongly');
      plugin.replies['NetworkDriver.GetCapabilities'] = { Scope: 'global' };
      expect((await all.network('x')).scope).toBe('global');
    },
  );
});

describe('over TCP with TLS', () => {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: at.base, stdio: 'pipe' });
  const certificates = () => {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      'key.pem',
      '-out',
      'cert.pem',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
      '-days',
      '2',
    );
    return {
      key: execFileSync('cat', ['key.pem'], { cwd: at.base }).toString(),
      cert: execFileSync('cat', ['cert.pem'], { cwd: at.base }).toString(),
    };
  };
  const spec = (port: number, tls: object) =>
    at.write(
      'etc/x.json',
      JSON.stringify({ Name: 'x', Addr: `https://localhost:${port}/ignored`, TLSConfig: tls }),
    );
  const file = (name: string): string => join(at.base, name);

  it('checks the plugin’s certificate and shows its own', async () => {
    const pair = certificates();
    plugin = new FakePlugin({ ...pair, ca: pair.cert, requestCert: true });
    const port = await plugin.listen(0);
    spec(port, { CAFile: file('cert.pem'), CertFile: file('cert.pem'), KeyFile: file('key.pem') });
    expect((await plugins().network('x')).scope).toBe('local');
    spec(port, { CAFile: file('cert.pem') });
    expect(await failure(plugins().network('x'))).toMatch(/^unavailable/);
  });

  it('refuses a certificate that the CA did not sign, unless told not to look', async () => {
    plugin = new FakePlugin(certificates());
    const port = await plugin.listen(0);
    const other = certificates(); // overwrites the files
    expect(other.cert).not.toBe('');
    spec(port, { CAFile: file('cert.pem') });
    expect(await failure(plugins().network('x'))).toMatch(
      /^unavailable: .*certificate|self.signed|signature/,
    );
    spec(port, { CAFile: file('cert.pem'), InsecureSkipVerify: true });
    expect((await plugins().network('x')).scope).toBe('local');
    spec(port, {});
    expect((await plugins().network('x')).scope).toBe('local');
  });
});
