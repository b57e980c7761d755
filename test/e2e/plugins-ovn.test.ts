/**
 * A plugin written for Docker by others, unmodified: Open Virtual Network's `ovn-docker-overlay-driver` (Debian package
 * ovn-docker), over Open vSwitch in userspace. It is found by its .spec, speaks HTTP over TCP, and is of global scope.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ovn, startOvn } from '../support/ovn.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile({ flags: ['--plugin-spec-dir', '/etc/docker/plugins'] });
const { inspect, sleeper, ping, addressOf, inside } = phrasesFor(d);

let ovn: Ovn;
beforeAll(async () => {
  ovn = await startOvn(d.world);
}, 60_000);
afterAll(() => ovn?.stop());

const arrives = (from: string, to: string) =>
  until('OVN has wired the ports', async () => (await ping(from, to)).code === 0, 15_000);

test('D9 containers reach each other through OVN’s own Docker plugin', { timeout: 90_000 }, async () => {
  const id = await d.docker('network', 'create', '-d', 'openvswitch', '--subnet', '192.168.50.0/24', 'ovn');
  expect(await inspect('{{.Driver}} {{.Scope}}', 'ovn')).toBe('openvswitch global');
  expect(await ovn.show()).toContain(id);
  await sleeper('one', '--network', 'ovn');
  await sleeper('two', '--network', 'ovn');
  expect(await addressOf('one', 'ovn')).toBe('192.168.50.2');
  await arrives('one', 'two');
  // The plugin chose the MAC, and OVN lets only that one through.
  const mac = await inspect('{{.NetworkSettings.Networks.ovn.MacAddress}}', 'one');
  expect(await ovn.show()).toContain(`${mac} 192.168.50.2`);
  expect(await inside('one', 'cat /sys/class/net/eth0/address')).toBe(mac);

  await ovn.restartPlugin('SIGKILL');
  await d.kill9();
  await d.start();
  await sleeper('three', '--network', 'ovn');
  await arrives('three', 'one');

  await d.docker('rm', '-f', 'one', 'two', 'three');
  await until('the ports are gone', async () => !(await ovn.show()).includes('port'), 10_000);
  await d.docker('network', 'rm', 'ovn');
  expect(await ovn.show()).toBe('');
});
