/** What the API reads: creates, ports, filters, patterns, times, detach keys. Pure. */
import { describe, expect, it } from 'vitest';
import { detachReader, parseDetachKeys } from '../../src/api/http/detach.js';
import { readCreate } from '../../src/api/read/create.js';
import { parseFilters } from '../../src/api/read/filters.js';
import { compileGlob } from '../../src/api/read/glob.js';
import { readNetworkCreate } from '../../src/api/read/network.js';
import { compilePattern } from '../../src/api/read/pattern.js';
import { parseDuration, parseUnixNanoseconds, parseUntil } from '../../src/api/read/time.js';
import { readUpdate } from '../../src/api/read/update.js';
import { normalisePortBindings } from '../../src/api/validate/ports.js';

const create = (body: object, minor = 50) =>
  readCreate({ Image: 'busybox', ...body }, { name: 'c', platform: '', minor });
const host = (HostConfig: object, minor = 50, config: object = {}) =>
  create({ ...config, HostConfig }, minor);

describe('container create', () => {
  it('fills what a client left out as Go would', () => {
    const { request, warnings } = create({
      Cmd: 'true',
      Env: null,
      HostConfig: null,
      NetworkingConfig: null,
    });
    expect(warnings).toEqual([]);
    expect(request.config).toMatchObject({
      Image: 'busybox',
      Cmd: ['true'],
      Env: [],
      Entrypoint: null,
      Labels: {},
      Tty: false,
    });
    expect(request.hostConfig).toMatchObject({
      NetworkMode: 'bridge',
      PortBindings: {},
      Binds: null,
      Memory: 0,
    });
    expect(request.networks).toEqual([]);
  });

  it('reads names of fields in any case and keeps what only inspect shows', () => {
    const { request } = create({ hostconfig: { networkmode: 'net', VolumeDriver: 'local', Nonsense: 1 } });
    expect(request.hostConfig).toMatchObject({ NetworkMode: 'net', VolumeDriver: 'local' });
    expect(request.hostConfig).not.toHaveProperty('Nonsense');
  });

  it('translates endpoints, the main network first', () => {
    const { request } = create({
      HostConfig: { NetworkMode: 'main' },
      NetworkingConfig: {
        EndpointsConfig: {
          other: null,
          main: {
            IPAMConfig: { IPv4Address: '10.0.0.5' },
            Aliases: ['db'],
            MacAddress: '02-42-AC-11-00-02',
            GwPriority: 3,
          },
        },
      },
    });
    expect(request.networks.map(({ network }) => network)).toEqual(['main', 'other']);
    expect(request.networks[0]?.settings).toEqual({
      ipv4: '10.0.0.5',
      linkLocal: [],
      mac: '02:42:ac:11:00:02',
      aliases: ['db'],
      links: [],
      driverOptions: {},
      gwPriority: 3,
    });
  });

  it.each([
    [{}, { '0/tcp': [{}] }, 'invalid port specification: "0/tcp"'],
    [{}, { '65536/tcp': [{}] }, 'invalid port specification: "65536/tcp"'],
    [{}, { '80/foo': [{}] }, 'invalid port specification: "80/foo"'],
    [{}, { '80/tcp': [{ HostPort: '65536' }] }, 'invalid port specification: "65536"'],
    [{}, { '80/tcp': [{ HostPort: '90-80' }] }, 'invalid port specification: "90-80"'],
    [{}, { '80/tcp': [{ HostPort: 'aa80' }] }, 'invalid port specification: "aa80"'],
    [
      { NetworkMode: 'container:x' },
      { '80/tcp': [] },
      'conflicting options: port publishing and the container type network mode',
    ],
    [{ NetworkMode: 'container:' }, {}, 'invalid network mode: invalid container format container:<name|id>'],
    [{ NetworkMode: 'container:x', Dns: ['1.1.1.1'] }, {}, 'conflicting options: dns and the network mode'],
    [
      { NetworkMode: 'container:x', ExtraHosts: ['a:1.1.1.1'] },
      {},
      'conflicting options: custom host-to-IP mapping and the network mode',
    ],
    [
      { NetworkMode: 'host', Links: ['a:b'] },
      {},
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    ],
    [
      { RestartPolicy: { Name: 'always', MaximumRetryCount: 2 } },
      {},
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ],
    [
      { RestartPolicy: { Name: 'often' } },
      {},
      "invalid restart policy: unknown policy 'often'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ],
    [
      { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -1 } },
      {},
      'invalid restart policy: maximum retry count cannot be negative',
    ],
    [
      { AutoRemove: true, RestartPolicy: { Name: 'always' } },
      {},
      "can't create 'AutoRemove' container with restart policy",
    ],
    [{ Memory: 1024 }, {}, 'Minimum memory limit allowed is 6MB'],
    [
      { MemorySwap: 9e9 },
      {},
      'You should always set the Memory limit when using Memoryswap limit, see usage',
    ],
    [{ ExtraHosts: ['a'] }, {}, 'bad format for add-host: "a"'],
    [{ ExtraHosts: ['a:b'] }, {}, 'invalid IP address in add-host: "b"'],
    [{ IpcMode: 'odd' }, {}, 'invalid IPC mode: odd'],
  ])('refuses %j %j', (config, PortBindings, text) => {
    expect(() => host({ ...config, PortBindings })).toThrow(
      expect.objectContaining({ kind: 'invalid', message: text }),
    );
  });

  it('refuses a hostname with the network of another container', () => {
    expect(() => host({ NetworkMode: 'container:x' }, 50, { Hostname: 'h' })).toThrow(
      'conflicting options: hostname and the network mode',
    );
    expect(() => readCreate({}, { name: '', platform: '', minor: 50 })).toThrow(
      'config cannot be empty in order to create a container',
    );
  });

  it('refuses options of a tmpfs that it would not obey', () => {
    const mounted = (TmpfsOptions: object) =>
      host({ Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions }] });
    expect(mounted({ SizeBytes: 4096, Options: [] }).warnings).toEqual([]);
    expect(() => mounted({ Options: [['exec']] })).toThrow(
      'options of a tmpfs besides its size and mode are not supported',
    );
  });

  it('makes ports canonical and fills empty lists of bindings', () => {
    const { request, warnings } = create(
      {
        ExposedPorts: { '80': {}, '53/UDP': {} },
        HostConfig: { PortBindings: { '80': null, '53/udp': [{ HostIp: '::1', HostPort: '5-9' }] } },
      },
      52,
    );
    expect(Object.keys(request.config.ExposedPorts ?? {})).toEqual(['80/tcp', '53/udp']);
    expect(request.hostConfig.PortBindings).toEqual({
      '80/tcp': [{ HostIp: '', HostPort: '' }],
      '53/udp': [{ HostIp: '::1', HostPort: '5-9' }],
    });
    expect(warnings).toEqual([
      'Following container port(s) have an empty list of port-bindings: 80. Such bindings will be discarded in a future version.',
    ]);
  });

  it.each([
    ['a key', { '80': [{ HostIp: '', HostPort: '1' }] }],
    ['a missing address', { '80/tcp': [{ HostPort: '1' }] }],
    ['a field that nobody knows', { '80/tcp': [{ HostIp: '', HostPort: '1', Other: '' }] }],
    ['null for a text', { '80/tcp': [{ HostIp: null, HostPort: '1' }] }],
    ['the older name of the address', { '80/tcp': [{ HostIP: '', HostPort: '1' }] }],
    ['two keys of one port', { '80': [{ HostIp: '', HostPort: '1' }], '80/tcp': [] }],
  ])('rewrites bindings for %s alone', (_, sent) => {
    const canonical = { '80/tcp': [{ HostIp: '', HostPort: '1' }] };
    expect(normalisePortBindings(canonical)).toBe(canonical);
    expect(normalisePortBindings(sent)['80/tcp']?.[0]).toEqual({ HostIp: '', HostPort: '1' });
    expect(Object.keys(normalisePortBindings(sent))).toEqual(['80/tcp']);
  });

  it('places the container-wide MAC address by API version', () => {
    const mac = { MacAddress: '02:42:ac:11:00:09', HostConfig: { NetworkMode: 'n' } };
    for (const minor of [41, 50]) {
      expect(create(mac, minor).request.networks).toMatchObject([
        { network: 'n', settings: { mac: '02:42:ac:11:00:09' } },
      ]);
    }
    expect(create(mac, 41).warnings).toEqual([]);
    expect(create(mac, 50).warnings[0]).toMatch(/^The container-wide MacAddress field is now deprecated/);
    expect(() => create(mac, 52)).toThrow('container-wide MAC address no longer supported');
    expect(() => create({ ...mac, HostConfig: { NetworkMode: 'none' } }, 41)).toThrow(
      'conflicting options: mac-address and the network mode',
    );
    expect(() => create({ ...mac, MacAddress: 'junk' }, 41)).toThrow('invalid MAC address: junk');
  });

  it('moves sysctls of eth0 to the main endpoint for older clients', () => {
    const sysctls = {
      NetworkMode: 'n',
      Sysctls: { 'net.ipv4.conf.eth0.log_martians': '1', 'net.core.somaxconn': '9' },
    };
    const { request } = host(sysctls, 47);
    expect(request.hostConfig.Sysctls).toEqual({ 'net.core.somaxconn': '9' });
    expect(request.networks[0]?.settings.driverOptions).toEqual({
      'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.log_martians=1',
    });
    expect(() => host(sysctls, 48)).toThrow('must be supplied using driver option');
  });

  it('allows several networks since API 1.44', () => {
    const networks = { NetworkingConfig: { EndpointsConfig: { a: {}, b: {} } } };
    expect(create(networks, 44).request.networks).toHaveLength(2);
    expect(() => create(networks, 43)).toThrow(
      'Container cannot be created with multiple network endpoints: a, b',
    );
  });

  it('reads ten thousand ports without looking at each for each', () => {
    const ports = Array.from({ length: 10_000 }, (_, i) => 10_000 + i);
    const body: unknown = JSON.parse(
      JSON.stringify({
        Image: 'busybox',
        ExposedPorts: Object.fromEntries(ports.map((port) => [`${port}/tcp`, {}])),
        HostConfig: {
          PortBindings: Object.fromEntries(
            ports.map((port) => [`${port}/tcp`, [{ HostIp: '', HostPort: `${port}` }]]),
          ),
        },
      }),
    );
    readCreate(body, { name: '', platform: '', minor: 50 });
    const begun = performance.now();
    const { request } = readCreate(body, { name: '', platform: '', minor: 50 });
    const took = performance.now() - begun;
    expect(Object.keys(request.hostConfig.PortBindings)).toHaveLength(10_000);
    // 15–25 ms measured; to look at each for each takes many seconds.
    expect(took).toBeLessThan(2000);
  });
});

