/**
 * What Docker refuses is refused with its status and its words, and changes nothing. Where moby answers 500 for a user's
 * mistake, 400 is right here; both are said where a test allows for a difference.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { kernelState } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { HOST } from '../support/world.js';

const d = daemonForThisFile();
const { refusal, sleeper } = phrasesFor(d);

type Refused = readonly [what: string, status: number, message: string | RegExp, body: unknown];

/** Networks, containers, volumes and kernel, as lines. */
const everything = async (): Promise<readonly string[]> => [
  await d.docker('network', 'ls', '--no-trunc'),
  await d.docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.State}} {{.Ports}}'),
  await d.docker('volume', 'ls'),
  // a container's layer and mount point are made with its first start, and go with the container
  ...(await kernelState(d)).filter((line) => !/^(layer|root|files) /.test(line)),
];

const unchanged = async (work: () => Promise<void>): Promise<void> => {
  const before = await everything();
  await work();
  expect(await everything()).toEqual(before);
};

const matches = (message: string, wanted: string | RegExp): void =>
  typeof wanted === 'string' ? expect(message).toBe(wanted) : expect(message).toMatch(wanted);

const refuses = (method: string, path: string, body: unknown, status: number, wanted: string | RegExp) =>
  unchanged(async () => {
    const refused = await refusal(method, path, body);
    expect(refused.status, refused.message).toBe(status);
    matches(refused.message, wanted);
  });

const ipam = (...config: readonly Readonly<Record<string, unknown>>[]) => ({
  Name: 'net',
  IPAM: { Config: config },
});
const option = (name: string, value: string) => ({ Name: 'net', Options: { [name]: value } });
const INVALID = 'invalid network config:\n';

