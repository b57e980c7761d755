/**
 * Several machines on one wire, each with a real viaductd and the `docker` client to talk to it.
 *
 *     const lab = await startLab(3);
 *     const [first, second] = lab.hosts;                 // host1 192.0.2.1 2001:db8:1::1, host2 …
 *     await first.docker('swarm', 'init');
 *     await lab.wire('curl -s 192.0.2.2:8080');          // from outside, 192.0.2.254
 *     await second.unplug();                             // a partition: its port of the wire is down
 *     await lab.part([1, 3]);                            // these two reach each other, and nobody else
 *     await lab.stop();                                  // leaves swarms, checks that nothing is left of any of them
 */
import { readFileSync } from 'node:fs';
import { type StartOptions, startDaemonIn, type TestDaemon } from './daemon.js';
import { until } from './run.js';
import { startUpstream } from './upstream.js';
import { createWire, createWorld, onWire, type Shell, WIRE, type Wire } from './world.js';

export interface LabHost extends TestDaemon {
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
  unplug(): Promise<void>;
  plugIn(): Promise<void>;
  /** As a power cut: everything that runs on it ends at once. */
  crash(): Promise<void>;
}

export interface Lab {
  readonly hosts: readonly LabHost[];
  /** the host of this number, from 1 on */
  host(number: number): LabHost;
  /** what is outside of all hosts, on the same wire */
  readonly wire: Shell;
  /** The hosts of these numbers have a wire of their own until `heal`. */
  part(numbers: readonly number[]): Promise<void>;
  heal(): Promise<void>;
  stop(): Promise<void>;
}

const startHost = async (
  wire: Wire,
  number: number,
  upstream: Awaited<ReturnType<typeof startUpstream>>,
  options: StartOptions,
): Promise<LabHost> => {
  const { name, ipv4, ipv6, port } = onWire(number);
  const world = await createWorld({ wire, number });
  const setPort = (state: string) => async () => void (await wire.shell(`ip link set ${port} ${state}`));
  try {
    await options.before?.(world);
    // The resolver outside is everybody's: who stops does not close it.
    const daemon = await startDaemonIn(world, { ...upstream, close: () => {} }, options);
    const crash = async (): Promise<void> => {
      await daemon.kill9();
      await until('nothing runs on it', () => {
        for (const pid of world.processes()) endQuietly(pid);
        return world.processes().length === 0;
      });
    };
    return { ...daemon, name, ipv4, ipv6, unplug: setPort('down'), plugIn: setPort('up'), crash };
  } catch (error) {
    await world.remove();
    throw error;
  }
};

const endQuietly = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
};

/** Its daemon may be dead, or have been told to leave already. */
const leave = async (host: LabHost): Promise<void> => {
  await host.plugIn();
  if ((await host.docker.try(['version'])).code !== 0) await host.start();
  // All at once: who leaves last finds no quorum, and waits for its answer in vain, after its tasks have had their ten seconds to end.
  await host.docker.try(['swarm', 'leave', '--force'], { timeoutMs: 60_000 });
};

/** Ends all that can be ended, then says what went wrong first. */
/** The process of its member of etcd, where it is a manager. */
export const etcdOf = ({ world }: Pick<LabHost, 'world'>): number | undefined =>
  world.processes().find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'etcd\n';
    } catch {
      return false; // it has just ended
    }
  });

const all = async (work: readonly Promise<unknown>[]): Promise<void> => {
  const failed = (await Promise.allSettled(work)).find((each) => each.status === 'rejected');
  if (failed) throw failed.reason;
};

export const startLab = async (count: number, options: StartOptions = {}): Promise<Lab> => {
  const wire = await createWire();
  const upstream = await startUpstream(wire.netns, WIRE.ipv4);
  const close = async (): Promise<void> => {
    upstream.close();
    await wire.remove();
  };
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const started = await Promise.allSettled(
    numbers.map((number) => startHost(wire, number, upstream, { images: [], ...options })),
  );
  const hosts = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = started.find((each) => each.status === 'rejected');
  if (failed) {
    await Promise.allSettled(hosts.map((host) => host.stop()));
    await close();
    throw failed.reason;
  }
  const wired = async (to: string, those: readonly number[]): Promise<void> => {
    for (const number of those) await wire.shell(`ip link set ${onWire(number).port} master ${to}`);
  };
  const heal = (): Promise<void> => wired('br0', numbers);
  return {
    hosts,
    host: (number) => {
      const found = hosts[number - 1];
      if (!found) throw new Error(`the lab has no host ${number}`);
      return found;
    },
    wire: wire.shell,
    part: async (apart) => {
      await wire.shell('ip link show br1 || ip link add br1 up type bridge mcast_snooping 0');
      await wired('br1', apart);
    },
    heal,
    stop: async () => {
      try {
        await heal();
        await all(hosts.map(leave));
        await all(hosts.map((host) => host.stop()));
      } finally {
        await close();
      }
    },
  };
};
