/** Third-party plugins: the example in examples/plugin as network and IPAM driver, killed, stopped, gone. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../support/daemon.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile();
const { inspect, inside, sleeper, ping, addressOf, refusal } = phrasesFor(d);

let plugin: ChildProcess | undefined;
const socket = (): string => join(d.world.base, 'plugins/example.sock');
const pools = (): string => join(d.world.base, 'pools.json');

const startPlugin = async (): Promise<void> => {
  const [program = '', ...enter] = d.world.enter;
  const script = join(ROOT, 'examples/plugin/plugin.mjs');
  const args = [process.execPath, script, 'example', join(d.world.base, 'plugins'), pools()];
  const child = spawn(program, [...enter, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  plugin = child;
  await new Promise((resolve) => child.stdout.once('data', resolve));
};
const endPlugin = (signal: NodeJS.Signals): Promise<void> =>
  new Promise((resolve) => {
    if (!plugin || plugin.exitCode !== null || plugin.signalCode !== null) return resolve();
    plugin.once('exit', () => resolve());
    plugin.kill(signal);
  });

beforeAll(startPlugin);
afterAll(() => endPlugin('SIGKILL'));

const taken = (): Record<string, { taken: string[] }> =>
  existsSync(pools()) ? JSON.parse(readFileSync(pools(), 'utf8')) : {};
/** What the plugin made and was not told to take away. */
const held = async (): Promise<string[]> => {
  const links = await d.host("ip -o link | awk -F'[ :@]+' '{print $2}' | grep ^ex || true");
  return [...links.split('\n').filter((line) => line !== ''), ...Object.keys(taken())];
};
const nothingHeld = () =>
  until('the plugin was told of all that is gone', async () => (await held()).length === 0, 5_000);

test('D9 N6 a plugin makes networks and gives addresses; two containers reach each other by name', async () => {
  await d.docker('network', 'create', '-d', 'example', '--ipam-driver', 'example', 'net');
  expect(await inspect('{{.Driver}} {{.Scope}} {{.IPAM.Driver}} {{json .IPAM.Config}}', 'net')).toBe(
    'example local example [{"Subnet":"10.90.0.0/24","Gateway":"10.90.0.1"}]',
  );
  await sleeper('one', '--network', 'net');
  await sleeper('two', '--network', 'net', '--ip', '10.90.0.77');
  expect(await addressOf('one', 'net')).toBe('10.90.0.2');
  expect(await addressOf('two', 'net')).toBe('10.90.0.77');
  expect(await inspect('{{.NetworkSettings.Networks.net.Gateway}}', 'one')).toBe('10.90.0.1');
  expect((await ping('one', 'two')).code).toBe(0);
  expect((await ping('two', '10.90.0.1')).code).toBe(0);
  expect(await inside('one', 'ip route')).toContain('default via 10.90.0.1 dev eth0');
  const mac = await inspect('{{.NetworkSettings.Networks.net.MacAddress}}', 'one');
  expect(mac).toMatch(/^06:/);
  expect(await inside('one', 'cat /sys/class/net/eth0/address')).toBe(mac);
  expect(await d.docker('info', '--format', '{{.Plugins.Network}}')).toContain('example');
  await d.clear();
  await nothingHeld();
});
