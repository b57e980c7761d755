/** The machine that the other tests of this directory count on: Debian's kernel, modules on demand, pure cgroup v2. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { run } from '../support/run.js';
import { createWorld } from '../support/world.js';

const inWorld = async (command: string): Promise<string> => {
  const world = await createWorld();
  try {
    return await world.host(command);
  } finally {
    await world.remove();
  }
};

test('the kernel is the one of Debian’s cloud package', async () => {
  expect(await run('uname', ['-r'])).toMatch(/^\d+\.\d+\.\d+.*-cloud-amd64$/);
});

test('there is one cgroup hierarchy, version 2, and the root hands its controllers down', () => {
  expect(readFileSync('/proc/self/cgroup', 'utf8')).toBe('0::/\n');
  const controllers = readFileSync('/sys/fs/cgroup/cgroup.subtree_control', 'utf8').trim().split(' ');
  expect(controllers).toEqual(expect.arrayContaining(['cpu', 'cpuset', 'io', 'memory', 'pids']));
});

test('the kernel loads a link type’s module when one is made: dummy, 802.1q, ipvlan, macvlan', async () => {
  const links = await inWorld(`
    set -e
    ip link add parent0 type dummy
    ip link set parent0 up
    ip link add link parent0 name parent0.50 type vlan id 50
    ip link add link parent0.50 name slave0 type ipvlan mode l2
    ip link add link parent0 name slave1 type macvlan mode bridge
    ip -d -o link`);
  expect(links).toMatch(/parent0: .* dummy/);
  expect(links).toMatch(/parent0\.50@parent0: .*vlan protocol 802\.1Q id 50/);
  expect(links).toMatch(/slave0@parent0\.50: .*ipvlan +mode l2/);
  expect(links).toMatch(/slave1@parent0: .*macvlan mode bridge/);
});

test.each([
  'openvswitch', // the kernel datapath
  'ip_vs',
  'esp4',
  'esp6',
  'wireguard',
  'sch_netem',
  'vrf',
])('the module %s can be loaded', async (module) => {
  await run('modprobe', [module]);
  expect(readFileSync('/proc/modules', 'utf8')).toMatch(new RegExp(`^${module} `, 'm'));
});
