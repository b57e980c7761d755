/** A daemon beside an Open vSwitch of its own for a whole test file, and what tests of networks on it say again and again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { TestDaemon } from './daemon.js';
import { startOvs, type TestOvs } from './ovs.js';
import { daemonForThisFile, phrasesFor } from './phrases.js';
import { run, until } from './run.js';
import type { World } from './world.js';

export interface OvsDaemon {
  readonly d: TestDaemon;
  readonly ovs: () => TestOvs;
}

/** `before`: what is done on the machine before Open vSwitch runs. */
export const ovsDaemonForThisFile = (
  before: (world: World) => Promise<unknown> = async () => {},
): OvsDaemon => {
  const base = mkdtempSync(join(tmpdir(), 'vo-'));
  let started: TestOvs | undefined;
  const d = daemonForThisFile({
    flags: ['--ovs-run-dir', join(base, 'ovs')],
    before: async (world) => {
      await before(world);
      started = await startOvs(base, world.enter);
    },
  });
  // Hooks end in reverse: the switch goes before the daemon looks for leftovers.
  afterAll(async () => {
    await started?.remove();
    rmSync(base, { recursive: true, force: true });
  });
  const ovs = (): TestOvs => {
    if (!started) throw new Error('Open vSwitch is started with the daemon');
    return started;
  };
  return { d, ovs };
};

export const ovsPhrasesFor = ({ d }: OvsDaemon) => {
  const phrases = phrasesFor(d);
  const { inspect, ping } = phrases;
  const reaches = async (from: string, to: string): Promise<boolean> => (await ping(from, to)).code === 0;
  return {
    ...phrases,
    create: (name: string, ...options: string[]): Promise<string> =>
      d.docker('network', 'create', '-d', 'ovs', ...options, name),
    reaches,
    /** `what` says what was done before */
    again: (what: string, from: string, to: string): Promise<boolean> => until(what, () => reaches(from, to)),
    /** the switch's port that leads to a container */
    portOf: async (container: string, network: string): Promise<string> =>
      `veth${(await inspect(`{{(index .NetworkSettings.Networks "${network}").EndpointID}}`, container)).slice(0, 11)}`,
    /** a program of this machine in a container's network namespace */
    within: async (container: string, ...command: string[]): Promise<string> =>
      run('nsenter', [`--net=/proc/${await inspect('{{.State.Pid}}', container)}/ns/net`, '--', ...command]),
  };
};

/** The switch of a network that named none, by the network's id. */
export const switchOf = (id: string): string => `ovs-${id.slice(0, 11)}`;
