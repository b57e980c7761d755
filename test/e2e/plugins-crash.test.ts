/**
 * The daemon is killed between any two steps of what it asks a plugin for. It converges: what the user sees is the state
 * before or after, and what the plugin made and nobody wants is given back.
 */
import { expect, test } from 'vitest';
import { examplePluginFor } from '../support/example-plugin.js';
import { daemonForThisFile } from '../support/phrases.js';

const d = daemonForThisFile();
const { nothingHeld } = examplePluginFor(d);

const NETWORK = ['network', 'create', '-d', 'example', '--ipam-driver', 'example', 'net'];
const CREATE = [
  'create',
  '--name',
  'box',
  '--stop-timeout',
  '0',
  '--network',
  'net',
  'alpine',
  'sleep',
  '600',
];

const view = async (): Promise<string> => {
  const nets = await d.docker('network', 'ls', '--filter', 'type=custom', '--format', '{{.Name}}');
  const members = nets ? await d.docker('network', 'inspect', '--format', '{{len .Containers}}', nets) : '';
  return `${nets}${members} ${await d.docker('ps', '-a', '--format', '{{.Names}} {{.State}}')}`.trim();
};
const SETTLES_MS = 600;

/** Every second place: neighbours differ in whether a record is on the disk, which other tests cover. */
const killedThrough = async (
  before: readonly (readonly string[])[],
  command: readonly string[],
  may: readonly string[],
): Promise<void> => {
  for (let nth = 1; ; nth += 2) {
    for (const args of before) await d.docker(...args);
    const died = d.ended().then(() => true);
    d.dieAt(`any:${nth}`);
    await d.docker.try(command);
    const survived = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), SETTLES_MS));
    const crashed = await Promise.race([died, survived]);
    d.dieAt('');
    if (crashed) await d.start();
    expect(may, `killed at place ${nth}`).toContain(await view());
    await d.clear();
    await nothingHeld().catch((error: unknown) => {
      throw new Error(`killed at place ${nth}: ${String(error)}\n${d.log().slice(-2000)}`);
    });
    if (!crashed) return expect(nth).toBeGreaterThan(4);
  }
};

test.each<[string, readonly (readonly string[])[], readonly string[], readonly string[]]>([
  ['network create', [], NETWORK, ['', 'net0']],
  ['network rm', [NETWORK], ['network', 'rm', 'net'], ['', 'net0']],
  ['start', [NETWORK, CREATE], ['start', 'box'], ['net0 box created', 'net0 box exited', 'net1 box running']],
  [
    'rm -f',
    [NETWORK, CREATE, ['start', 'box']],
    ['rm', '-f', 'box'],
    ['net0', 'net1 box running', 'net0 box exited', 'net0 box removing'],
  ],
])('O3 D9 killed at each step of: %s', { timeout: 180_000 }, (_, before, command, may) =>
  killedThrough(before, command, may),
);
