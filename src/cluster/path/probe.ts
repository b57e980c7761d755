/**
 * Looks at one way to another host as a container of this one sees it, with Debian's own programs in that container's network
 * namespace. When all is well: two small packets, two of full size, one that opens a TCP connection to a port that nobody serves.
 */

import type { Way } from '../../engine/cluster.js';
import { ChildError, runProgram } from '../../kernel/program.js';
import { readDevice } from '../../kernel/wireguard.js';
import { TUNNEL_LINK } from '../../model/tunnel.js';
import type { Seen } from './judge.js';

/** milliseconds */
const LIMIT = 15_000;
/** Bytes of ICMP's header, and of IP's. */
const ICMP_BYTES = 8;
const IP_BYTES = { 4: 20, 6: 40 } as const;
/** Below it a path carries nothing that is worth a name. */
const SMALLEST = 500;
/** tcpmux, which nobody serves: a refusal is an answer. */
const UNSERVED = 1;
/** curl's for a connection that was not answered in time. */
const TIMED_OUT = 28;

/** Its exit code. Throws where the program is not there, or is given up. */
const run = async (args: readonly [string, ...string[]], signal: AbortSignal): Promise<number> => {
  const [command, ...rest] = args;
  try {
    await runProgram({ command, args: rest, signal, limit: LIMIT });
    return 0;
  } catch (error) {
    if (error instanceof ChildError) return error.code;
    throw error;
  }
};

const pings = async (
  from: readonly string[],
  to: string,
  more: readonly string[],
  signal: AbortSignal,
): Promise<boolean> => {
  const ping = ['ping', '-n', '-q', '-c', '2', '-i', '0.2', '-W', '1', ...more, to] as const;
  const [command = 'ping', ...rest] = [...from, ...ping];
  return (await run([command, ...rest], signal)) === 0;
};

/** Packets of so many bytes pass; those larger by one do not. */
const largestOf = async (most: number, passes: (bytes: number) => Promise<boolean>): Promise<number> => {
  let [fits, tooLarge] = [SMALLEST, most];
  while (tooLarge - fits > 1) {
    const middle = (fits + tooLarge) >> 1;
    if (await passes(middle)) fits = middle;
    else tooLarge = middle;
  }
  return fits;
};

const agreedWith = (key: string | undefined): number | undefined => {
  const at = key === undefined ? undefined : readDevice(TUNNEL_LINK)?.agreed.get(key);
  return at === undefined ? undefined : Date.now() / 1000 - at;
};

/** Throws where a program is not there. */
export const look = async (way: Way, gossip: boolean, signal: AbortSignal): Promise<Seen> => {
  const within = ['nsenter', `--net=${way.netns}`, '--'];
  const six = way.to.includes(':');
  const passes = (bytes: number): Promise<boolean> =>
    pings(within, way.to, ['-M', 'do', '-s', String(bytes - ICMP_BYTES - IP_BYTES[six ? 6 : 4])], signal);
  const nothing: Seen = { small: false, host: false, largest: way.mtu, tcp: true, gossip, agreed: undefined };
  if (!(await pings(within, way.to, [], signal)))
    return { ...nothing, host: await pings([], way.address, [], signal), agreed: agreedWith(way.key) };
  if (!(await passes(way.mtu))) return { ...nothing, small: true, largest: await largestOf(way.mtu, passes) };
  const url = `telnet://${six ? `[${way.to}]` : way.to}:${UNSERVED}`;
  const curl = ['curl', '-s', '-o', '/dev/null', '--noproxy', '*', '--connect-timeout', '3', '-m', '4', url];
  const [command = '', ...rest] = [...within, ...curl];
  const tcp = (await run([command, ...rest], signal)) !== TIMED_OUT;
  return { ...nothing, small: true, tcp };
};
