/** Networks, endpoints and published ports as elements; the ruleset as text. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FirewallEndpoint, FirewallFamily, FirewallNetwork } from '../../src/firewall/contract.js';
import { linkLocalOf, endpointElements as objectsOf } from '../../src/firewall/endpoint.js';
import {
  apiElements,
  ledElements,
  networkElements,
  printRuleset,
  RULESET,
  relayElements,
  SANDBOX,
  SERVICES,
  setOf,
  WAY_BACK,
  wayBackOut,
} from '../../src/firewall/index.js';
import type { Statement, Table } from '../../src/firewall/language.js';
import { portRules } from '../../src/firewall/ports.js';
import { portsTaken } from '../../src/firewall/publish.js';
import { goTo, match } from '../../src/firewall/statements.js';
import type { PortBinding, Protocol } from '../../src/model/port.js';
import { type ElementObject, objectKey } from '../../src/plan/objects.js';

const endpointElements = (endpoint: FirewallEndpoint): readonly ElementObject[] =>
  objectsOf(endpoint).flatMap(ledElements);

const texts = (elements: readonly ElementObject[]): string[] =>
  elements.map(
    ({ family, set, key, data }) =>
      `${family} ${set} ${key.join(' . ')}${data ? ` : ${data.join(' . ')}` : ''}`,
  );
const v4 = (change: Partial<FirewallFamily> = {}): FirewallFamily => ({
  family: 4,
  subnet: '172.18.0.0/16',
  gateway: '172.18.0.1',
  mode: 'nat',
  masquerade: true,
  ...change,
});
const v6 = (change: Partial<FirewallFamily> = {}): FirewallFamily => ({
  ...v4(),
  family: 6,
  subnet: 'fd00::/64',
  gateway: 'fd00::1',
  ...change,
});
const network = (change: Partial<FirewallNetwork> = {}): FirewallNetwork => ({
  bridge: 'br-a',
  internal: false,
  icc: true,
  families: [v4()],
  ...change,
});
const endpoint = (change: Partial<FirewallEndpoint> = {}): FirewallEndpoint => ({
  network: network(),
  hostIfname: 'veth1',
  mac: '02:42:ac:12:00:02',
  addresses: ['172.18.0.2'],
  exposed: [],
  bindings: [],
  linkedTo: [],
  ...change,
});
const binding = (hostIp: string, hostPort: number, containerPort: number, count = 1): PortBinding => ({
  protocol: 'tcp',
  hostIp,
  hostPort,
  containerPort,
  count,
});
const published = (change: Partial<FirewallEndpoint>): string[] =>
  texts(endpointElements(endpoint(change))).filter((text) => /publish|held|relay|routed/.test(text));

describe('a network', () => {
  test('is closed for the family it does not have', () => {
    expect(texts(networkElements(network()))).toEqual([
      'inet bridges br-a',
      'inet same_bridge br-a . br-a',
      'inet direct br-a . br-a',
      'inet nat_bridges ipv4 . br-a',
      'inet masqueraded ipv4 . br-a',
      'inet gateways4 172.18.0.1',
      'inet out_of ipv6 . br-a',
    ]);
  });
  test.each([
    ['nat', 'nat_bridges'],
    ['nat-unprotected', 'open_bridges'],
    ['routed', 'routed_bridges'],
  ] as const)('with gateway mode %s is one of %s', (mode, set) => {
    const elements = texts(networkElements(network({ families: [v4({ mode }), v6({ mode })] })));
    for (const family of ['ipv4', 'ipv6']) {
      expect(elements).toContain(`inet ${set} ${family} . br-a`);
      expect(elements.includes(`inet masqueraded ${family} . br-a`)).toBe(mode !== 'routed');
    }
    expect(elements.join()).not.toContain('out_of');
  });
  test('that is internal is closed both ways and sees only its bridge', () => {
    const elements = texts(networkElements(network({ internal: true, families: [v4(), v6()] })));
    for (const family of ['ipv4', 'ipv6'])
      expect(elements).toEqual(
        expect.arrayContaining([
          `inet out_of ${family} . br-a`,
          `inet closed ${family} . br-a`,
          `inet from ${family} . br-a : goto from_internal`,
        ]),
      );
    expect(elements.join()).not.toMatch(/masqueraded|(nat|routed|open)_bridges/);
  });
  test('that is isolated sees nothing of the host', () => {
    const families = [v4({ mode: 'isolated' })];
    expect(texts(networkElements(network({ internal: true, families })))).toEqual(
      expect.arrayContaining([
        'inet closed ipv4 . br-a',
        'inet from ipv4 . br-a : goto from_isolated',
        'inet isolated ipv4 . br-a',
      ]),
    );
  });
  test('that the host is no part of is deaf on a hook of its own bridge, and costs no other packet a look', () => {
    const families = [v4({ mode: 'isolated' })];
    const elements = texts(networkElements(network({ internal: true, deaf: true, families })));
    expect(elements).toContain('netdev guards br-a : deaf . - . - . -');
    expect(elements.join()).not.toMatch(/inet (closed|isolated) /);
  });
  test('leaves with the address it is told', () => {
    const elements = texts(networkElements(network({ families: [v4({ snat: '192.0.2.7' })] })));
    expect(elements).toContain('inet snat4 br-a : 192.0.2.7');
    expect(elements.join()).not.toContain('masqueraded');
    const plain = texts(networkElements(network({ families: [v4({ masquerade: false })] })));
    expect(plain.join()).not.toMatch(/masqueraded|snat/);
  });
  test('trusts interfaces, and does not trust itself without ICC', () => {
    const elements = texts(networkElements(network({ icc: false, trusted: ['eth1'] })));
    expect(elements.filter((e) => e.includes('direct'))).toEqual(['inet direct eth1 . br-a']);
  });
});

describe('an endpoint', () => {
  test('is bound to its MAC and addresses, and to the link-local one where the network has IPv6', () => {
    expect(texts(endpointElements(endpoint()))).toEqual([
      'netdev macs veth1 . 02:42:ac:12:00:02',
      'netdev senders4 veth1 . 02:42:ac:12:00:02 . 172.18.0.2',
      'netdev guards veth1 : guard . 02:42:ac:12:00:02 . 172.18.0.2 . -',
    ]);
    const dual = endpoint({ network: network({ families: [v4(), v6()] }), addresses: ['fd00::2'] });
    expect(texts(endpointElements(dual)).filter((e) => e.includes('senders'))).toEqual([
      'netdev senders6 veth1 . 02:42:ac:12:00:02 . fd00::2',
      'netdev senders6 veth1 . 02:42:ac:12:00:02 . fe80::42:acff:fe12:2',
    ]);
    expect(texts(endpointElements(dual))).toContain(
      'netdev guards veth1 : guard . 02:42:ac:12:00:02 . - . fd00::2',
    );
  });
  test('that routes has another guard', () => {
    expect(texts(endpointElements(endpoint({ forwards: true })))).toContain(
      'netdev guards veth1 : guard_router . 02:42:ac:12:00:02 . 172.18.0.2 . -',
    );
  });
  test('opens its links only where containers may not talk', () => {
    const linkedTo = [
      { protocol: 'tcp', port: 5432, address: '172.18.0.3' },
      { protocol: 'udp', port: 53, address: 'fd00::3' },
    ] as const;
    expect(texts(endpointElements(endpoint({ linkedTo }))).join()).not.toContain('links');
    const quiet = endpoint({ linkedTo, network: network({ icc: false }) });
    expect(texts(endpointElements(quiet)).filter((e) => /links|icc/.test(e))).toEqual([
      'bridge icc_off veth1',
      'inet links4 172.18.0.2 . 172.18.0.3 . tcp . 5432',
      'bridge links4 172.18.0.2 . 172.18.0.3 . tcp . 5432',
    ]);
  });
  test.each([
    ['02:42:ac:12:00:02', 'fe80::42:acff:fe12:2'],
    ['00:00:00:00:00:00', 'fe80::200:ff:fe00:0'],
    ['02:00:00:00:ff:01', 'fe80::ff:fe00:ff01'],
  ])('with MAC %s has the link-local address %s', (mac, address) => {
    expect(linkLocalOf(mac)).toBe(address);
  });
});

describe('a published port', () => {
  test('is one element on any address or on one', () => {
    expect(published({ bindings: [binding('0.0.0.0', 8080, 80), binding('127.0.0.1', 81, 80)] })).toEqual([
      'inet publish_any4 tcp . 8080 : 172.18.0.2 . 80',
      'inet held_any4 tcp . 8080',
      'inet publish4 127.0.0.1 . tcp . 81 : 172.18.0.2 . 80',
      'inet held4 127.0.0.1 . tcp . 81',
    ]);
  });
  test('keeps one element in a long run, and is many where the numbers shift', () => {
    expect(published({ bindings: [binding('0.0.0.0', 20_000, 20_000, 10_000)] })).toEqual([
      'inet publish_any_range4 tcp . 20000-29999 : 172.18.0.2',
      'inet held_any_range4 tcp . 20000-29999',
    ]);
    expect(published({ bindings: [binding('192.0.2.1', 20_000, 20_000, 16)] })).toEqual([
      'inet publish_range4 192.0.2.1 . tcp . 20000-20015 : 172.18.0.2',
      'inet held_range4 192.0.2.1 . tcp . 20000-20015',
    ]);
    const shifted = published({ bindings: [binding('0.0.0.0', 20_000, 10_000, 500)] });
    expect(shifted).toHaveLength(501);
    expect(shifted[500]).toBe('inet held_any_range4 tcp . 20000-20499');
    expect(shifted[499]).toBe('inet publish_any4 tcp . 20499 : 172.18.0.2 . 10499');
    expect(published({ bindings: [binding('0.0.0.0', 80, 80, 15)] })).toHaveLength(30);
  });
  test('A K5: tells the ports of the host that it takes', () => {
    const bindings = [
      binding('0.0.0.0', 8080, 80),
      binding('127.0.0.1', 81, 80),
      binding('::', 20_000, 20_000, 16),
      binding('2001:db8::1', 90, 91),
    ];
    const addresses = ['172.18.0.2', 'fd00::2'];
    const both = network({ families: [v4(), v6()] });
    const elements = endpointElements(endpoint({ network: both, addresses, bindings }));
    expect(
      portsTaken(elements).map(({ address, port, count, target }) => [address, port, count, target.port]),
    ).toEqual(bindings.map((b) => [b.hostIp, b.hostPort, b.count, b.containerPort]));
  });
  test('N F1: is named with its neighbours by one element, wherever each of them leads', () => {
    const mixed = Array.from({ length: 500 }, (_, i) => binding('0.0.0.0', 20_000 + ((i * 7) % 500), 80 + i));
    const named = (bindings: readonly PortBinding[]) =>
      published({ bindings }).filter((text) => !text.includes('publish'));
    expect(named(mixed)).toEqual(['inet held_any_range4 tcp . 20000-20499']);
    expect(named(mixed.map((each) => ({ ...each, hostIp: '::' })))).toEqual([
      'inet relay_any_range6 tcp . 20000-20499',
    ]);
    const apart = mixed.filter(({ hostPort }) => hostPort % 16 !== 0);
    expect(named(apart)).toEqual(
      apart
        .map(({ hostPort }) => hostPort)
        .sort((a, b) => a - b)
        .map((port) => `inet held_any4 tcp . ${port}`),
    );
  });
  test('N F1: is named by exactly the sets of its protocol and place, never twice', () => {
    const bindings = fc.array(
      fc.record({
        protocol: fc.constantFrom<Protocol>('tcp', 'udp'),
        hostIp: fc.constantFrom('0.0.0.0', '127.0.0.1', '192.0.2.1', '::', '::1'),
        hostPort: fc.integer({ min: 1, max: 80 }),
        containerPort: fc.integer({ min: 1, max: 80 }),
        count: fc.integer({ min: 1, max: 40 }),
      }),
      { maxLength: 12 },
    );
    const places = (all: readonly PortBinding[]): string[] =>
      all
        .filter(({ protocol }) => protocol === 'tcp')
        .flatMap(({ hostIp, hostPort, count }) =>
          Array.from({ length: count }, (_, i) => `${hostIp} ${hostPort + i}`),
        );
    const namedPlaces = (texts: readonly string[]): string[] =>
      texts.flatMap((text) => {
        const [, any, family, address, from = '', to = from] =
          /^inet (?:held|relay)(_any)?(?:_range)?([46]) (?:(\S+) \. )?tcp \. (\d+)(?:-(\d+))?$/.exec(text) ??
          [];
        const place = any ? (family === '4' ? '0.0.0.0' : '::') : address;
        return Array.from(
          { length: Number(to) - Number(from) + 1 },
          (_, i) => `${place} ${Number(from) + i}`,
        );
      });
    fc.assert(
      fc.property(bindings, (all) => {
        const found = namedPlaces(published({ bindings: all }).filter((text) => !text.includes('publish')));
        expect(found.sort()).toEqual([...new Set(places(all))].sort());
      }),
    );
  });
  test('N F7: on IPv6 is translated to a container that has it; on ::1 and link-local addresses relayed', () => {
    const addresses = ['172.18.0.2', 'fd00::2'];
    expect(published({ addresses, bindings: [binding('::', 8080, 80)] })).toEqual([
      'inet publish_any6 tcp . 8080 : fd00::2 . 80',
      'inet held_any6 tcp . 8080',
    ]);
    expect(published({ addresses, bindings: [binding('fe80::1%eth0', 8080, 80)] })).toEqual([
      'inet relay6 fe80::1 . tcp . 8080',
    ]);
    expect(published({ addresses, bindings: [binding('::1', 8080, 80)] })).toEqual([
      'inet relay6 ::1 . tcp . 8080',
    ]);
    expect(published({ addresses, bindings: [binding('2001:db8::1', 8080, 80)] })).toEqual([
      'inet publish6 2001:db8::1 . tcp . 8080 : fd00::2 . 80',
      'inet held6 2001:db8::1 . tcp . 8080',
    ]);
  });
  test('of the other family is relayed, TCP only', () => {
    const bindings = [
      binding('::', 8080, 80),
      binding('::', 9000, 9000, 100),
      { ...binding('::', 53, 53), protocol: 'udp' as const },
    ];
    expect(published({ bindings })).toEqual([
      'inet relay_any6 tcp . 8080',
      'inet relay_any_range6 tcp . 9000-9099',
    ]);
    expect(published({ addresses: ['fd00::2'], bindings: [binding('192.0.2.1', 8080, 80)] })).toEqual([
      'inet relay4 192.0.2.1 . tcp . 8080',
    ]);
  });
  test('in a routed network is a port of the container', () => {
    const routed = network({ families: [v4({ mode: 'routed' })] });
    const bindings = [
      binding('0.0.0.0', 8080, 80),
      binding('127.0.0.1', 8081, 80),
      binding('0.0.0.0', 1, 1, 99),
    ];
    expect(published({ network: routed, bindings: bindings.slice(0, 2) })).toEqual([
      'inet routed4 172.18.0.2 . tcp . 80',
    ]);
    expect(published({ network: routed, bindings })).toEqual(['inet routed_range4 172.18.0.2 . tcp . 1-99']);
  });
  test('in an internal network is nothing', () => {
    expect(published({ network: network({ internal: true }), bindings: [binding('0.0.0.0', 1, 1)] })).toEqual(
      [],
    );
  });
});

describe('the ruleset', () => {
  const all = [...RULESET, ...SANDBOX, SERVICES];
  const elements = [
    ...networkElements(network({ internal: true, icc: false, trusted: ['eth0'], families: [v4(), v6()] })),
    ...networkElements(network({ bridge: 'br-b', families: [v4({ snat: '192.0.2.1' }), v6()] })),
    ...endpointElements(
      endpoint({ forwards: true, bindings: [binding('::', 1, 2), binding('0.0.0.0', 1, 2)] }),
    ),
    ...relayElements(40_000),
    ...apiElements([2375]),
  ];
  const statements = ({ chains, counted }: Table): readonly Statement[] =>
    [...chains, ...(counted ? [counted] : [])].flatMap(({ rules }) =>
      rules.flatMap((rule) => rule.statements),
    );
  const portElements = elements.filter(({ family, set }) =>
    RULESET.some((table) => table.family === family && table.ports?.name === set),
  );

  test('declares the set of every element, with its fields', () => {
    for (const element of elements.filter((each) => !portElements.includes(each))) {
      const declared = setOf(element.family, element.set);
      expect(declared?.key, objectKey(element)).toHaveLength(element.key.length);
      expect(declared?.data?.length, objectKey(element)).toBe(element.data?.length);
    }
  });
  test('has the chain of every verdict', () => {
    for (const { family, data } of elements) {
      const chain = /^(?:goto|jump) (\S+)$/.exec(data?.[0] ?? '')?.[1];
      const table = RULESET.find((t) => t.family === family);
      if (chain) expect(table?.chains.map(({ name }) => name)).toContain(chain);
    }
  });
  test('uses every set, and only sets and chains that it declares', () => {
    for (const table of all) {
      const all = [...statements(table), ...(table.ports?.rules ?? []).flatMap((rule) => rule.statements)];
      const used = all.flatMap((s) => ('set' in s ? [s.set] : 'map' in s ? [s.map] : []));
      expect([...new Set(used)].sort()).toEqual(table.sets.map(({ name }) => name).sort());
      const names = table.chains.map(({ name }) => name);
      for (const s of statements(table)) if ('chain' in s) expect(names).toContain(s.chain);
    }
  });
  test('has in a port’s chain the values of its element, and no rule for a value that it has not', () => {
    const [guards] = portElements;
    const { ports, chains = [] } = RULESET.find((table) => table.ports) ?? {};
    if (!ports || !guards?.data) throw new Error('no chain of a port');
    const rules = portRules(ports, guards.data);
    expect(rules.map((rule) => JSON.stringify(rule.statements)).join('\n')).not.toContain('$');
    expect(rules).toHaveLength(2);
    expect(rules[0]?.statements).toContainEqual(match('ip saddr', '172.18.0.2'));
    expect(rules[1]?.statements).toEqual([goTo('guard_router')]);
    const values = ['guard', '02:42:ac:12:00:02', '172.18.0.2', 'fd00::2', '0x0243'];
    expect(portRules(ports, values)).toHaveLength(ports.rules.length);
    const names = chains.map(({ name }) => name);
    expect(names).toContain('guard_router');
    expect(names).toContain('guard');
  });
  test('is printed as it was', async () => {
    await expect(printRuleset(RULESET)).toMatchFileSnapshot('firewall-ruleset.nft');
    await expect(printRuleset([...SANDBOX, SERVICES, WAY_BACK, wayBackOut('eth0')])).toMatchFileSnapshot(
      'firewall-sandbox.nft',
    );
  });
  test.skipIf(process.getuid?.() !== 0)('is read by nft', () => {
    const directory = mkdtempSync(join(tmpdir(), 'viaduct-nft-'));
    try {
      const file = join(directory, 'rules.nft');
      // `icmpv6 taddr` is younger than Debian 12's nft
      const text = printRuleset(all).replaceAll(/^.*icmpv6 taddr.*\n/gm, '');
      writeFileSync(file, text);
      execFileSync('unshare', ['--net', 'nft', '--check', '--file', file], { stdio: 'pipe' });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
