/** Links on top of others, on what this kernel has: macvlan on a veth. Sub-interfaces, dummies and ipvlan: `test/vm`. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ViaductError } from '../../src/errors.js';
import type { KernelObject, MacvlanLink } from '../../src/plan/objects.js';
import {
  address,
  BRIDGE,
  bridge,
  build,
  diff,
  inside,
  ip,
  keys,
  route,
  testKernel,
} from './kernel-support.js';

/** A parent of the user's, `wire0`; its other end is the physical network. */
const WIRE = '/run/netns/viaduct-wire';
let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel();
  ip('netns', 'add', 'viaduct-wire');
  ip('link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire1', 'netns', 'viaduct-wire');
  ip('link', 'set', 'wire0', 'up');
  ip('-n', 'viaduct-wire', 'address', 'add', '10.9.0.1/24', 'dev', 'wire1');
  ip('-n', 'viaduct-wire', 'address', 'add', 'fd09::1/64', 'dev', 'wire1', 'nodad');
  ip('-n', 'viaduct-wire', 'link', 'set', 'wire1', 'up');
  ip('link', 'show', 'wire0'); // settles its carrier
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
  ip('link', 'delete', 'wire0');
  ip('netns', 'delete', 'viaduct-wire');
});

const macvlan = (ns: string, n: number, more: Partial<MacvlanLink> = {}): MacvlanLink => ({
  kind: 'link',
  type: 'macvlan',
  ns,
  name: 'eth0',
  mac: `02:42:0a:09:00:0${n}`,
  mtu: 0,
  up: true,
  parent: 'wire0',
  mode: 'bridge',
  ...more,
});
const sandboxed = (name: string, n: number, more: Partial<MacvlanLink> = {}): KernelObject[] => {
  const ns = t.sandbox(name);
  return [
    { kind: 'netns', path: ns },
    macvlan(ns, n, more),
    address(ns, 'eth0', `10.9.0.${n}/24`),
    address(ns, 'eth0', `fd09::${n}/64`),
    route(ns, 'eth0', '0.0.0.0/0', '10.9.0.1'),
  ];
};
const pings = (ns: string, to: string, seconds = 1): boolean => {
  try {
    return inside(ns, 'ping', '-c1', `-W${seconds}`, to).includes('1 received');
  } catch {
    return false;
  }
};
const message = (work: () => void): string => {
  try {
    work();
    return '';
  } catch (error) {
    if (error instanceof ViaductError) return `${error.kind}: ${error.message}`;
    throw error;
  }
};

test('D6 two sandboxes on one parent: made, observed as planned, on the wire and to each other', () => {
  const desired = [...sandboxed('a', 2), ...sandboxed('b', 3)];
  t.kernel.apply(build(desired));
  expect(diff(t.kernel.observe(), desired)).toEqual([]);
  expect(keys(t.kernel.observe())).toEqual(keys(desired));
  for (const o of desired) expect([o, t.kernel.present(o)]).toEqual([o, true]);
  for (const to of ['10.9.0.1', '10.9.0.3', 'fd09::1', 'fd09::3'])
    expect([to, pings(t.sandbox('a'), to, 3)]).toEqual([to, true]);
  expect(pings(WIRE, '10.9.0.2', 3)).toBe(true);
  t.kernel.apply(build(desired));
});

test('D6 private keeps sandboxes of one parent apart, and the mode can be changed while they run', () => {
  const desired = (mode: MacvlanLink['mode']) => [
    ...sandboxed('a', 2, { mode }),
    ...sandboxed('b', 3, { mode }),
  ];
  t.kernel.apply(build(desired('private')));
  expect(pings(t.sandbox('a'), '10.9.0.1')).toBe(true);
  expect(pings(t.sandbox('a'), '10.9.0.3')).toBe(false);
  t.kernel.apply(diff(desired('private'), desired('bridge')));
  expect(diff(t.kernel.observe(), desired('bridge'))).toEqual([]);
  // The request that went unanswered before is repeated once a second.
  expect(pings(t.sandbox('a'), '10.9.0.3', 3)).toBe(true);
});

test('D6 a sandbox that goes frees MAC and name at once: its successor takes both', async () => {
  for (let round = 0; round < 5; round += 1) {
    const desired = sandboxed(`a${round}`, 2);
    t.kernel.apply(build(desired));
    expect(pings(t.sandbox(`a${round}`), '10.9.0.1')).toBe(true);
    t.kernel.apply(diff(desired, []));
  }
  const kept = sandboxed('b', 2);
  t.kernel.apply(build(kept));
  const gone = kept.slice(0, 1);
  t.kernel.apply(diff(kept, gone));
  t.kernel.apply(diff(gone, kept));
  expect(pings(t.sandbox('b'), '10.9.0.1')).toBe(true);
  await t.kernel.settled();
  expect(inside(t.sandbox('b'), 'ip', '-o', 'link')).not.toMatch(/gone/);
});

