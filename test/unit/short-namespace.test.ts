import { expect, test } from 'vitest';
import { unneeded } from '../../src/runtime/short-namespace.js';

const SYSTEM = ['/', '/proc', '/sys', '/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/dev/pts', '/run'];
const OURS = ['/run/viaduct/containers', '/var/lib/viaduct/containers', '/usr/bin/crun'];

test('I12: the system’s mounts stay and those that our paths are on; containers’ and users’ go', () => {
  const theirs = ['/run/viaduct/roots/a', '/run/viaduct/netns/a', '/mnt', '/home'];
  const points = [...SYSTEM, '/var/lib/viaduct', ...theirs];
  expect(unneeded(points, OURS, false)).toEqual(theirs);
});

test('I12: what is below one that goes is not told; one that only begins alike is', () => {
  const points = [...SYSTEM, '/mnt', '/mnt/inner', '/mnt-2'];
  expect(unneeded(points, OURS, false)).toEqual(['/mnt', '/mnt-2']);
});

test('I12: two at one place are told twice', () => {
  expect(unneeded([...SYSTEM, '/mnt', '/mnt'], OURS, false)).toEqual(['/mnt', '/mnt']);
});

test('I12: cgroup2 beside v1 goes where crun refuses it', () => {
  expect(unneeded(SYSTEM, OURS, true)).toEqual(['/sys/fs/cgroup/unified']);
});
