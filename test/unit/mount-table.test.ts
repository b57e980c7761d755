import { expect, test } from 'vitest';
import { type Mount, reachable } from '../../src/kernel/mount-table.js';

const mount = (id: string, parent: string, point: string): Mount => ({ id, parent, point, propagates: true });
const root = mount('1', '1', '/');
const pathsOf = (mounts: readonly Mount[]): readonly string[] =>
  reachable([root, ...mounts]).map(({ id, point }) => `${id} ${point}`);

test('I12: what another mount lies over cannot be reached, nor what is on it', () => {
  const first = [
    mount('2', '1', '/sys'),
    mount('3', '2', '/sys/fs/cgroup'),
    mount('4', '3', '/sys/fs/cgroup/unified'),
  ];
  const second = [
    mount('5', '2', '/sys'),
    mount('6', '5', '/sys/fs/cgroup'),
    mount('7', '6', '/sys/fs/cgroup/unified'),
  ];
  expect(pathsOf([...first, ...second])).toEqual([
    '1 /',
    '2 /sys',
    '5 /sys',
    '6 /sys/fs/cgroup',
    '7 /sys/fs/cgroup/unified',
  ]);
});

test('I12: two at one place are both there, one after the other', () => {
  expect(pathsOf([mount('2', '1', '/mnt'), mount('3', '2', '/mnt')])).toEqual(['1 /', '2 /mnt', '3 /mnt']);
});

test('I12: what lies on one, and what only begins alike, can be reached', () => {
  const mounts = [mount('2', '1', '/mnt'), mount('3', '2', '/mnt/inner'), mount('4', '1', '/mnt-2')];
  expect(pathsOf(mounts)).toEqual(['1 /', '2 /mnt', '3 /mnt/inner', '4 /mnt-2']);
});

test('I12: a namespace whose root’s own mount is elsewhere', () => {
  expect(reachable([mount('8', '7', '/'), mount('9', '8', '/proc')]).map(({ point }) => point)).toEqual([
    '/',
    '/proc',
  ]);
});
