/** An address that moves to another MAC is reached at once, by neighbours and by the host, over IPv4 and IPv6. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KernelObject } from '../../src/plan/objects.js';
import { BRIDGE, build, diff, endpoint, inside, ip, network, testKernel } from './kernel-support.js';

let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel();
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

const netns = (name: string) => ({ kind: 'netns' as const, path: t.sandbox(name) });
/** The endpoint of 172.18.0.3 with another link and MAC. */
const successor = (ns: string): readonly KernelObject[] =>
  endpoint(ns, 3, BRIDGE).map((o) =>
    o.kind === 'link' && o.type === 'veth'
      ? { ...o, name: 'veth0000000000f', peerMac: '02:42:ac:12:ff:ff' }
      : o,
  );

test.each(['172.18.0.3', 'fd00::3'])('%s under a new MAC', (address) => {
  const [a, b, c] = [t.sandbox('a'), t.sandbox('b'), t.sandbox('c')];
  const first = endpoint(b, 3, BRIDGE);
  t.kernel.apply(
    build([...network(), netns('a'), netns('b'), netns('c'), ...endpoint(a, 2, BRIDGE), ...first]),
  );
  expect(inside(a, 'ping', '-c1', '-W1', address)).toContain('1 received');
  expect(inside('/proc/self/ns/net', 'ping', '-c1', '-W1', address)).toContain('1 received');
  t.kernel.apply([...diff(first, []), ...build(successor(c))]);
  expect(ip('neighbour', 'show', address)).toContain('02:42:ac:12:ff:ff');
  expect(inside(a, 'ping', '-c1', '-W1', address)).toContain('1 received');
  expect(inside(a, 'ip', 'neighbour', 'show', address)).toContain('02:42:ac:12:ff:ff');
  expect(inside('/proc/self/ns/net', 'ping', '-c1', '-W1', address)).toContain('1 received');
});

test('a permanent neighbour of the host is left as it is', () => {
  const fixed: KernelObject = {
    kind: 'neighbour',
    ns: 'host',
    link: BRIDGE,
    address: '172.18.0.3',
    mac: '02:42:ac:12:00:77',
  };
  t.kernel.apply(build([...network(), fixed, netns('c'), ...successor(t.sandbox('c'))]));
  expect(t.kernel.present(fixed)).toBe(true);
});
