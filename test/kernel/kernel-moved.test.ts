/** Links that others made on the host, in a sandbox and back: on the kernel, and on its fake. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KernelError } from '../../src/errors.js';
import { inverse } from '../../src/plan/inverse.js';
import type { KernelObject, MovedLink } from '../../src/plan/objects.js';
import type { Plan } from '../../src/plan/plan.js';
import { createFakeKernel } from '../support/fake-kernel.js';
import { address, build, diff, inside, ip, keys, route, testKernel } from './kernel-support.js';

/** What a plugin makes: a bridge, and a veth pair with one end on it. */
let wanted: readonly MovedLink[] = [];
let t: ReturnType<typeof testKernel>;
beforeEach(() => {
  t = testKernel({ moved: () => wanted });
  ip('link', 'add', 'theirs', 'type', 'bridge');
  ip('address', 'add', '10.8.0.1/24', 'dev', 'theirs');
  ip('link', 'set', 'theirs', 'up');
  ip('link', 'add', 'outer', 'type', 'veth', 'peer', 'name', 'inner');
  ip('link', 'set', 'outer', 'master', 'theirs', 'up');
});
afterEach(async () => {
  t.kernel.apply(diff(t.kernel.observe(), []));
  await t.end();
  for (const name of ['outer', 'theirs', 'inner'])
    try {
      ip('link', 'delete', name);
    } catch {
      // gone with the other end
    }
});

const moved = (more: Partial<MovedLink> = {}): MovedLink => ({
  kind: 'link',
  type: 'moved',
  ns: t.sandbox('a'),
  name: 'eth0',
  source: 'inner',
  mac: '02:00:00:00:08:02',
  mtu: 0,
  up: true,
  ...more,
});
const sandboxed = (more: Partial<MovedLink> = {}): KernelObject[] => {
  const link = moved(more);
  wanted = [link];
  return [
    { kind: 'netns', path: link.ns },
    link,
    address(link.ns, link.name, '10.8.0.2/24'),
    route(link.ns, link.name, '0.0.0.0/0', '10.8.0.1'),
    route(link.ns, link.name, '10.99.0.0/16', '10.8.0.1'),
  ];
};
const errnoOf = (work: () => void): number => {
  try {
    work();
    return 0;
  } catch (error) {
    if (error instanceof KernelError) return error.errno;
    throw error;
  }
};
const onHost = (): string[] =>
  ip('-o', 'link')
    .split('\n')
    .flatMap((l) => /^\d+: ([^:@]+)/.exec(l)?.[1] ?? []);

test('D9 it is moved, named and addressed; packets pass at once; observed as planned', () => {
  const desired = sandboxed();
  t.kernel.apply(build(desired));
  expect(
    inside(desired[0]?.kind === 'netns' ? desired[0].path : '', 'ping', '-c1', '-W1', '10.8.0.1'),
  ).toContain('1 received');
  expect(diff(t.kernel.observe(), desired)).toEqual([]);
  for (const o of desired) expect([o, t.kernel.present(o)]).toEqual([o, true]);
  expect(onHost()).not.toContain('inner');
});

test('D9 it goes back to the host under its own name, also when its sandbox is dropped in the same plan', () => {
  const desired = sandboxed();
  for (const left of [desired.slice(0, 1), []]) {
    t.kernel.apply(diff(t.kernel.observe(), desired));
    t.kernel.apply(diff(t.kernel.observe(), left));
    expect(onHost()).toContain('inner');
    expect(ip('-d', 'link', 'show', 'inner')).not.toContain('alias');
  }
});

test('D9 any prefix of the plan is undone by its inverse, and begun anew', () => {
  const desired = sandboxed({ mac: '' });
  const plan = build(desired);
  for (let n = 1; n <= plan.length; n += 1) {
    t.kernel.apply(plan.slice(0, n));
    t.kernel.apply(inverse(plan.slice(0, n)));
    expect(onHost()).toContain('inner');
    expect(t.kernel.observe()).toEqual([]);
    t.kernel.apply(plan.slice(0, n));
    t.kernel.apply(diff(t.kernel.observe(), desired));
    expect(diff(t.kernel.observe(), desired)).toEqual([]);
    t.kernel.apply(diff(t.kernel.observe(), []));
  }
});

test('D9 applied twice it is a success; a MAC can be changed', () => {
  const desired = sandboxed();
  t.kernel.apply(build(desired));
  t.kernel.apply(build(desired));
  const other = sandboxed({ mac: '02:00:00:00:08:03' });
  t.kernel.apply(diff(t.kernel.observe(), other));
  expect(diff(t.kernel.observe(), other)).toEqual([]);
});

test('D9 what a container calls by our alias, and what is not wanted, is never moved', () => {
  const desired = sandboxed();
  t.kernel.apply(build(desired));
  inside(t.sandbox('a'), 'ip', 'link', 'add', 'eth9', 'type', 'veth', 'peer', 'name', 'eth8');
  inside(t.sandbox('a'), 'ip', 'link', 'set', 'eth9', 'alias', 'viaduct:theirs');
  expect(diff(t.kernel.observe(), desired)).toEqual([]);
  inside(t.sandbox('a'), 'ip', 'link', 'set', 'eth0', 'alias', 'mine');
  t.kernel.apply([{ op: 'delete', object: moved() }]);
  expect(onHost()).not.toContain('inner');
});

test('D9 its name on the host was taken meanwhile: the other link stays as it is', () => {
  const desired = sandboxed();
  t.kernel.apply(build(desired));
  ip('link', 'add', 'inner', 'type', 'bridge');
  t.kernel.apply(diff(t.kernel.observe(), []));
  expect(ip('-d', 'link', 'show', 'inner')).toContain('bridge');
});

test.each<[string, Partial<MovedLink>, number]>([
  ['a link that is not there', { source: 'nobody' }, 19],
  ['a name of 16 bytes', { name: 'x'.repeat(16) }, 34],
  ['a multicast MAC', { mac: '01:00:00:00:00:01' }, 99],
])('D9 %s is refused as the fake refuses it, and nothing is left', (_, more, errno) => {
  const link = moved(more);
  const ns: KernelObject = { kind: 'netns', path: link.ns };
  const fake = createFakeKernel([ns, { kind: 'foreign', ns: 'host', name: 'inner', missing: '' }]);
  t.kernel.apply(build([ns]));
  const plan: Plan = [{ op: 'create', object: link }];
  expect(errnoOf(() => fake.apply(plan))).toBe(errno);
  expect(errnoOf(() => t.kernel.apply(plan))).toBe(errno);
  expect(keys(t.kernel.observe())).toEqual(keys([ns]));
  expect(onHost()).toContain('inner');
});

test('D9 the fake takes and gives back what is somebody else’s', () => {
  const desired = sandboxed();
  const theirs: KernelObject = { kind: 'foreign', ns: 'host', name: 'inner', missing: '' };
  const fake = createFakeKernel([theirs]);
  fake.apply(build(desired));
  expect(fake.objects()).not.toContainEqual(theirs);
  fake.apply(diff(desired, []));
  expect(fake.objects()).toEqual([theirs]);
});
