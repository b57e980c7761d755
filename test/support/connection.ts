/** A TCP connection from the outside that stays open, to see whether it survives what happens to the daemon. */
import { spawn } from 'node:child_process';
import type { TestDaemon } from './daemon.js';
import { until } from './run.js';

export interface Connection {
  /** sends a line and answers the line that comes back; rejects where none comes within two seconds */
  say(line: string): Promise<string>;
  close(): void;
}

export const openConnection = async (d: TestDaemon, address: string, port: number): Promise<Connection> => {
  const target = `TCP:${address}:${port}`;
  const args = [`--net=${d.world.netns.outside}`, '--', 'socat', '-', target];
  const child = spawn('nsenter', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let heard = '';
  child.stdout.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  child.stdin.on('error', () => {}); // a dead connection shows itself by its silence
  const say = async (line: string): Promise<string> => {
    heard = '';
    child.stdin.write(`${line}\n`);
    return await until(
      `an answer to "${line}"`,
      () => heard.includes('\n') && heard.slice(0, heard.indexOf('\n')),
      2_000,
    );
  };
  return { say, close: () => void child.kill() };
};
