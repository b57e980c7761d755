/** D10: what the Open vSwitch driver derives, carried out in a real Open vSwitch with the userspace datapath. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ovs as driver } from '../../src/drivers/ovs/index.js';
import type { Drift } from '../../src/kernel/contract.js';
import { createOvs } from '../../src/ovs/index.js';
import type { KernelObject } from '../../src/plan/objects.js';
import { objectKey } from '../../src/plan/objects.js';
import { startOvs, type TestOvs } from '../support/ovs.js';
import { until } from '../support/run.js';
import { aNetwork, anEndpoint, aSandbox, aView, HOST } from '../support/views.js';
import { build, diff, inside, testKernel } from './kernel-support.js';

let base: string;
let ovs: TestOvs;
let t: ReturnType<typeof testKernel>;

beforeAll(async () => {
  base = mkdtempSync('/tmp/vd-ovs-');
  ovs = await startOvs(base);
});
afterAll(async () => {
  await ovs.remove();
  rmSync(base, { recursive: true, force: true });
});
beforeEach(() => {
  t = testKernel({ ovs: createOvs({ runDirectory: ovs.runDirectory, wanted: () => true }) });
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

const NET = 'ovs-a1b2c3d4e5f';
type Options = Readonly<Record<string, string>>;

const networkOf = (options: Options, more: Parameters<typeof aNetwork>[0] = {}) =>
  aNetwork({ driver: 'ovs', options, ...more });

/** Network slice, and `n` endpoints with sandboxes of their own. */
const wanted = (options: Options, n: number, perEndpoint: Options = {}): readonly KernelObject[] => {
  const network = networkOf(options);
  const endpoints = Array.from({ length: n }, (_, i) => {
    const netns = t.sandbox(`s${i}`);
    const id = `e${i}`;
    const view = aView({
      network,
      endpoint: anEndpoint({
        id,
        mac: `02:42:ac:12:00:0${i + 2}`,
        ipv4: `172.18.0.${i + 2}/16`,
        driverOptions: i === 0 ? perEndpoint : {},
      }),
      sandbox: { ...aSandbox({ id: `5${i}`, gateway4: anEndpoint({ id }).id }), netns },
    });
    return [{ kind: 'netns' as const, path: netns }, ...driver.endpoint(view)];
  });
  return [
    ...(driver.shared?.([network], HOST) ?? []),
    ...driver.network({ network, host: HOST }),
    ...endpoints.flat(),
  ];
};

const ping = (from: number, to: string): boolean =>
  spawnSync('nsenter', [`--net=${t.sandbox(`s${from}`)}`, 'ping', '-c', '1', '-W', '1', to]).status === 0;

/** What observation tells of what was wanted, and the other way round: nothing is left to do. */
const left = (objects: readonly KernelObject[]): readonly string[] => {
  const unlisted = (o: KernelObject): boolean => o.kind === 'sysctl' || o.kind === 'offload';
  const observed = [...t.kernel.observe(), ...objects.filter((o) => unlisted(o) && t.kernel.present(o))];
  return diff(observed, objects).map(({ op, object }) => `${op} ${objectKey(object)}`);
};

