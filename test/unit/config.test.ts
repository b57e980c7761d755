/** The daemon's door: flags and daemon.json as dockerd reads them, refusals, warnings, and what SIGHUP may change. */
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DOCKER_FILE, OWN_FILE, readInvocation, reloadable } from '../../src/config/index.js';
import { ALL_OPTIONS } from '../../src/config/options.js';

const invoke = (argv: string[], files: Record<string, string> = {}) =>
  readInvocation(argv, '1.2.3', (path) => files[path]);
const run = (argv: string[], json?: object | string) => {
  const text = typeof json === 'string' ? json : JSON.stringify(json);
  const outcome = invoke(argv, json === undefined ? {} : { [OWN_FILE]: text });
  if (outcome.kind !== 'run') throw new Error(`printed: ${outcome.text}`);
  return outcome;
};
const config = (argv: string[], json?: object | string) => run(argv, json).config;

describe('environment', () => {
  test.each([
    [undefined, true],
    ['1', true],
    ['0', false],
    ['true', false],
    ['', false],
  ])(
    'E5: variables of links, where DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS is %j: %j',
    (keep, wanted) => {
      const environment = { DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS: keep };
      expect(readInvocation([], '1.2.3', () => undefined, environment)).toMatchObject({
        config: { linkVariables: wanted },
      });
    },
  );
});

describe('flags', () => {
  test('defaults', () => {
    expect(config([])).toMatchObject({
      hosts: ['unix:///var/run/docker.sock'],
      dataRoot: '/var/lib/viaduct',
      icc: true,
      ipForward: true,
      ip: '0.0.0.0',
      logLevel: 'info',
    });
  });
  test('values after a space, after =, glued to a letter; repeated', () => {
    const hosts = [
      '-H',
      'unix:///a',
      '-Hunix:///b',
      '-H=unix:///c',
      '--host',
      'unix:///d',
      '--host=unix:///a',
    ];
    expect(config(hosts).hosts).toEqual(['unix:///a', 'unix:///b', 'unix:///c', 'unix:///d']);
    expect(config(['--dns', '1.1.1.1', '--dns=2001:DB8::1']).dns).toEqual(['1.1.1.1', '2001:db8::1']);
  });
  test('a switch takes its value only after =', () => {
    expect(config(['--icc=false', '--ipv6', '--ip-masq=0'])).toMatchObject({
      icc: false,
      ipv6: true,
      ipMasquerade: false,
    });
    expect(() => config(['--icc', 'false'])).toThrow('accepts no arguments: "false"');
  });
  test('letters of switches may be joined, the last may take a value', () => {
    expect(config(['-Dl', 'warn']).logLevel).toBe('debug');
    expect(config(['-l', 'WARN']).logLevel).toBe('warn');
  });
  test('pools and network options', () => {
    const argv = [
      '--default-address-pool',
      'base=10.10.0.0/16,size=24',
      '--default-address-pool=size=64,base=fd00:1::/48',
    ];
    expect(config(argv).defaultAddressPools).toEqual([
      { base: '10.10.0.0/16', size: 24 },
      { base: 'fd00:1::/48', size: 64 },
    ]);
    const options = [
      '--default-network-opt=bridge=a=1',
      '--default-network-opt',
      'bridge=b=x=y',
      '--default-network-opt=macvlan=c=2',
    ];
    expect(config(options).defaultNetworkOptions).toEqual({
      bridge: { a: '1', b: 'x=y' },
      macvlan: { c: '2' },
    });
  });
  test.each([
    [['--nope'], 'unknown flag: --nope'],
    [['-z'], "unknown shorthand flag: 'z' in -z"],
    [['--bip'], 'flag needs an argument: --bip'],
    [['--mtu', '0x50'], 'invalid argument "0x50" for "--mtu" flag'],
    [['--icc=maybe'], 'invalid argument "maybe" for "--icc" flag'],
    [['--log-opt', 'x'], 'must be a key=value pair'],
    [['extra'], '"viaductd" accepts no arguments: "extra"'],
    [['--default-address-pool', 'base=10.0.0.0/8,bits=3'], "unexpected key 'bits'"],
  ])('%j is refused', (argv, message) => {
    expect(() => config(argv)).toThrow(message);
  });
  test('--help names every obeyed flag, --version the version, --validate checks only', () => {
    const help = invoke(['--help']);
    for (const { flag, stance } of ALL_OPTIONS.values()) {
      if (flag !== '' && stance.kind === 'obeyed')
        expect(help).toHaveProperty('text', expect.stringContaining(`--${flag}`));
    }
    expect(invoke(['-v'])).toEqual({ kind: 'print', text: 'Viaduct version 1.2.3\n' });
    expect(invoke(['--validate'])).toEqual({ kind: 'print', text: 'configuration OK\n' });
    expect(() => invoke(['--validate', '--mtu=-1'])).toThrow('invalid default MTU: -1');
  });
});

