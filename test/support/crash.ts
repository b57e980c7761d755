/**
 * SIGKILL between any two steps of a command: it is run again and again from the same start, killed at the first place it
 * passes (src/failpoints.ts), then at the second, until it survives. After each crash the next daemon must have brought
 * records and kernel together, a member must reach its network, and everything must be removable without a trace; the next
 * round then uses the same names, subnet, port and volume.
 */
import { beforeAll, expect, test } from 'vitest';
import { RUN, type Scenario } from './crash-scenarios.js';
import type { TestDaemon } from './daemon.js';
import { containerProcesses, kernelState } from './kernel-state.js';
import { until } from './run.js';

export interface CrashOptions {
  /** the command that creates the network `net`; its gateway answers to ping */
  readonly network: readonly string[];
  /** what is held elsewhere than in the kernel, one line each; nothing when all is gone */
  readonly held?: () => Promise<readonly string[]>;
  /** what the tests show: `O3 D6` */
  readonly ids?: string;
}

/** On a Linux bridge, both families. */
export const NETWORK = ['network', 'create', '--ipv6', '--subnet', '10.77.0.0/24', 'net'];

const OTHER = ['run', '-d', '--name', 'other', '--network', 'net', 'alpine', 'sleep', '600'];

/** Networks with their members, and containers with their state, as users see them: `net[box], box running`. */
export const view = async (d: TestDaemon): Promise<string> => {
  const networks = (await d.docker('network', 'ls', '-q', '--filter', 'type=custom')).split('\n');
  const format = '{{.Name}}[{{range .Containers}}{{.Name}}{{end}}]';
  const members = networks[0] ? await d.docker('network', 'inspect', '--format', format, ...networks) : '';
  const containers = await d.docker('ps', '-a', '--format', '{{.Names}} {{.State}}');
  const seen = [members, containers].map((text) => text.split('\n').sort().join(', '));
  return seen.filter((text) => text !== '').join(', ');
};

/** From its address on this network, so by no other interface. */
const reachesGateway = async (d: TestDaemon): Promise<void> => {
  const format = '{{with .NetworkSettings.Networks.net}}{{.IPAddress}} {{.Gateway}}{{end}}';
  const [own = '', gateway = ''] = (await d.docker('inspect', '--format', format, 'box')).split(' ');
  const ping = ['exec', 'box', 'ping', '-c', '1', '-W', '1', '-I', own, gateway];
  await until(`box reaches ${gateway} from ${own}`, async () => (await d.docker.try(ping)).code === 0);
};

/** CRASH_EACH=1: no place is left out, however long that takes. */
const EACH = process.env.CRASH_EACH === '1';

/** Time in which what a command set off without waiting for it is done, too. */
const SETTLES_MS = 400;

/** Runs `work`, killed at the nth place. Answers whether it was; one that dies slowly no longer answers. */
export const crashesAt = async (
  d: TestDaemon,
  nth: number,
  work: () => Promise<unknown>,
): Promise<boolean> => {
  d.dieAt(`any:${nth}`);
  try {
    await work();
    await Promise.race([d.ended(), new Promise((resolve) => setTimeout(resolve, SETTLES_MS))]);
  } finally {
    d.dieAt('');
  }
  const lives = await d.api('GET', '/_ping').then(
    () => true,
    () => false,
  );
  if (!lives) await d.ended();
  return !lives;
};

export const crashTests = (d: TestDaemon, { network, held = async () => [], ids = 'O3' }: CrashOptions) => {
  let empty: readonly string[];
  let idle: number; // processes of the test's own beside the daemon
  beforeAll(async () => {
    for (const args of [network, RUN]) await d.docker(...args);
    await d.clear();
    empty = await kernelState(d);
    idle = containerProcesses(d);
  });

  /** A port in use, a link that lives on, a mount, a file: each would show here or in the next round. */
  const leavesNoTrace = async (where: string): Promise<void> => {
    await d.clear();
    expect(await kernelState(d), where).toEqual(empty);
    const ended = until('no process is left', async () => containerProcesses(d) === idle);
    await ended.catch(() => expect(containerProcesses(d), where).toBe(idle));
    const nothing = until('nothing is held', async () => (await held()).length === 0);
    await nothing.catch(async () => expect(await held(), `${where}\n${d.log().slice(-2000)}`).toEqual([]));
  };

  const converged = async (may: readonly string[], where: string): Promise<void> => {
    const seen = await view(d);
    expect(may, where).toContain(seen);
    if (seen === 'net[box], box running') await reachesGateway(d);
  };

  /** False as well where `box` does not run. */
  const isMissing = async (path: string): Promise<boolean> =>
    (await d.docker.try(['exec', 'box', 'test', '!', '-e', path])).code === 0;

  const killedAt = async ({ before, command, may, done, makes }: Scenario, every: number): Promise<void> => {
    for (let nth = 1; ; nth += every) {
      for (const args of before) await d.docker(...args);
      const crashed = await crashesAt(d, nth, () => d.docker.try(command));
      if (crashed) await d.start();
      const where = crashed ? `killed at place ${nth}` : 'not killed';
      if (crashed && makes !== undefined && (await isMissing(makes))) {
        await d.docker(...command);
        await until(`${where}, said again: ${done}`, async () => (await view(d)) === done);
      }
      await converged(crashed ? may : [done], where);
      await leavesNoTrace(where);
      if (!crashed) return expect(nth).toBeGreaterThan(1 + every); // it was killed at some places
    }
  };

  /** The start that finds one container running and one ended meanwhile; killed at every other place. */
  const killedInRecovery = async (): Promise<void> => {
    for (let nth = 1; ; nth += 2) {
      for (const args of [network, RUN, OTHER]) await d.docker(...args);
      const pid = Number(await d.docker('inspect', '--format', '{{.State.Pid}}', 'other'));
      await d.kill9();
      process.kill(pid, 'SIGKILL');
      d.dieAt(`any:${nth}`);
      const survived = await d.start().then(
        () => true,
        () => false,
      );
      d.dieAt('');
      if (!survived) await d.start();
      const where = `killed at place ${nth}`;
      expect(await view(d), where).toBe('net[box], box running, other exited');
      await leavesNoTrace(where);
      if (survived) return expect(nth).toBeGreaterThan(2);
    }
  };

  return {
    /** `every`: at every second place, or third …: neighbours often differ in whether a record is on the disk, no more. */
    killedAtEachStep: (scenarios: readonly Scenario[], every = 1) =>
      test.each(scenarios)(
        `${ids} killed at ${every === 1 ? 'each step' : 'steps'} of: $name`,
        { timeout: 180_000 },
        (s) => killedAt(s, EACH ? 1 : every),
      ),
    killedInRecovery,
  };
};
