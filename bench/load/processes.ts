/** The two ends of the connection load as processes of their own, each in a given network namespace. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { ROOT } from '../../test/support/daemon.js';
import { onEnd } from '../undo.js';

const TSX = join(ROOT, 'node_modules/tsx/dist/esm/index.mjs');

type Child = ChildProcessByStdio<Writable, Readable, null>;

const launch = (netns: string, file: string, args: readonly string[]): { child: Child; lines: Interface } => {
  const node = [process.execPath, '--import', TSX, join(ROOT, 'bench/load', file), ...args];
  const child = spawn('nsenter', [`--net=${netns}`, ...node], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  return { child, lines: createInterface({ input: child.stdout }) };
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

export const startAcceptor = async (netns: string, port: number): Promise<Acceptor> => {
  const { child, lines } = launch(netns, 'accept.ts', [String(port)]);
  const stop = stopper(child);
  await nextLine(child, lines);
  return { stop };
};

export const startConnector = async (netns: string, address: string, port: number): Promise<Connector> => {
  const { child, lines } = launch(netns, 'connect.ts', [address, String(port)]);
  const stop = stopper(child);
  return {
    perSecond: async (seconds) => {
      child.stdin.write(`${seconds}\n`);
      return Number(await nextLine(child, lines));
    },
    stop,
  };
};