describe('other bodies', () => {
  it('reads a network with nulls and empty texts', () => {
    const request = readNetworkCreate(
      {
        Name: 'n',
        EnableIPv4: false,
        EnableIPv6: true,
        Options: null,
        IPAM: { Driver: 'default', Config: [{ Subnet: '10.0.0.0/24', IPRange: '', Gateway: null }, null] },
      },
      47,
    );
    expect(request).toMatchObject({
      name: 'n',
      ipv6: true,
      options: {},
      ipam: { config: [{ subnet: '10.0.0.0/24' }] },
    });
    expect(request).not.toHaveProperty('ipv4');
  });

  it('updates only what is not zero', () => {
    expect(readUpdate({ Memory: 0, NanoCpus: 5e8, CpusetCpus: '', RestartPolicy: { Name: '' } }, 50)).toEqual(
      { NanoCpus: 5e8 },
    );
    expect(readUpdate({ PidsLimit: -1, RestartPolicy: { Name: 'always' } }, 50)).toEqual({
      PidsLimit: 0,
      RestartPolicy: { Name: 'always', MaximumRetryCount: 0 },
    });
  });
});

describe('filters', () => {
  it('reads both forms alike', () => {
    for (const text of ['{"label":{"a=b":true,"c":false}}', '{"label":["a=b","c"]}']) {
      const filters = parseFilters(text, ['label']);
      expect(filters.get('label')).toEqual(['a=b', 'c']);
      expect(filters.labels('label', { a: 'b', c: '' })).toBe(true);
      expect(filters.labels('label', { a: 'x', c: '' })).toBe(false);
    }
    expect(parseFilters('null', []).has('x')).toBe(false);
  });

  it.each(['{', '[]', '"x"', '{"name":5}', '{"name":{"x":1}}', '{"name":[1]}', '{"odd":["x"]}'])(
    'refuses %s',
    (text) => {
      expect(() => parseFilters(text, ['name'])).toThrow(/^invalid filter/);
    },
  );

  it('reads booleans in four spellings and refuses others', () => {
    const dangling = (value: string) => parseFilters(JSON.stringify({ d: [value] }), ['d']).boolean('d');
    expect(['1', 'true', '0', 'false'].map(dangling)).toEqual([true, true, false, false]);
    expect(() => dangling('maybe')).toThrow("invalid filter 'd=[maybe]'");
  });
});