describe('N3 network create', () => {
  test.each<Refused>([
    [
      'host bits in the subnet',
      400,
      `${INVALID}invalid subnet 10.10.10.0/8: it should be 10.0.0.0/8`,
      ipam({ Subnet: '10.10.10.0/8' }),
    ],
    [
      'a subnet that is none',
      400,
      `${INVALID}invalid subnet 10.0.0.0: invalid CIDR block notation`,
      ipam({ Subnet: '10.0.0.0' }),
    ],
    [
      'a gateway outside',
      400,
      `${INVALID}invalid gateway 10.1.0.1: parent subnet 10.0.0.0/24 doesn't contain this address`,
      ipam({ Subnet: '10.0.0.0/24', Gateway: '10.1.0.1' }),
    ],
    ['a gateway without a subnet', 400, /corresponding subnet/, ipam({ Gateway: '10.1.0.1' })],
    [
      'a range that is bigger',
      400,
      /^invalid network config:\n(\* )?invalid ip-range 10\.0\.0\.0\/16: CIDR block is bigger than its parent subnet 10\.0\.0\.0\/24/,
      ipam({ Subnet: '10.0.0.0/24', IPRange: '10.0.0.0/16' }),
    ],
    [
      'a range outside',
      400,
      `${INVALID}invalid ip-range 10.1.0.0/28: parent subnet 10.0.0.0/24 doesn't contain ip-range`,
      ipam({ Subnet: '10.0.0.0/24', IPRange: '10.1.0.0/28' }),
    ],
    [
      'host bits in the range',
      400,
      `${INVALID}invalid ip-range 10.0.0.5/28: it should be 10.0.0.0/28`,
      ipam({ Subnet: '10.0.0.0/24', IPRange: '10.0.0.5/28' }),
    ],
    [
      'an auxiliary address outside',
      400,
      `${INVALID}invalid auxiliary address router: parent subnet 10.0.0.0/24 doesn't contain this address`,
      ipam({ Subnet: '10.0.0.0/24', AuxiliaryAddresses: { router: '10.9.0.1' } }),
    ],
    [
      'an IPv6 gateway in an IPv4 subnet',
      400,
      /^invalid network config:\ninvalid gateway fd00::1: parent subnet is an IPv4 block$/,
      ipam({ Subnet: '10.0.0.0/24', Gateway: 'fd00::1' }),
    ],
    [
      'a subnet that overlaps',
      403,
      'invalid pool request: Pool overlaps with other one on this address space',
      ipam({ Subnet: '172.17.0.0/24' }),
    ],
    [
      'two IPv4 subnets',
      403,
      /bridge driver doesn't support multiple subnets/,
      ipam({ Subnet: '10.0.0.0/24' }, { Subnet: '10.0.1.0/24' }),
    ],
    ['no family at all', 400, 'IPv4 or IPv6 must be enabled', { Name: 'net', EnableIPv4: false }],
    [
      'an unknown driver',
      404,
      'could not find plugin dr in v1 plugin registry: plugin not found',
      { Name: 'net', Driver: 'dr' },
    ],
    ['an unknown IPAM driver', 404, /plugin/, { Name: 'net', IPAM: { Driver: 'ip' } }],
    [
      'a second host network',
      403,
      'only one instance of "host" network is allowed',
      { Name: 'net', Driver: 'host' },
    ],
    [
      'an MTU that is no number',
      400,
      /failed to parse com\.docker\.network\.driver\.mtu value: /,
      option('com.docker.network.driver.mtu', 'big'),
    ],
    ['a negative MTU', 400, /invalid MTU number: -1/, option('com.docker.network.driver.mtu', '-1')],
    [
      'an unknown gateway mode',
      400,
      /unknown gateway mode/,
      option('com.docker.network.bridge.gateway_mode_ipv4', 'open'),
    ],
    [
      'a switch that is neither on nor off',
      400,
      /enable_icc/,
      option('com.docker.network.bridge.enable_icc', 'perhaps'),
    ],
    ['a bridge name that is too long', 400, /./, option('com.docker.network.bridge.name', 'x'.repeat(16))],
    ['a bridge name that is a path', 400, /./, option('com.docker.network.bridge.name', '../../x')],
    ['a bridge name that others use', 403, /./, option('com.docker.network.bridge.name', 'docker0')],
    ['the name bridge', 403, /operation is not permitted on predefined bridge network/, { Name: 'bridge' }],
    ['the name host', 403, /predefined host network/, { Name: 'host' }],
    ['the name none', 403, /predefined none network/, { Name: 'none' }],
    ['the name default', 403, /predefined default network/, { Name: 'default' }],
    ['no name', 400, /name/, { Name: '' }],
    ['a blank name', 400, /name/, { Name: ' ' }],
    ['a name with a line end', 400, /name/, { Name: 'a\nb' }],
    ['K15, the name .', 400, /invalid network name/, { Name: '.' }],
    ['K15, the name ..', 400, /invalid network name/, { Name: '..' }],
    [
      'a source of configuration that is not there',
      404,
      /configuration network/,
      { Name: 'net', ConfigFrom: { Network: 'nowhere' } },
    ],
  ])('N3 %s: %i', async (_, status, message, body) =>
    refuses('POST', '/networks/create', body, status, message),
  );

  test('N3 a name that is taken: 409', async () => {
    await d.docker('network', 'create', 'net');
    await refuses('POST', '/networks/create', { Name: 'net' }, 409, 'network with name net already exists');
  });
  test('N3 all mistakes of one request in one answer', async () => {
    const body = ipam({ Subnet: '10.0.0.1/24', Gateway: '10.9.0.1' });
    await refuses(
      'POST',
      '/networks/create',
      body,
      400,
      /invalid subnet 10\.0\.0\.1\/24[\s\S]*invalid gateway 10\.9\.0\.1/,
    );
  });
  test('N3 pools are exhausted: 400', async () => {
    await d.terminate();
    await d.start(['--default-address-pool', 'base=10.30.0.0/23,size=24']);
    const names: string[] = [];
    let refused: { status: number; message: string };
    for (;;) {
      const { status, json } = await d.api('POST', '/networks/create', { Name: `net-${names.length}` });
      refused = { status, message: (json as { message?: string }).message ?? '' }; // docker's error format
      if (status !== 201) break;
      names.push(`net-${names.length}`);
    }
    expect(names.length).toBeGreaterThan(0);
    expect(names.length).toBeLessThan(3);
    expect(refused).toEqual({
      status: 400,
      message: 'all predefined address pools have been fully subnetted',
    });
    await refuses('POST', '/networks/create', { Name: 'one-more' }, 400, /fully subnetted/);
    await d.clear();
    await d.terminate();
    await d.start([]);
  });
});

