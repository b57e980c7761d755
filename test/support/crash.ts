/**
 * SIGKILL between any two steps of a command: it is run again and again from the same start, killed at the first place it
 * passes (src/failpoints.ts), then at the second, until it survives. After each crash the next daemon must have brought
 * records and kernel together, and everything must be removable without a trace; the next round then uses the same
 * names, subnet, port and volume.
 */
import { beforeAll, expect, test } from 'vitest';
import type { TestDaemon } from './daemon.js';
import { containerProcesses, kernelState } from './kernel-state.js';

export interface Scenario {
  readonly name: string;
  readonly before: readonly (readonly string[])[];
  readonly command: readonly string[];
  /** what may be seen (`view`) after a crash in the middle of it */
  readonly may: readonly string[];
  /** what is seen when it was done */
  readonly done: string;
}

export const NETWORK = ['network', 'create', '--ipv6', '--subnet', '10.77.0.0/24', 'net'];
const SETTINGS = ['--name', 'box', '-p', '8080:80', '-v', 'data:/data', '--network', 'net', 'alpine'];
/** Runs until the file /data/end is there. */
const PROGRAM = ['sh', '-c', 'rm -f /data/end; while [ ! -e /data/end ]; do sleep 0.05; done; exit 3'];
export const CREATE = ['create', ...SETTINGS, ...PROGRAM];
export const RUN = ['run', '-d', '--stop-timeout', '0', ...SETTINGS, ...PROGRAM];

const OTHER = ['run', '-d', '--name', 'other', '--network', 'net', 'alpine', 'sleep', '600'];

/** Networks with their members, and containers with their state, as users see them: `net[box], box running`. */
const view = async (d: TestDaemon): Promise<string> => {
  const networks = (await d.docker('network', 'ls', '-q', '--filter', 'type=custom')).split('\n');
  const format = '{{.Name}}[{{range .Containers}}{{.Name}}{{end}}]';
  const members = networks[0] ? await d.docker('network', 'inspect', '--format', format, ...networks) : '';
  const containers = await d.docker('ps', '-a', '--format', '{{.Names}} {{.State}}');
  return [members, containers].filter((text) => text !== '').join(', ');
};

/** Time in which what a command set off without waiting for it is done, too. */
const SETTLES_MS = 400;

/** Runs `work`, killed at the nth place. Answers whether it was. */
const crashesAt = async (d: TestDaemon, nth: number, work: () => Promise<unknown>): Promise<boolean> => {
  d.dieAt(`any:${nth}`);
  try {
    const died = d.ended().then(() => true as const);
    await work();
    const settled = new Promise<false>((resolve) => setTimeout(() => resolve(false), SETTLES_MS));
    return await Promise.race([died, settled]);
  } finally {
    d.dieAt('');
  }
};

export const crashTests = (d: TestDaemon) => {
  let empty: readonly string[];
  beforeAll(async () => {
    for (const args of [NETWORK, RUN]) await d.docker(...args);
    await d.clear();
    empty = await kernelState(d);
  });

  /** A port in use, a link that lives on, a mount, a file: each would show here or in the next round. */
  const leavesNoTrace = async (where: string): Promise<void> => {
    await d.clear();
    expect(await kernelState(d), where).toEqual(empty);
    expect(containerProcesses(d), where).toBe(0);
  };

  const killedAtEachStep = async ({ before, command, may, done }: Scenario): Promise<void> => {
    for (let nth = 1; ; nth += 1) {
      for (const args of before) await d.docker(...args);
      if (!(await crashesAt(d, nth, () => d.docker.try(command)))) {
        expect(await view(d)).toBe(done);
        expect(nth).toBeGreaterThan(2); // it was killed at some places
        return leavesNoTrace('not killed');
      }
      await d.start();
      const where = `killed at place ${nth}`;
      expect(may, where).toContain(await view(d));
      await leavesNoTrace(where);
    }
  };

  /** The start that finds one container running and one ended meanwhile; killed at every other place. */
  const killedInRecovery = async (): Promise<void> => {
    for (let nth = 1; ; nth += 2) {
      for (const args of [NETWORK, RUN, OTHER]) await d.docker(...args);
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
      expect(await view(d), where).toBe('net[box], other exited\nbox running');
      await leavesNoTrace(where);
      if (survived) return expect(nth).toBeGreaterThan(2);
    }
  };

  return {
    killedAtEachStep: (scenarios: readonly Scenario[]) =>
      test.each(scenarios)('O3 killed at each step of: $name', { timeout: 120_000 }, killedAtEachStep),
    killedInRecovery,
  };
};
