/** The sysctls that the kernel tells along with our interfaces are those below /proc/sys, on the host and in sandboxes. */
import { afterEach, expect, test } from 'vitest';
import { writeSysctl } from '../../src/kernel/sysctl.js';
import { objectKey, type SysctlObject } from '../../src/plan/objects.js';
import { BRIDGE, build, diff, endpoint, network, testKernel } from './kernel-support.js';

const t = testKernel();
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

const SETTINGS = [
  ['ipv4', 'arp_notify'],
  ['ipv4', 'route_localnet'],
  ['ipv6', 'accept_ra'],
  ['ipv6', 'disable_ipv6'],
  ['ipv6', 'accept_dad'],
  ['ipv6', 'ndisc_notify'],
] as const;

const wanted = (value: string): SysctlObject[] =>
  [
    { ns: 'host', name: BRIDGE },
    { ns: t.sandbox('a'), name: 'eth0' },
  ].flatMap(({ ns, name }) =>
    SETTINGS.map(([family, setting]) => ({
      kind: 'sysctl' as const,
      ns,
      path: `net/${family}/conf/${name}/${setting}`,
      value,
    })),
  );

test('each is told with its value, and only to who begins to watch', () => {
  t.kernel.apply(
    build([...network(), { kind: 'netns', path: t.sandbox('a') }, ...endpoint(t.sandbox('a'), 2, BRIDGE)]),
  );
  for (const value of ['0', '1']) {
    for (const o of wanted(value)) writeSysctl(o.ns, o.path, value);
    const told = t.kernel.watch(() => {}).filter((o) => o.kind === 'sysctl');
    const keys = new Set(wanted(value).map(objectKey));
    expect(told.filter((o) => keys.has(objectKey(o))).sort(byKey)).toEqual(wanted(value).sort(byKey));
  }
  expect(t.kernel.observe().filter((o) => o.kind === 'sysctl')).toEqual([]);
});

const byKey = (a: SysctlObject, b: SysctlObject): number => (objectKey(a) < objectKey(b) ? -1 : 1);