describe('N3 network rm, connect, disconnect', () => {
  test('N3 rm of a network in use, of a predefined and of an unknown one', async () => {
    await d.docker('network', 'create', 'net');
    await sleeper('box', '--network', 'net');
    await refuses(
      'DELETE',
      '/networks/net',
      undefined,
      403,
      /network net has active endpoints \(name:"box" id:"[0-9a-f]{12}"\)/,
    );
    await refuses(
      'DELETE',
      '/networks/bridge',
      undefined,
      403,
      'bridge is a pre-defined network and cannot be removed',
    );
    await refuses('DELETE', '/networks/nowhere', undefined, 404, 'network nowhere not found');
  });
  test('N3 connect: unknown names, twice, host mode, an address outside or taken or of another family', async () => {
    await d.docker('network', 'create', '--subnet', '10.40.0.0/24', 'net');
    await sleeper('box');
    await sleeper('other', '--network', 'net', '--ip', '10.40.0.9');
    const connect = (Container: string, IPAMConfig: object = {}) => ({
      Container,
      EndpointConfig: { IPAMConfig },
    });
    const path = '/networks/net/connect';
    await refuses('POST', '/networks/nowhere/connect', connect('box'), 404, 'network nowhere not found');
    await refuses('POST', path, connect('nobody'), 404, 'No such container: nobody');
    await refuses(
      'POST',
      path,
      connect('other'),
      403,
      'endpoint with name other already exists in network net',
    );
    await refuses('POST', '/networks/host/connect', connect('box'), 400, /host network/);
    await refuses(
      'POST',
      path,
      connect('box', { IPv4Address: '10.41.0.9' }),
      400,
      /no configured subnet contains IP address 10\.41\.0\.9/,
    );
    await refuses(
      'POST',
      path,
      connect('box', { IPv4Address: '10.40.0.9' }),
      403,
      /^Address already in use: 10.40.0.9 is that of container other$/,
    );
    await refuses(
      'POST',
      path,
      connect('box', { IPv4Address: '10.40.0.1' }),
      403,
      /^Address already in use: 10.40.0.1 is the gateway of network/,
    );
    await refuses('POST', path, connect('box', { IPv4Address: '10.40.0' }), 400, /10\.40\.0/);
    await refuses('POST', path, connect('box', { IPv6Address: 'fd00::9' }), 400, /fd00::9/);
  });
  test('N3 disconnect of what is not connected: 500 as in Docker', async () => {
    await d.docker('network', 'create', 'net');
    await sleeper('box');
    await refuses(
      'POST',
      '/networks/net/disconnect',
      { Container: 'box' },
      500,
      /is not connected to network net/,
    );
    await refuses(
      'POST',
      '/networks/net/disconnect',
      { Container: 'nobody' },
      404,
      'No such container: nobody',
    );
  });
});

/** A container that would be made but for `more`. */
const container = (more: object = {}, host: object = {}) => ({
  Image: 'alpine',
  Cmd: ['true'],
  HostConfig: host,
  ...more,
});
const publishing = (port: string, hostPort: string, hostIp = '') =>
  container({}, { PortBindings: { [port]: [{ HostIp: hostIp, HostPort: hostPort }] } });
const settings = (network: string, endpoint: object) =>
  container({ NetworkingConfig: { EndpointsConfig: { [network]: endpoint } } }, { NetworkMode: network });

