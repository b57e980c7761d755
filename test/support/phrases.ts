/** What end-to-end tests say again and again, over the one daemon of their file. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { formatAddress, parseAddress } from '../../src/ipam/address.js';
import { type StartOptions, startDaemon, type TestDaemon } from './daemon.js';
import { PATIENCE, type Result, until } from './run.js';

/** In /proc/net/tcp6: port 80, in the state TCP_LISTEN (include/net/tcp_states.h). */
const LISTENS_ON_80 = /:0050 [0-9A-F]+:0000 0A /;

/** A daemon for the whole file: started before, cleared after each test, stopped and checked for leftovers at the end. */
export const daemonForThisFile = (options: StartOptions = {}): TestDaemon => {
  let started: TestDaemon | undefined;
  beforeAll(async () => {
    started = await startDaemon(options);
  });
  afterEach(() => started?.clear());
  afterAll(() => started?.stop());
  const target = {} as TestDaemon; // stands for the daemon that `beforeAll` starts
  return new Proxy(target, {
    get: (_, name) => {
      if (!started) throw new Error('the daemon is started in beforeAll: use it inside tests only');
      return Reflect.get(started, name);
    },
  });
};

export const phrasesFor = (d: TestDaemon) => {
  const inspect = (format: string, ...names: string[]): Promise<string> =>
    d.docker('inspect', '--format', format, ...names);
  /** `172.18.0.0/16`; the first one where a network has two */
  const subnetOf = (network: string): Promise<string> =>
    inspect('{{(index .IPAM.Config 0).Subnet}}', network);
  /** one echo request from a container; exit code 0 where it was answered within a second (an emulated one's) */
  const ping = (from: string, to: string): Promise<Result> =>
    d.docker.try(['exec', from, 'ping', '-c', '1', '-W', String(Math.ceil(PATIENCE)), to]);
  /** TCP sockets in the container's namespace, as the kernel lists them */
  const socketsOf = async (id: string): Promise<string> => {
    const { json } = await d.api('GET', `/containers/${id}/json`);
    const { State } = json as { State: { Pid: number } }; // the API's answer
    try {
      return readFileSync(`/proc/${State.Pid}/net/tcp6`, 'utf8');
    } catch {
      return ''; // it has ended
    }
  };
  return {
    inspect,
    subnetOf,
    /** the first address of the subnet */
    gatewayOf: async (network: string): Promise<string> => (await subnetOf(network)).replace(/0\/\d+$/, '1'),
    /** IPv4 address of a container on a network */
    addressOf: (container: string, network = 'bridge'): Promise<string> =>
      inspect(`{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container),
    address6Of: (container: string, network = 'bridge'): Promise<string> =>
      inspect(`{{(index .NetworkSettings.Networks "${network}").GlobalIPv6Address}}`, container),
    /** a container that stays and does nothing */
    sleeper: (name: string, ...flags: string[]): Promise<string> =>
      d.docker('run', '-d', '--name', name, '--stop-timeout', '0', ...flags, 'alpine', 'sleep', '600'),
    /** TELL_PEER's; resolves to its id when it listens, so that silence afterwards means something */
    server: async (name: string, ...flags: string[]): Promise<string> => {
      const run = ['run', '-d', '--name', name, '--stop-timeout', '0', ...flags, 'nettools', ...TELL_PEER];
      const id = await d.docker(...run);
      await until(`${name} listens`, async () => LISTENS_ON_80.test(await socketsOf(id)));
      return id;
    },
    ping,
    /** asks until it answers; where it does not, the error tells what both sides of the wire know */
    reaches: async (from: string, to: string): Promise<void> => {
      try {
        await until(`${from} reaches ${to}`, async () => (await ping(from, to)).code === 0, 6_000);
      } catch (error) {
        const known = 'ip neigh; ip route; ip -s link';
        const said = [await d.host(known), await d.outside(known)].join('\n--- outside\n');
        throw new Error(`${error instanceof Error ? error.message : error}\n--- host\n${said}`);
      }
    },
    /** a shell command in a container */
    inside: (container: string, command: string): Promise<string> =>
      d.docker('exec', container, 'sh', '-c', command),
    /** status and message of a request */
    refusal: async (
      method: string,
      path: string,
      body?: unknown,
    ): Promise<{ status: number; message: string }> => {
      const { status, json } = await d.api(method, path, body);
      const message = (json as { message?: unknown } | undefined)?.message; // checked in the next line
      return { status, message: typeof message === 'string' ? message : '' };
    },
  };
};

/** What TELL_PEER's server said, in the usual writing: `[0000:…:ffff:c000:0201]` is 192.0.2.1. */
export const peerOf = (said: string): string => {
  const address = parseAddress(said.trim().replace(/^\[|\]$/g, ''));
  return address ? formatAddress(address) : said;
};

/** A TCP server for `nettools` that answers each connection with the address the client has for it. */
export const TELL_PEER = ['socat', 'TCP6-LISTEN:80,ipv6only=0,fork,reuseaddr', 'SYSTEM:echo $SOCAT_PEERADDR'];
/**
 * The same over UDP, in socat's writing. socat's own server of datagrams, which forks for each, stops for good now and then on a busy machine
 * (1.7.4.4, on the loopback alone: once in some fifty callers); one loop with one socket does not. 10 and 2: AF_INET6 and SOCK_DGRAM.
 * As the first process of a container it ends at SIGTERM only where it says so.
 */
export const tellPeerUdp = (port: number): readonly string[] => [
  ...['perl', '-e'],
  `$SIG{TERM} = sub { exit 0 };
   socket(S, 10, 2, 0) && bind(S, pack("S n N a16 N", 10, ${port}, 0, "", 0)) or die $!;
   while (defined($peer = recv(S, $said, 1500, 0))) {
     send(S, "[" . join(":", unpack("(H4)8", substr($peer, 8, 16))) . "]\\n", 0, $peer);
   }`,
];
export const TELL_PEER_UDP = tellPeerUdp(80);