describe('patterns', () => {
  it.each([
    ['web', 'my-web-1', true],
    ['^/?web$', '/web', true],
    ['^/?web$', 'webs', false],
    ['a|b', 'xxb', true],
    ['^(a|bc)+$', 'abcbca', true],
    ['^a{2,3}$', 'aaaa', false],
    ['^a{2,}$', 'aaaa', true],
    ['^[^x-z_]+$', 'abc', true],
    ['^[^x-z_]+$', 'aby', false],
    ['(?i)^WEB$', 'web', true],
    ['^\\w+\\.\\d$', 'ab_.7', true],
    ['\\bdb\\b', 'my db 1', true],
    ['^$', '', true],
    ['^(?:x)(?P<n>y)?$', 'x', true],
  ])('%s on %j: %s', (pattern, text, matches) => {
    expect(compilePattern(pattern)?.(text)).toBe(matches);
  });

  it.each(['(', ')', '*a', 'a{3,1}', '[a', 'x'.repeat(1001), '\\q'])('%j is none', (pattern) => {
    expect(compilePattern(pattern)).toBeUndefined();
  });

  it('takes hostile patterns and 64 KiB of text in little time', () => {
    const begun = performance.now();
    for (const pattern of ['(a+)+$', '(a|a)*b', '(a*)*c', '(.*)(.*)(.*)[^a]$']) {
      compilePattern(pattern)?.(`${'a'.repeat(4096)}!`);
    }
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('reads globs as path.Match does', () => {
    expect(compileGlob('busy*')?.('busybox:latest')).toBe(true);
    expect(compileGlob('*')?.('a/b')).toBe(false);
    expect(compileGlob('*/b?')?.('a/bc')).toBe(true);
    expect(compileGlob('a.b')?.('axb')).toBe(false);
    expect(compileGlob('[a')).toBeUndefined();
  });
});

describe('times', () => {
  it('reads seconds with a fraction to the nanosecond', () => {
    expect(parseUnixNanoseconds('1700000000.5')).toBe(1_700_000_000_500_000_000n);
    expect(parseUnixNanoseconds('1700000000.123456789')).toBe(1_700_000_000_123_456_789n);
    expect(parseUnixNanoseconds('-')).toBeUndefined();
  });

  it('reads durations before now and dates', () => {
    expect(parseDuration('1h30m')).toBe(5_400_000);
    expect(parseUntil('10m', 1_000_000)).toBe(400_000);
    expect(parseUntil('2026-01-02T03:04', 0)).toBe(Date.parse('2026-01-02T03:04'));
    expect(parseUntil('2026-01-02T03:04:05Z', 0)).toBe(Date.parse('2026-01-02T03:04:05Z'));
    expect(() => parseUntil('soon', 0)).toThrow('failed to parse value as time or duration');
  });
});

describe('detach keys', () => {
  it('reads keys by name', () => {
    expect(parseDetachKeys('')).toEqual([16, 17]);
    expect(parseDetachKeys('ctrl-@,a,DEL,ctrl-_')).toEqual([0, 97, 127, 31]);
    expect(() => parseDetachKeys('ctrl-,x')).toThrow('Invalid detach keys (ctrl-,x) provided');
  });

  it('passes on what only looked like the sequence, in order', () => {
    const read = detachReader([1, 1, 2]);
    const typed = [[1], [1], [1, 1, 3], [1, 2], [1, 1], [2, 9]].map((chunk) => read(Uint8Array.from(chunk)));
    expect(typed.flatMap(({ bytes }) => [...bytes])).toEqual([1, 1, 1, 1, 3, 1, 2]);
    expect(typed.map(({ detached }) => detached)).toEqual([false, false, false, false, false, true]);
  });
});
