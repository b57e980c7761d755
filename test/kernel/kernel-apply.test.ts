import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  BRIDGE,
  build,
  diff,
  endpoint,
  inside,
  ip,
  keys,
  network,
  route,
  testKernel,
  veth,
} from './kernel-support.js';

let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel();
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
});

const sandboxed = (name: string, n: number) => {
  const ns = t.sandbox(name);
  return [{ kind: 'netns' as const, path: ns }, ...endpoint(ns, n, BRIDGE)];
};

test('a network and two endpoints are made, observed as they were planned, and reach each other', () => {
  const desired = [...network(), ...sandboxed('a', 2), ...sandboxed('b', 3)];
  t.kernel.apply(build(desired));
  expect(keys(t.kernel.observe())).toEqual(keys(desired));
  expect(diff(t.kernel.observe(), desired)).toEqual([]);
  for (const o of desired) expect([o, t.kernel.present(o)]).toEqual([o, true]);
  expect(inside(t.sandbox('a'), 'ping', '-c1', '-W1', '172.18.0.3')).toContain('1 received');
  expect(inside(t.sandbox('a'), 'ping', '-c1', '-W1', 'fd00::3')).toContain('1 received');
  expect(ip('-6', 'address', 'show', 'dev', 'veth00000000002')).toBe('');
});

test('creating all of it again changes nothing and succeeds', () => {
  const desired = [...network(), ...sandboxed('a', 2)];
  t.kernel.apply(build(desired));
  t.kernel.apply(build(desired));
  expect(diff(t.kernel.observe(), desired)).toEqual([]);
});

test('dropping everything leaves nothing, twice', async () => {
  const desired = [...network(), ...sandboxed('a', 2), ...sandboxed('b', 3)];
  t.kernel.apply(build(desired));
  t.kernel.apply(diff(desired, []));
  await t.kernel.settled();
  expect(t.kernel.observe()).toEqual([]);
  expect(ip('-o', 'link')).not.toMatch(/veth|br-|gone/);
  t.kernel.apply(diff(desired, []));
});

test('a namespace without any route has no routing table, and is read all the same', () => {
  const path = t.sandbox('bare');
  t.kernel.apply(
    build([...network(), { kind: 'netns', path }, veth('veth00000000002', BRIDGE, path, { up: false })]),
  );
  inside(path, 'ip', 'link', 'set', 'lo', 'down');
  expect(t.kernel.present(route(path, 'eth0', '10.0.0.0/8'))).toBe(false);
  expect(keys(t.kernel.observe())).toEqual(
    keys([...network(), { kind: 'netns', path }, veth('veth00000000002', BRIDGE, path)]),
  );
});
