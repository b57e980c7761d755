/** The daemon is killed between any two steps of a change of the way out: afterwards there is exactly one, or no container. */
import { beforeAll, expect, test } from 'vitest';
import { crashesAt } from '../support/crash.js';
import { examplePluginFor } from '../support/example-plugin.js';
import { kernelState } from '../support/kernel-state.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile();
const { inspect, inside } = phrasesFor(d);
const { held } = examplePluginFor(d);

const GW = 'docker_gwbridge';
const NETWORKS = [
  ['network', 'create', '-d', 'example', '-o', 'gateway=none', 'net'],
  ['network', 'create', 'leads'],
];

const BOX = ['--name', 'box', '--network', 'net', '-p', '8080:80', 'alpine', 'sleep', '600'];
const ONE_WAY_OUT = 'one way out';

const gatewayEndpoints = async (): Promise<number> => {
  const { stdout } = await d.docker.try(['inspect', '--format', '{{len .Containers}}', GW]);
  return Number(stdout || 0); // no such network: nothing is there
};

/** Whether the box runs with exactly one way out, or not at all with nothing on docker_gwbridge. */
const wayOut = async (): Promise<string> => {
  const running = await inspect('{{.State.Running}}', 'box');
  const endpoints = await gatewayEndpoints();
  if (running === 'false') return endpoints === 0 ? 'does not run' : 'an orphan';
  const routes = (await inside('box', 'ip route | grep ^default')).split('\n').length;
  const ports = (await d.docker('port', 'box')).split('\n').length;
  const links = (await inside('box', 'ls /sys/class/net')).split('\n').length;
  const leads = (await inspect('{{json .NetworkSettings.Networks}}', 'box')).includes('"leads"');
  const expected = endpoints === (leads ? 0 : 1) && links === 3 && routes === 1 && ports === 2;
  return expected ? ONE_WAY_OUT : `${endpoints} endpoints, ${links} links, ${routes} routes, ${ports} ports`;
};

/** `command`: run after the networks and `before` were made; `may`: what may be after a crash in the middle of it. */
interface Change {
  readonly name: string;
  readonly before: readonly (readonly string[])[];
  readonly command: readonly string[];
  readonly may: readonly string[];
}

const RUN = ['run', '-d', ...BOX];
const CONNECT = ['network', 'connect', 'leads', 'box'];
const DISCONNECT = ['network', 'disconnect', 'leads', 'box'];
const CHANGES: readonly Change[] = [
  {
    name: 'start',
    before: [['create', ...BOX]],
    command: ['start', 'box'],
    may: ['does not run', ONE_WAY_OUT],
  },
  { name: 'connect', before: [RUN], command: CONNECT, may: [ONE_WAY_OUT] },
  { name: 'disconnect', before: [RUN, CONNECT], command: DISCONNECT, may: [ONE_WAY_OUT] },
];

let empty: readonly string[];
beforeAll(async () => {
  for (const args of [...NETWORKS, RUN]) await d.docker(...args);
  await d.clear();
  empty = await kernelState(d);
});

test.each(CHANGES)('O3 D9 killed at steps of: $name', { timeout: 240_000 }, async (change) => {
  for (let nth = 1; ; nth += 3) {
    for (const args of [...NETWORKS, ...change.before]) await d.docker(...args);
    const crashed = await crashesAt(d, nth, () => d.docker.try(change.command));
    if (crashed) await d.start();
    const where = crashed ? `killed at place ${nth}` : 'not killed';
    expect(crashed ? change.may : [ONE_WAY_OUT], where).toContain(await wayOut());
    await d.clear();
    await until('nothing is held', async () => (await held()).length === 0, 20_000);
    expect(await kernelState(d), where).toEqual(empty);
    if (!crashed) return expect(nth).toBeGreaterThan(4);
  }
});
