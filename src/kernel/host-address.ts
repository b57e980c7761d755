/** The address of a host by its name, as the host's own resolver answers (files, DNS, whatever nsswitch.conf names). */
import { isIP } from 'node:net';
import { runProgram } from './program.js';

/** Milliseconds. Two servers that are asked twice for five seconds each, which is the resolver's default. */
const PATIENCE = 20_000;

/** Rejects where there is none, or nobody answers in time (`limit`), or it is given up. */
export const addressOfHost = async (
  host: string,
  signal?: AbortSignal,
  limit: number = PATIENCE,
): Promise<string> => {
  const args = ['ahosts', '--', host];
  const answer = await runProgram({ command: 'getent', args, limit, ...(signal ? { signal } : {}) });
  const address = /^\S+/.exec(answer.toString('utf8'))?.[0] ?? '';
  if (isIP(address) === 0) throw new Error(`no address for ${host}`);
  return address;
};