test('a network with two containers: they reach each other and the host, and observation says what was planned', () => {
  const objects = wanted({}, 2);
  t.kernel.apply(build(objects));
  expect(left(objects)).toEqual([]);
  expect(ping(0, '172.18.0.3')).toBe(true);
  expect(ping(1, '172.18.0.1')).toBe(true);
  t.kernel.apply(diff(objects, []));
  expect(execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' })).not.toContain(NET);
});

test('a container sends with its own MAC and addresses only', () => {
  t.kernel.apply(build(wanted({}, 2)));
  const first = t.sandbox('s0');
  inside(first, 'ip', 'address', 'add', '172.18.9.9/16', 'dev', 'eth0');
  const from = (source: string): number | null =>
    spawnSync('nsenter', [`--net=${first}`, 'ping', '-c', '1', '-W', '1', '-I', source, '172.18.0.3']).status;
  expect(from('172.18.0.2')).toBe(0);
  expect(from('172.18.9.9')).not.toBe(0);
  inside(first, 'ip', 'link', 'set', 'eth0', 'address', '02:42:ac:12:00:99');
  expect(from('172.18.0.2')).not.toBe(0);
});

test('VLANs: containers of two tags on one bridge do not hear each other', () => {
  const objects = wanted({ bridge: 'sw0', vlan: '10' }, 3, { vlan: '20' });
  t.kernel.apply(build(objects));
  expect(left(objects)).toEqual([]);
  expect(ping(1, '172.18.0.4')).toBe(true);
  expect(ping(1, '172.18.0.1')).toBe(true);
  expect(ping(1, '172.18.0.2')).toBe(false);
});

test('an access list: first rule that fits decides', () => {
  const acl = 'allow out icmp 172.18.0.3; deny out icmp; deny in tcp any 8000-8999';
  const objects = wanted({}, 3, { acl });
  t.kernel.apply(build(objects));
  expect(left(objects)).toEqual([]);
  expect(ping(0, '172.18.0.3')).toBe(true);
  expect(ping(0, '172.18.0.4')).toBe(false);
  expect(ping(1, '172.18.0.4')).toBe(true);
});

test.each([
  { tunnel: 'vxlan', remote_ip: '192.0.2.7,192.0.2.8', key: '42', dst_port: '4790' },
  { tunnel: 'vxlan', remote_ip: '192.0.2.7,2001:db8::8', key: '42' },
  { tunnel: 'gre', remote_ip: '192.0.2.7,2001:db8::8', key: '42' },
])('limits, $tunnel tunnels to $remote_ip and shaping are read back as they were written', async (tunnel) => {
  const objects = wanted(
    { ...tunnel, ingress_rate: '10000', egress_rate: '20000', egress_min_rate: '500' },
    1,
  );
  t.kernel.apply(build(objects));
  expect(left(objects)).toEqual([]);
  expect(await ovs.vsctl('--columns=options', 'list', 'interface')).toContain('key="42"');
  t.kernel.apply(diff(objects, []));
  for (const table of ['bridge', 'port', 'interface', 'qos', 'queue'])
    expect(await ovs.vsctl('--columns=_uuid', 'list', table), table).toBe('');
});

test('a bridge of the user’s is used, and stays as it was', async () => {
  await ovs.vsctl('add-br', 'users', '--', 'set', 'bridge', 'users', 'datapath_type=netdev');
  await ovs.vsctl('add-port', 'users', 'theirs', '--', 'set', 'interface', 'theirs', 'type=internal');
  const before = await ovs.vsctl('list', 'bridge', 'users');
  const objects = wanted({ bridge: 'users' }, 2);
  t.kernel.apply(build(objects));
  expect(ping(0, '172.18.0.3')).toBe(true);
  t.kernel.apply(diff(objects, []));
  const withoutCounters = (text: string): string => text.replace(/^(statistics|status|_version).*$/gm, '');
  expect(withoutCounters(await ovs.vsctl('list', 'bridge', 'users'))).toBe(withoutCounters(before));
  expect(await ovs.ofctl('dump-flows', 'users', '--no-stats')).toMatch(/^\s*priority=0 actions=NORMAL\s*$/m);
  await ovs.vsctl('del-br', 'users');
});

test('what others changed is told of, and repaired by the difference', async () => {
  const objects = wanted({}, 2);
  t.kernel.apply(build(objects));
  const heard: Drift[] = [];
  t.kernel.watch((drift) => heard.push(...drift));
  const tells = (what: string): Promise<true> =>
    until(what, () => heard.some((d) => d.kind === 'service') || undefined).then(() => true);
  const repair = (): void => {
    const unlisted = (o: KernelObject): boolean => o.kind === 'sysctl' || o.kind === 'offload';
    const observed = [...t.kernel.observe(), ...objects.filter((o) => unlisted(o) && t.kernel.present(o))];
    t.kernel.apply(diff(observed, objects));
    expect(ping(0, '172.18.0.3')).toBe(true);
    heard.length = 0;
  };
  await tells('the first look');
  heard.length = 0;
  await ovs.vsctl('del-br', NET);
  await tells('a deleted bridge');
  repair();
  await ovs.vsctl('del-port', `vethe0${'0'.repeat(9)}`);
  await tells('an unplugged port');
  repair();
  await ovs.vsctl('set', 'port', `vethe0${'0'.repeat(9)}`, 'tag=7');
  await tells('a changed tag');
  repair();
  await ovs.ofctl('del-flows', NET);
  await tells('deleted flows');
  repair();
  await ovs.restart('ovs-vswitchd');
  await tells('ovs-vswitchd began anew');
  repair();
  await ovs.restart('ovsdb-server');
  await tells('ovsdb-server began anew');
  repair();
});
