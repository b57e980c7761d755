/** The ends of the loads as processes of their own, each in a given network namespace. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { build } from 'esbuild';
import { z } from 'zod';
import { ROOT } from '../../test/support/daemon.js';
import { attempt } from '../../test/support/run.js';
import { onEnd } from '../undo.js';

/** Below the project, where its packages are found. */
const PROGRAMS = join(ROOT, '.cache/bench');
const NAMES = [
  'accept',
  'ask',
  'backends',
  'connect',
  'echo',
  'ping',
  'pour',
  'reach',
  'roundtrips',
] as const;
type Program = (typeof NAMES)[number];

let bundled: Promise<unknown> | undefined;

/** Once, for all: tsx would read each again at each start, which in an emulated machine takes ten seconds. */
const bundle = (): Promise<unknown> => {
  bundled ??= build({
    entryPoints: NAMES.map((name) => join(ROOT, 'bench/load', `${name}.ts`)),
    outdir: PROGRAMS,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
  return bundled;
};

type Child = ChildProcessByStdio<Writable, Readable, null>;

const launchProgram = (netns: string, command: readonly string[]): { child: Child; lines: Interface } => {
  const child = spawn('nsenter', [`--net=${netns}`, ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  return { child, lines: createInterface({ input: child.stdout }) };
};

const launch = async (
  netns: string,
  name: Program,
  args: readonly string[],
): Promise<{ child: Child; lines: Interface }> => {
  await bundle();
  return launchProgram(netns, [process.execPath, join(PROGRAMS, `${name}.mjs`), ...args]);
};

/** Next line of its output; rejects where it ends first. */
const nextLine = (child: Child, lines: Interface): Promise<string> =>
  new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the load generator ended'));
    child.once('exit', ended);
    lines.once('line', (line) => {
      child.off('exit', ended);
      resolve(line);
    });
  });

export interface Acceptor {
  stop(): void;
}
export interface Connector {
  perSecond(seconds: number): Promise<number>;
  stop(): void;
}

/** SIGKILL: both may sit in a system call for ever. */
const stopper = (child: Child): (() => void) => {
  const stop = onEnd(() => void child.kill('SIGKILL'));
  return () => void stop();
};

const startListener =
  (name: Program) =>
  async (netns: string, port: number): Promise<Acceptor> => {
    const { child, lines } = await launch(netns, name, [String(port)]);
    const stop = stopper(child);
    await nextLine(child, lines);
    return { stop };
  };

export const startAcceptor = startListener('accept');
export const startEcho = startListener('echo');

export const startConnector = async (netns: string, address: string, port: number): Promise<Connector> => {
  const { child, lines } = await launch(netns, 'connect', [address, String(port)]);
  const stop = stopper(child);
  return {
    perSecond: async (seconds) => {
      child.stdin.write(`${seconds}\n`);
      return Number(await nextLine(child, lines));
    },
    stop,
  };
};

export interface RoundTrips {
  /** of one byte there and back, microseconds */
  measure(address: string, port: number, seconds: number): Promise<number>;
  stop(): void;
}

export const startRoundTrips = async (netns: string): Promise<RoundTrips> => {
  const { child, lines } = await launch(netns, 'roundtrips', []);
  const stop = stopper(child);
  await nextLine(child, lines);
  return {
    measure: async (address, port, seconds) => {
      child.stdin.write(`${address} ${port} ${seconds}\n`);
      return Number(await nextLine(child, lines));
    },
    stop,
  };
};

export interface Asker {
  /** milliseconds within which 99 of 100 answers came */
  slowest(name: string, seconds: number): Promise<number>;
  stop(): void;
}

export const startAsker = async (netns: string): Promise<Asker> => {
  const { child, lines } = await launch(netns, 'ask', []);
  const stop = stopper(child);
  await nextLine(child, lines);
  return {
    slowest: async (name, seconds) => {
      child.stdin.write(`${name} ${seconds}\n`);
      return Number(await nextLine(child, lines));
    },
    stop,
  };
};

export interface Reacher {
  /** when the address answered first, in milliseconds of the monotonic clock */
  firstAnswer(address: string): Promise<number>;
  stop(): void;
}

export const startReacher = async (netns: string): Promise<Reacher> => {
  const { child, lines } = await launch(netns, 'reach', []);
  const stop = stopper(child);
  await nextLine(child, lines);
  return {
    firstAnswer: async (address) => {
      child.stdin.write(`${address}\n`);
      return Number(await nextLine(child, lines));
    },
    stop,
  };
};

export interface Backends {
  /** milliseconds by what is changed; `sandbox`: path of a network namespace */
  change(
    place: 'address' | 'port',
    sandbox: string,
  ): Promise<Readonly<Record<'replaced' | 'gone' | 'come', readonly number[]>>>;
  stop(): void;
}

const changesShape = z.record(z.enum(['replaced', 'gone', 'come']), z.array(z.number()));

/** `netns`: path of that of a machine whose firewall it may have */
export const startBackends = async (netns: string): Promise<Backends> => {
  const { child, lines } = await launch(netns, 'backends', []);
  const stop = stopper(child);
  await nextLine(child, lines);
  return {
    change: async (place, sandbox) => {
      child.stdin.write(`${place} ${sandbox}\n`);
      return changesShape.parse(JSON.parse(await nextLine(child, lines)));
    },
    stop,
  };
};

export interface Pings {
  readonly count: number;
  /** milliseconds */
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

export interface Pinger {
  /** since the last time it was asked */
  seen(): Promise<Pings>;
  stop(): void;
}

/** `socket`: a daemon's, which answers as long as it runs. */
export const startPinger = async (netns: string, socket: string): Promise<Pinger> => {
  const { child, lines } = await launch(netns, 'ping', [socket]);
  const stop = stopper(child);
  await nextLine(child, lines);
  return {
    seen: async () => {
      child.stdin.write('seen\n');
      return JSON.parse(await nextLine(child, lines)); // bench/load/ping.ts writes it
    },
    stop,
  };
};

export const startFlood = async (netns: string, connections: number, name: string): Promise<Acceptor> => {
  const { child, lines } = await launch(netns, 'pour', [`${connections}`, name]);
  const stop = stopper(child);
  await nextLine(child, lines);
  return { stop };
};

const IPERF_PORT = 5201;

/** One client at a time, one after the other. */
export const startStreamServer = async (netns: string): Promise<Acceptor> => {
  const { child, lines } = launchProgram(netns, ['iperf3', '-s', '-p', `${IPERF_PORT}`, '--forceflush']);
  const stop = stopper(child);
  await nextLine(child, lines);
  return { stop };
};

interface IperfReport {
  readonly error?: string;
  readonly end?: { readonly sum_received?: { readonly bits_per_second?: number } };
}

/** Gbit/s of one TCP stream, by what arrived. `amount`: iperf3's `-t <s>` or `-n <bytes>`. */
export const streamTo = async (
  netns: string,
  address: string,
  amount: readonly [flag: '-t' | '-n', value: number],
): Promise<number> => {
  const command = ['iperf3', '-c', address, '-p', `${IPERF_PORT}`, '-J', amount[0], `${amount[1]}`];
  const { stdout, stderr } = await attempt('nsenter', [`--net=${netns}`, ...command]);
  const report: IperfReport = stdout === '' ? { error: stderr } : JSON.parse(stdout);
  const rate = report.end?.sum_received?.bits_per_second;
  if (rate === undefined || !(rate > 0))
    throw new Error(`iperf3 to ${address}: ${report.error ?? 'nothing arrived'}`);
  return rate / 1e9;
};