describe('N3 P3 container create', () => {
  test.each<Refused>([
    ['port 0', 400, /invalid port specification: "0\/tcp"/, publishing('0/tcp', '80')],
    ['port 65536', 400, /invalid port specification: "65536\/tcp"/, publishing('65536/tcp', '80')],
    ['a port that is none', 400, /invalid port specification: "http\/tcp"/, publishing('http/tcp', '80')],
    ['an unknown protocol', 400, /80\/icmp|icmp/, publishing('80/icmp', '80')],
    ['host port 65536', 400, /65536/, publishing('80/tcp', '65536')],
    ['a reversed range', 400, /90-80/, publishing('80/tcp', '90-80')],
    ['a host address that is none', 400, /not-an-address/, publishing('80/tcp', '80', 'not-an-address')],
    [
      'an image that is not there',
      404,
      'No such image: nowhere:latest',
      { ...container(), Image: 'nowhere' },
    ],
    ['no command', 400, /no command specified/, { Image: 'alpine', Entrypoint: [''], Cmd: [] }],
    [
      'a sysctl of an interface that is not known',
      400,
      /unrecognised network interface sysctl/,
      settings('bridge', { DriverOpts: { 'com.docker.network.endpoint.sysctls': 'net.ipv4.nonsense' } }),
    ],
    [
      'an alias on the default bridge',
      400,
      /network-scoped aliases are only supported for user-defined networks/,
      settings('bridge', { Aliases: ['db'] }),
    ],
    [
      'an address on the default bridge',
      400,
      /user-specified IP address is supported on user-defined networks only|user.* IP address/i,
      settings('bridge', { IPAMConfig: { IPv4Address: '172.17.0.9' } }),
    ],
    ['an address that is none', 400, /999/, settings('net', { IPAMConfig: { IPv4Address: '999.1.1.1' } })],
    ['a MAC that is none', 400, /MAC/i, settings('net', { MacAddress: 'zz:zz' })],
    [
      'a restart policy that is none',
      400,
      /restart policy/,
      container({}, { RestartPolicy: { Name: 'sometimes' } }),
    ],
    ['a volume at a relative path', 400, /path/, container({}, { Binds: ['data:relative'] })],
    [
      'a bind mount of what is not there',
      400,
      /bind source path does not exist: \/nowhere/,
      container({}, { Mounts: [{ Type: 'bind', Source: '/nowhere', Target: '/x' }] }),
    ],
    [
      'a good volume beside a bad one',
      400,
      /./,
      container(
        {},
        {
          Mounts: [
            { Type: 'volume', Target: '/good' },
            { Type: 'bind', Source: '/nowhere', Target: '/x' },
          ],
        },
      ),
    ],
    [
      'a link to nobody',
      400,
      'could not get container for nobody: No such container: nobody',
      container({}, { Links: ['nobody:db'] }),
    ],
    ['a hostname that is too long', 400, /hostname/i, container({ Hostname: 'x'.repeat(70) })],
    ['K15, a hostname with a line end', 400, /hostname/, container({ Hostname: 'a\n1.2.3.4 evil' })],
    ['K15, a domain name with a blank', 400, /hostname/, container({ Domainname: 'a b' })],
    ['an extra host without address', 400, /extra|host/i, container({}, { ExtraHosts: ['nonsense'] })],
    ['a DNS server that is no address', 400, /./, container({}, { Dns: ['not-an-address'] })],
    ['a signal that is none', 400, /signal/i, container({ StopSignal: 'SIGNONSENSE' })],
  ])('N3 %s: %i', async (_, status, message, body) => {
    await d.docker('network', 'create', 'net');
    await refuses('POST', '/containers/create', body, status, message);
  });
  test.each([
    '-leading',
    'a',
    'with space',
    'slash/inside',
    'semi;colon',
    'new\nline',
    'ünï',
    '$(reboot)',
    '../up',
  ])('N3 the name %j: 400', async (name) => {
    const wanted = /^Invalid container name \([\s\S]*\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed$/;
    await refuses('POST', `/containers/create?name=${encodeURIComponent(name)}`, container(), 400, wanted);
  });
  test('N3 a name that is taken: 409', async () => {
    await d.docker('create', '--name', 'box', 'alpine', 'true');
    const wanted =
      /^Conflict\. The container name "\/box" is already in use by container "[0-9a-f]{64}"\. You have to remove/;
    await refuses('POST', '/containers/create?name=box', container(), 409, wanted);
  });
});

describe('P3 container start', () => {
  const created = async (body: unknown, name: string): Promise<void> => {
    expect((await d.api('POST', `/containers/create?name=${name}`, body)).status).toBe(201);
  };
  test('P3 a taken port: 500 in Docker’s words, whoever holds it', async () => {
    await sleeper('first', '-p', '8080:80');
    await created(publishing('80/tcp', '8080'), 'second');
    const wanted =
      /driver failed programming external connectivity on endpoint second \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/;
    await refuses('POST', '/containers/second/start', undefined, 500, wanted);
    await created(publishing('80/tcp', '9999'), 'third');
    const held = d.host(`timeout 20 nc -l ${HOST.ipv4} 9999`).catch(() => '');
    await d.host('until ss -Hltn sport = :9999 | grep -q .; do sleep 0.05; done');
    await refuses('POST', '/containers/third/start', undefined, 500, /9999/);
    await d.host(`nc -z ${HOST.ipv4} 9999`);
    await held;
    await d.docker('start', 'third');
  });
  test('P3 one of several ports is taken: none is held afterwards', async () => {
    await sleeper('first', '-p', '8085:80');
    const ports = Object.fromEntries([8081, 8082, 8085].map((p) => [`${p}/tcp`, [{ HostPort: String(p) }]]));
    await created(container({}, { PortBindings: ports }), 'second');
    await refuses(
      'POST',
      '/containers/second/start',
      undefined,
      500,
      /8085 failed: port is already allocated/,
    );
    await sleeper('third', '-p', '8081:80', '-p', '8082:80');
  });
  test('P3 an address that the host does not have', async () => {
    await created(publishing('80/tcp', '8080', '203.0.113.9'), 'box');
    await refuses('POST', '/containers/box/start', undefined, 500, /203\.0\.113\.9/);
  });
  test('P3 a network that has gone, an address that was taken meanwhile, a command that is not there', async () => {
    await d.docker('network', 'create', '--subnet', '10.40.0.0/24', 'net');
    await created(settings('net', { IPAMConfig: { IPv4Address: '10.40.0.9' } }), 'box');
    await sleeper('other', '--network', 'net', '--ip', '10.40.0.9');
    await refuses('POST', '/containers/box/start', undefined, 403, /Address already in use/);
    await d.docker('rm', '-f', 'other');
    await d.docker('network', 'rm', 'net');
    await refuses('POST', '/containers/box/start', undefined, 404, /network [0-9a-z]+ not found/);
    await created(container({}, { NetworkMode: 'container:nobody' }), 'guest');
    await refuses('POST', '/containers/guest/start', undefined, 404, /No such container: nobody/);
    await created({ ...container(), Cmd: ['/no/such/program'] }, 'none');
    await refuses('POST', '/containers/none/start', undefined, 400, /no such file or directory/i);
    await refuses('POST', '/containers/nobody/start', undefined, 404, 'No such container: nobody');
  });
});

describe('the API’s door', () => {
  const raw = async (method: string, path: string, body: string, headers: Record<string, string> = {}) => {
    const { status, json } = await d.api(method, path, body, headers);
    return { status, message: (json as { message?: string } | undefined)?.message ?? '' }; // docker's error format
  };
  afterEach(async () => {
    expect((await d.api('GET', '/_ping')).status).toBe(200);
  });
  test('not JSON, something behind it, another content type, an unknown path, a version from the future', async () => {
    await unchanged(async () => {
      const path = '/networks/create';
      expect(await raw('POST', path, '{"Name":')).toMatchObject({
        status: 400,
        message: expect.stringContaining('invalid JSON'),
      });
      expect(await raw('POST', path, '{"Name":"net"} x')).toEqual({
        status: 400,
        message: 'unexpected content after JSON',
      });
      expect(await raw('POST', path, '{"Name":"net"}', { 'content-type': 'text/plain' })).toMatchObject({
        status: 400,
        message: expect.stringMatching(
          /^unsupported Content-Type header \(text\/plain\): must be 'application\/json'/,
        ),
      });
      expect(await raw('GET', '/nowhere', '')).toEqual({ status: 404, message: 'page not found' });
      expect(await raw('GET', '/v9.99/networks', '')).toMatchObject({
        status: 400,
        message: expect.stringMatching(
          /^client version 9\.99 is too new\. Maximum supported API version is 1\.\d+/,
        ),
      });
    });
  });
  test('bodies of the wrong shape are the client’s fault, not the server’s', async () => {
    await unchanged(async () => {
      for (const body of [
        'null',
        '[]',
        '"x"',
        '7',
        '{"Name":7}',
        '{"Name":{"a":1}}',
        '{"Name":"net","IPAM":7}',
        '{"Name":"net","IPAM":{"Config":[7]}}',
        '{"Name":"net","Labels":["a"]}',
        '{"Name":"net","Options":{"a":{}}}',
      ])
        expect([body, (await raw('POST', '/networks/create', body)).status]).toEqual([body, 400]);
      for (const body of [
        'null',
        '[]',
        '{"Image":7}',
        '{"Image":"alpine","HostConfig":7}',
        '{"Image":"alpine","HostConfig":{"PortBindings":[1]}}',
        '{"Image":"alpine","NetworkingConfig":{"EndpointsConfig":{"bridge":7}}}',
      ])
        expect([body, (await raw('POST', '/containers/create', body)).status]).toEqual([body, 400]);
    });
  });
});