describe('values', () => {
  test.each([
    [['--mtu', '-1'], 'invalid default MTU: -1'],
    [['--mtu', '65536'], 'invalid default MTU: 65536'],
    [['--bip', '10.0.0.1'], 'invalid CIDR address: 10.0.0.1'],
    [['--bip', 'fd00::1/64'], 'is not an IPv4 network'],
    [['--bip', '010.0.0.1/24'], 'invalid CIDR address'],
    [['--fixed-cidr-v6', '10.0.0.0/24'], 'is not an IPv6 network'],
    [['--bip', '10.0.0.1/24', '--fixed-cidr', '10.0.1.0/25'], '10.0.1.0/25 is not inside bip 10.0.0.1/24'],
    [['--bip', '10.0.0.1/24', '--fixed-cidr', '10.0.0.0/16'], 'is not inside bip'],
    [['--bip', '10.0.0.1/24', '--default-gateway', '10.1.0.1'], 'is not inside bip'],
    [['--bridge', 'br0', '--bip', '10.0.0.1/24'], 'mutually exclusive'],
    [['--bridge', 'a-name-too-long-for-linux'], 'is no interface name'],
    [['--dns', 'example.com'], 'IP address is not correctly formatted: example.com'],
    [['--dns-search', 'a b'], 'a b is not a valid domain'],
    [['--ip', 'everywhere'], 'IP address is not correctly formatted'],
    [['--label', 'x'], 'bad attribute format: x'],
    [['--label', 'a=1', '--label', 'a=2'], 'conflict labels for a=2 and a=1'],
    [['--log-level', 'loud'], 'invalid logging level: loud'],
    [['--default-address-pool', 'base=10.0.0.0/16,size=8'], 'size 8 must be between 16 and 32'],
    [
      ['--host-gateway-ip', '10.0.0.1', '--host-gateway-ip', '10.0.0.2'],
      'only one IPv4 host gateway IP address',
    ],
    [['--data-root', 'here'], 'here is not an absolute path'],
    [['-H', 'ftp://x'], 'Invalid bind address format: ftp://x'],
    [['-H', 'tcp://x:99999'], 'Invalid bind address format'],
    [['-H', `unix:///${'x'.repeat(200)}`], 'at most 107 bytes'],
    [['--registry-mirror', 'mirror'], 'must be http://HOST or https://HOST'],
  ])('%j is refused', (argv, message) => {
    expect(() => config(argv)).toThrow(message);
  });
  test('addresses are canonical, networks lose host bits, the bridge keeps its address', () => {
    const it = config(['--bip', '10.1.2.3/24', '--fixed-cidr=10.1.2.130/25', '--fixed-cidr-v6=FD00::1/64']);
    expect(it).toMatchObject({ bip: '10.1.2.3/24', fixedCidr: '10.1.2.128/25', fixedCidrV6: 'fd00::/64' });
  });
  test.each([
    ['tcp://0.0.0.0:2375', []],
    ['tcp://[::]:2375', []],
    ['tcp://192.0.2.7', []],
    ['tcp://[::ffff:127.0.0.1]:2375', []],
    ['tcp://some.host:2375', []],
    ['tcp://0.0.0.0:2376', ['--tlscacert', '/ca.pem']],
    ['tcp://0.0.0.0:0', ['--tls=false']],
  ])('K7: %s %j is not asked for twice: refused', (host, more) => {
    expect(() => config(['-H', host, ...more])).toThrow(/without client certificates|name the port/);
  });
  test('K7: TCP without client certificates, told twice or on the loopback, starts with a warning', () => {
    for (const argv of [
      ['-H', 'tcp://0.0.0.0:2375', '--tls=false'],
      ['-H', 'tcp://0.0.0.0:2376', '--tlsverify=false'],
      ['-H', 'tcp://127.0.0.1:2375'],
      ['-H', 'tcp://localhost'],
      ['-H', 'tcp://[::1]:0'],
    ])
      expect(run(argv).warnings).toEqual([expect.stringContaining('asks for no client certificate')]);
    expect(run(['-H', 'tcp://0.0.0.0:2376', '--tlsverify']).warnings).toEqual([]);
    expect(run([], { hosts: ['tcp://0.0.0.0:2375'], tls: false }).warnings).toHaveLength(1);
  });
  test('K7: as dockerd, TLS asks for certificates unless told not to, and --tlsverify means TLS', () => {
    expect(config(['--tls']).tls?.verify).toBe(true);
    expect(config(['--tlsverify=false']).tls?.verify).toBe(false);
    expect(config(['--tls=false', '--tlsverify']).tls?.verify).toBe(true);
    expect(config(['--tls=false']).tls).toBe(null);
  });
  test('M50: paths of TLS files may be relative', () => {
    expect(config(['--tlsverify', '--tlscert', 'here/cert.pem']).tls?.cert).toBe(resolve('here/cert.pem'));
  });
  test('hosts are written in full', () => {
    expect(config(['-H', 'unix://', '-H', ':4243', '-H', 'tcp://[::1]:99', '-H', 'fd://']).hosts).toEqual([
      'unix:///var/run/docker.sock',
      'tcp://localhost:4243',
      'tcp://[::1]:99',
      'fd://',
    ]);
    expect(config(['-H', 'tcp://0.0.0.0', '--tlsverify'])).toMatchObject({
      hosts: ['tcp://0.0.0.0:2376'],
      tls: {
        verify: true,
        ca: '/etc/docker/ca.pem',
        cert: '/etc/docker/cert.pem',
        key: '/etc/docker/key.pem',
      },
    });
  });
  test('hostile text is answered quickly', () => {
    const long = `${'a.'.repeat(32_768)}!`;
    const began = performance.now();
    expect(() => config(['--dns-search', long])).toThrow('is not a valid domain');
    expect(() => config(['-H', long])).toThrow('Invalid bind address');
    expect(() => config(['--bip', long])).toThrow('invalid CIDR');
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

describe('daemon.json', () => {
  test('dockerd’s keys', () => {
    const it = config([], {
      hosts: ['unix:///x.sock'],
      bip: '10.9.0.1/16',
      'default-address-pools': [{ base: '10.20.0.0/16', size: 24 }],
      'default-network-opts': { bridge: { 'com.docker.network.driver.mtu': '1400' } },
      dns: ['9.9.9.9'],
      'dns-opts': ['ndots:2'],
      'dns-search': ['example.com'],
      'host-gateway-ips': ['10.0.0.1', 'fd00::1'],
      'insecure-registries': ['registry.local:5000'],
      labels: ['a=b'],
      'live-restore': true,
      icc: false,
      'ip-masq': false,
      mtu: 1400,
    });
    expect(it).toMatchObject({
      hosts: ['unix:///x.sock'],
      bip: '10.9.0.1/16',
      defaultAddressPools: [{ base: '10.20.0.0/16', size: 24 }],
      defaultNetworkOptions: { bridge: { 'com.docker.network.driver.mtu': '1400' } },
      dns: ['9.9.9.9'],
      dnsOptions: ['ndots:2'],
      dnsSearch: ['example.com'],
      hostGatewayIps: ['10.0.0.1', 'fd00::1'],
      insecureRegistries: ['registry.local:5000'],
      labels: ['a=b'],
      liveRestore: true,
      icc: false,
      ipMasquerade: false,
      mtu: 1400,
    });
  });
  test('empty, blank and byte-order-marked files are no error', () => {
    expect(config([], '').mtu).toBe(0);
    expect(config([], ' \n').mtu).toBe(0);
    expect(config([], '\uFEFF{"mtu":1280}').mtu).toBe(1280);
  });
  test.each<[unknown, string]>([
    [
      { bogus: 1, dns: [], other: 2 },
      "the following directives don't match any configuration option: bogus, other",
    ],
    ['{"dns":', 'invalid JSON'],
    ['[]', 'invalid JSON: expected an object'],
    [{ mtu: '1400' }, 'invalid value for "mtu": expected a whole number, got "1400"'],
    [{ dns: '1.1.1.1' }, 'invalid value for "dns": expected a list of strings'],
    [{ icc: 'true' }, 'invalid value for "icc": expected true or false'],
    [
      { 'host-gateway-ip': '10.0.0.1', 'host-gateway-ips': [] },
      'must not both be specified in the config file',
    ],
  ])('%j is refused, naming the file', (json, message) => {
    const attempt = () => config([], typeof json === 'string' ? json : (json as object));
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(`unable to configure viaductd with file ${OWN_FILE}: `);
  });
  test('a setting in both places is a conflict, with both values', () => {
    expect(() =>
      config(['--dns', '8.8.8.8', '--mtu=1400'], { dns: ['1.1.1.1'], mtu: 1500, icc: true }),
    ).toThrow(
      'the following directives are specified both as a flag and in the configuration file: ' +
        'mtu: (from flag: 1400, from file: 1500), dns: (from flag: [8.8.8.8], from file: [1.1.1.1])',
    );
  });
  test('keys of Object.prototype are unknown keys like any other', () => {
    expect(() => config([], '{"__proto__": 1}')).toThrow("don't match any configuration option: __proto__");
    expect(() => config([], '{"constructor": 1}')).toThrow(
      "don't match any configuration option: constructor",
    );
  });
  test('Docker’s own file is read where ours is missing, without what places dockerd', () => {
    const docker = JSON.stringify({ dns: ['9.9.9.9'], 'data-root': '/docker', hosts: ['fd://'] });
    const outcome = invoke(['-H', 'unix:///x'], { [DOCKER_FILE]: docker });
    expect(outcome).toMatchObject({
      config: {
        dns: ['9.9.9.9'],
        dataRoot: '/var/lib/viaduct',
        hosts: ['unix:///x'],
        configFile: DOCKER_FILE,
      },
      warnings: [expect.stringContaining('(data-root, hosts)')],
    });
    expect(invoke([], { [DOCKER_FILE]: docker, [OWN_FILE]: '{}' })).toMatchObject({
      config: { dns: [] },
      warnings: [],
    });
  });
  test('a file named on the command line must be there, and counts whole', () => {
    expect(() => invoke(['--config-file', '/x.json'])).toThrow('with file /x.json: no such file');
    expect(invoke(['--config-file', DOCKER_FILE], { [DOCKER_FILE]: '{"data-root":"/d"}' })).toMatchObject({
      config: { dataRoot: '/d' },
    });
  });
});

describe('what does not apply here', () => {
  test('harmless settings are accepted with a warning', () => {
    const outcome = run(['--storage-driver', 'overlay2', '--userland-proxy=false'], {
      'max-concurrent-downloads': 3,
      features: { x: true },
    });
    expect(outcome.warnings).toEqual([
      expect.stringContaining('--userland-proxy is ignored'),
      expect.stringContaining('--storage-driver is ignored'),
      expect.stringContaining('--feature is ignored'),
      expect.stringContaining('--max-concurrent-downloads is ignored'),
    ]);
  });
  test.each([
    [['--iptables=false'], '--iptables false is not supported'],
    [['--userns-remap=default'], '--userns-remap default is not supported'],
    [['--authorization-plugin', 'opa'], '--authorization-plugin [opa] is not supported'],
    [['--log-driver', 'syslog'], '--log-driver syslog is not supported'],
  ])('%j would change what a user gets and is refused', (argv, message) => {
    expect(() => config(argv)).toThrow(message);
  });
  test('the same settings are fine where they ask for what happens anyway', () => {
    expect(
      run(['--iptables', '--ip6tables=true', '--log-driver=json-file', '--selinux-enabled=false']).warnings,
    ).toEqual([]);
  });
});

describe('SIGHUP', () => {
  const running = config(['--label', 'a=1', '--mtu', '1400']);
  test('changes labels, debug and DNS at once, names what needs a restart', () => {
    const result = reloadable(running, config(['--label', 'a=2', '-D', '--dns', '9.9.9.9', '--mtu', '1300']));
    expect(result.config).toMatchObject({ labels: ['a=2'], debug: true, dns: ['9.9.9.9'], mtu: 1400 });
    expect([...result.changed].sort()).toEqual(['debug', 'dns', 'labels', 'logLevel']);
    expect(result.needRestart).toEqual(['mtu']);
    expect(result.attributes).toMatchObject({ labels: '["a=2"]', debug: 'true', 'live-restore': 'false' });
  });
  test('an unchanged file changes nothing', () => {
    expect(reloadable(running, running)).toMatchObject({ config: running, changed: [], needRestart: [] });
  });
});

describe('S2: a cluster without swarm', () => {
  const flags = (store: string, advertise = 'eth0:2376', ...options: string[]) => [
    ...['--cluster-store', store],
    ...(advertise === '' ? [] : ['--cluster-advertise', advertise]),
    ...options.flatMap((each) => ['--cluster-store-opt', each]),
  ];
  test('none unless it is asked for', () => {
    expect(config([]).cluster).toBeUndefined();
  });
  test('store, address and options are read', () => {
    const all = flags(
      'etcd://a.example,192.0.2.9:4001,[2001:db8::1]:2379/net/',
      '[2001:db8::2]:2376',
      'kv.path=docker/nodes',
      'kv.cacertfile=/c/ca.pem',
      'kv.certfile=/c/cert.pem',
      'kv.keyfile=/c/key.pem',
      'discovery.heartbeat=5',
    );
    expect(config(all).cluster).toEqual({
      store: 'etcd://a.example,192.0.2.9:4001,[2001:db8::1]:2379/net/',
      endpoints: [
        { host: 'a.example', port: 2379 },
        { host: '192.0.2.9', port: 4001 },
        { host: '2001:db8::1', port: 2379 },
      ],
      path: 'net/docker/nodes',
      advertise: '2001:db8::2',
      advertisePort: 2376,
      tls: { ca: '/c/ca.pem', cert: '/c/cert.pem', key: '/c/key.pem' },
      heartbeat: 5,
      ttl: 15,
    });
    expect(config(flags('etcd://x')).cluster).toMatchObject({
      path: '',
      advertise: 'eth0',
      heartbeat: 20,
      ttl: 60,
    });
  });
  test.each<[string, string[], string]>([
    ['consul', flags('consul://x/y'), 'consul is not supported, use etcd://'],
    ['ZooKeeper', flags('zk://x/y'), 'zk is not supported, use etcd://'],
    ['no store at all', flags('x:2379'), 'is not etcd://HOST'],
    ['a host that is none', flags('etcd://a b/c'), 'neither HOST, HOST:PORT nor [IPV6]:PORT'],
    ['a port that is none', flags('etcd://x:70000'), 'cluster-store port'],
    ['a path with blanks', flags('etcd://x/a b'), 'a path has letters'],
    ['no address', flags('etcd://x', ''), 'cluster-store needs cluster-advertise'],
    ['an address that is none', flags('etcd://x', '0.0.0.0:2376'), 'neither INTERFACE:PORT nor ADDRESS:PORT'],
    ['an address alone', ['--cluster-advertise', 'eth0:2376'], 'mean nothing without cluster-store'],
    ['half a certificate', flags('etcd://x', 'eth0:1', 'kv.certfile=/c'), 'belong together'],
    ['an unknown option', flags('etcd://x', 'eth0:1', 'kv.nothing=1'), 'kv.nothing is unknown'],
    ['times that cannot be', flags('etcd://x', 'eth0:1', 'discovery.ttl=3'), 'must be more than'],
  ])('%s is refused in words', (_, argv, message) => {
    expect(() => config(argv)).toThrow(message);
  });
});
