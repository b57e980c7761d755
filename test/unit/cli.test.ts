/** What the `viaduct` command prints. */
import { describe, expect, test } from 'vitest';
import * as answers from '../../src/cli/answers.js';
import { clientOf } from '../../src/cli/client.js';
import { addressesText, objectsText, portsText, statusText, table } from '../../src/cli/tables.js';
import { dirty as dirtySchema } from '../../src/door/schema.js';

const container = (name: string, ports: object[], networks: object = {}) => ({
  Id: name,
  Names: [`/${name}`],
  State: 'running',
  Ports: ports,
  NetworkSettings: { Networks: networks },
});
const tcp = (IP: string, PublicPort: number, PrivatePort: number, Type = 'tcp') => ({
  IP,
  PublicPort,
  PrivatePort,
  Type,
});

test('a table is as wide as its cells and ends where they end', () => {
  expect(
    table([
      ['A', 'B'],
      ['long', 'x'],
      ['s', ''],
    ]),
  ).toBe('A     B\nlong  x\ns');
});

describe('ports', () => {
  test('in order of protocol, address and number, runs as one row, unpublished ones not at all', () => {
    const list = answers.containers.parse([
      container('web', [tcp('0.0.0.0', 8080, 80), tcp('::', 8080, 80), { PrivatePort: 443, Type: 'tcp' }]),
      container('range', [tcp('0.0.0.0', 7001, 81), tcp('0.0.0.0', 7000, 80), tcp('0.0.0.0', 7002, 90)]),
      container('dns', [tcp('127.0.0.1', 53, 53, 'udp')]),
    ]);
    expect(portsText(list)).toBe(
      [
        'HOST               PROTOCOL  CONTAINER  PORT',
        '0.0.0.0:7000-7001  tcp       range      80-81',
        '0.0.0.0:7002       tcp       range      90',
        '0.0.0.0:8080       tcp       web        80',
        '[::]:8080          tcp       web        80',
        '127.0.0.1:53       udp       dns        53',
      ].join('\n'),
    );
  });
  test('neighbouring ports of two containers stay apart', () => {
    const list = answers.containers.parse([
      container('aa', [tcp('0.0.0.0', 80, 80)]),
      container('bb', [tcp('0.0.0.0', 81, 81)]),
    ]);
    expect(portsText(list).split('\n')).toHaveLength(3);
  });
});

test('addresses by network; what a family does not have is a dash', () => {
  const list = answers.containers.parse([
    container('web', [], {
      front: { IPAddress: '172.18.0.2', GlobalIPv6Address: '', MacAddress: '02:42:ac:12:00:02' },
      back: { IPAddress: '172.19.0.2' },
    }),
    container('raw', [], { host: { IPAddress: '' } }),
  ]);
  expect(addressesText(list)).toBe(
    [
      'NETWORK  CONTAINER  IPV4        IPV6  MAC',
      'back     web        172.19.0.2  -     -',
      'front    web        172.18.0.2  -     02:42:ac:12:00:02',
      'host     raw        -           -     -',
    ].join('\n'),
  );
});

test('status shows warnings', () => {
  const version = {
    Components: [{ Name: 'Viaduct', Version: '0.1.0' }],
    ApiVersion: '1.52',
    MinAPIVersion: '1.24',
  };
  const summary = answers.summary.parse({
    ID: 'x',
    DockerRootDir: '/d',
    Containers: 3,
    ContainersRunning: 2,
    Images: 1,
    KernelVersion: '6.18',
    Warnings: ['mind this'],
  });
  const text = statusText('unix:///s', version, summary);
  expect(text).toContain('daemon      Viaduct 0.1.0 on unix:///s');
  expect(text).toContain('containers  2 running of 3');
  expect(text).toContain('warning     mind this');
  // N F8: by container what was dropped and why, most first
  const dropped = [
    { Container: 'a', Network: 'n', Reason: 'another MAC than its own', Packets: 1 },
    { Container: 'b', Network: 'n', Reason: 'another address than its own', Packets: 12 },
  ];
  expect(statusText('unix:///s', version, summary, dropped).split('\n').slice(-2)).toEqual([
    'dropped     12 packets of b on n: another address than its own',
    'dropped     1 packet of a on n: another MAC than its own',
  ]);
  const since = '2026-01-01T00:00:00.000Z';
  const dirty = dirtySchema.parse([
    { owner: { kind: 'endpoint', id: 'e', name: 'container a on network n' }, error: 'errno 16', since },
  ]);
  expect(statusText('unix:///s', version, summary, [], dirty).split('\n').at(-1)).toBe(
    `dirty       container a on network n, since ${since}: errno 16`,
  );
});

test('nobody there is said with the remedy; an address of another kind is refused', async () => {
  await expect(clientOf('unix:///not/there.sock')('/info')).rejects.toThrow(
    'no daemon answers on unix:///not/there.sock: start it with',
  );
  expect(() => clientOf('ssh://somewhere')).toThrow('neither unix:///path nor tcp://host:port');
});

test('objects: by whom they are there for; what is not there is marked and counted', () => {
  const network = { kind: 'network' as const, id: 'n', name: 'network web' };
  const host = { kind: 'host' as const, id: '', name: 'all networks together' };
  expect(
    objectsText([
      { kind: 'link', text: 'ip link add br-1 type bridge', owner: network, state: 'there' },
      { kind: 'sysctl', text: 'sysctl net.ipv4.ip_forward=1', owner: host, state: 'missing' },
      { kind: 'address', text: 'ip addr add 10.0.0.1/24 dev br-1', owner: network, state: 'unknown' },
    ]),
  ).toBe(
    [
      'network web:',
      '  ip link add br-1 type bridge',
      '? ip addr add 10.0.0.1/24 dev br-1',
      'all networks together:',
      '! sysctl net.ipv4.ip_forward=1',
      '! 1 not as it must be: `viaduct status` and the log say why',
      '? 1 not known: what keeps it does not answer',
    ].join('\n'),
  );
  expect(objectsText([])).toContain('nothing');
});