test('D6 passthru: one alone on its parent, with the MAC asked for; the parent is free when it goes', () => {
  const first = sandboxed('a', 2, { mode: 'passthru' });
  t.kernel.apply(build(first));
  expect(diff(t.kernel.observe(), first)).toEqual([]);
  expect(message(() => t.kernel.apply(build(sandboxed('b', 3, { mode: 'passthru' }))))).toBe(
    'invalid: failed to create the macvlan port: parent interface wire0 is in use in passthru mode, by ipvlan, or as a port of a bridge or bond',
  );
  expect(diff(t.kernel.observe(), first)).toEqual([]);
  t.kernel.apply(diff(first, []));
  t.kernel.apply(build(sandboxed('c', 3)));
});

test('D6 a parent that is not there, is a bridge’s port, or has a smaller MTU: said so, and nothing is left', () => {
  expect(message(() => t.kernel.apply(build(sandboxed('a', 2, { parent: 'nosuch0' }))))).toBe(
    'invalid: the requested parent interface nosuch0 was not found on the Docker host',
  );
  expect(message(() => t.kernel.apply(build(sandboxed('a', 2, { mtu: 9000 }))))).toBe(
    'invalid: invalid MTU number: 9000: parent interface wire0 has 1500',
  );
  t.kernel.apply(build([bridge(BRIDGE)]));
  ip('link', 'set', 'wire0', 'master', BRIDGE);
  expect(message(() => t.kernel.apply(build(sandboxed('a', 2))))).toMatch(
    /^invalid: .*port of a bridge or bond$/,
  );
  ip('link', 'set', 'wire0', 'nomaster');
  expect(keys(t.kernel.observe())).toEqual([`link host ${BRIDGE}`]);
  const missing = 'the requested parent interface nosuch0 was not found on the Docker host';
  const foreign = (name: string): KernelObject => ({ kind: 'foreign', ns: 'host', name, missing });
  expect(message(() => t.kernel.apply(build([foreign('nosuch0')])))).toBe(`invalid: ${missing}`);
  t.kernel.apply(build([foreign('wire0')]));
  t.kernel.apply(diff([foreign('wire0')], []));
  expect(ip('-o', 'link', 'show', 'wire0')).toContain('wire0');
});

test('D6 a parent that vanishes takes its interfaces along; they come back with it', () => {
  const desired = sandboxed('a', 2);
  t.kernel.apply(build(desired));
  ip('link', 'delete', 'wire0');
  expect(keys(t.kernel.observe())).toEqual([`netns ${t.sandbox('a')}`]);
  ip('link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire1', 'netns', 'viaduct-wire');
  ip('link', 'set', 'wire0', 'up');
  t.kernel.apply(diff(t.kernel.observe(), desired));
  expect(diff(t.kernel.observe(), desired)).toEqual([]);
});

test('D6 what a container stacks on its own interface is never taken for ours', () => {
  const desired = sandboxed('a', 2);
  t.kernel.apply(build(desired));
  inside(t.sandbox('a'), 'ip', 'link', 'add', 'link', 'eth0', 'name', 'mine0', 'type', 'macvlan');
  inside(t.sandbox('a'), 'ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  expect(keys(t.kernel.observe())).toEqual(keys(desired));
});

test('D6 a kernel without a type says which module to load', () => {
  const types: KernelObject[] = [
    { kind: 'link', type: 'dummy', ns: 'host', name: 'dm-0123456789ab', mtu: 0, up: true },
    { kind: 'link', type: 'vlan', ns: 'host', name: 'wire0.50', mtu: 0, up: true, parent: 'wire0', vlan: 50 },
  ];
  for (const o of types) {
    const told = message(() => t.kernel.apply(build([o])));
    if (told === '') t.kernel.apply(diff([o], []));
    else
      expect(told).toMatch(
        /^not-implemented: the kernel has no (dummy|vlan) interfaces .*\(modprobe (dummy|8021q)\)/,
      );
  }
  expect(t.kernel.observe()).toEqual([]);
});

test('D6 an interface that the user made where ours was to be is used as it is, and stays', () => {
  ip('link', 'add', 'wire0.50', 'type', 'veth', 'peer', 'name', 'wire9');
  const o: KernelObject = {
    kind: 'link',
    type: 'vlan',
    ns: 'host',
    name: 'wire0.50',
    mtu: 0,
    up: true,
    parent: 'wire0',
    vlan: 50,
  };
  t.kernel.apply(build([o]));
  expect(t.kernel.present(o)).toBe(true);
  expect(t.kernel.observe()).toEqual([]);
  t.kernel.apply(diff([o], []));
  expect(ip('-o', 'link', 'show', 'wire0.50')).toMatch(/wire0\.50.*state DOWN/);
  ip('link', 'delete', 'wire0.50');
});

test('D6 a name that the host has, too, is no matter, on any kernel', () => {
  ip('link', 'add', 'eth0', 'type', 'bridge');
  try {
    const desired = sandboxed('a', 2);
    t.kernel.apply(build(desired));
    expect(diff(t.kernel.observe(), desired)).toEqual([]);
    expect(pings(t.sandbox('a'), '10.9.0.1')).toBe(true);
    t.kernel.apply(build(desired));
    expect(inside(t.sandbox('a'), 'ip', '-o', 'link')).not.toContain('vd');
  } finally {
    ip('link', 'delete', 'eth0');
  }
});
