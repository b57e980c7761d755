/** 127.0.0.11:53 in a sandbox leads to the resolver's hidden ports: UDP, TCP, beside the container's own firewall and servers. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ResolverPorts } from '../../src/firewall/sandbox.js';
import * as ffi from '../../src/kernel/ffi.js';
import { NETLINK, withSocket } from '../../src/kernel/netlink.js';
import { createNamespace, inNamespace } from '../../src/kernel/netns.js';
import { sandboxRedirect } from '../../src/kernel/nftables/index.js';
import { readGeneration } from '../../src/kernel/nftables/observed.js';
import { sockaddr } from '../../src/kernel/sockaddr.js';

const RESOLVER = '127.0.0.11';
const PORTS = { udp: 41_001, tcp: 41_002 };
const BIG = 'x'.repeat(60_000);

let directory: string;
let ns: string;
const closers: (() => void)[] = [];
const inSandbox = (...command: string[]): string =>
  execFileSync('nsenter', [`--net=${ns}`, ...command], { encoding: 'utf8', stdio: 'pipe' });

const bound = (type: number, address: string, port: number): number =>
  inNamespace(ns, () => {
    const fd = ffi.socket(ffi.AF.INET, type | ffi.SOCK.NONBLOCK);
    ffi.bind(fd, sockaddr(address, port));
    if (type === ffi.SOCK.STREAM) ffi.listen(fd, 16);
    return fd;
  });

/** Servers that send back what they get, behind their name. */
const echo = async (name: string, address: string, ports: { udp: number; tcp: number }): Promise<void> => {
  const udp = createSocket('udp4');
  udp.on('message', (data, from) => udp.send(`${name} ${data}`, from.port, from.address));
  await new Promise<void>((done) =>
    udp.bind({ fd: bound(ffi.SOCK.DGRAM, address, ports.udp), exclusive: true }, done),
  );
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    const parts: Buffer[] = [];
    socket.on('data', (data) => parts.push(data));
    socket.on('end', () => socket.end(`${name} ${Buffer.concat(parts)}`));
    socket.on('error', () => {});
  });
  await new Promise<void>((done) => {
    tcp.listen({ fd: bound(ffi.SOCK.STREAM, address, ports.tcp) }, done);
  });
  closers.push(
    () => udp.close(),
    () => tcp.close(),
  );
};

const askUdp = (address: string, text: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => finish('silence'), 1500);
    const finish = (answer: string) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    socket.on('message', (data, from) => finish(`${from.address}:${from.port} ${data}`));
    const fd = bound(ffi.SOCK.DGRAM, '0.0.0.0', 0);
    socket.bind({ fd, exclusive: true }, () => socket.send(text, 53, address));
  });

const askTcp = (address: string, text: string): Promise<string> => {
  const fd = inNamespace(ns, () => {
    const made = ffi.socket(ffi.AF.INET, ffi.SOCK.STREAM);
    const time = Buffer.alloc(16);
    time.writeBigInt64LE(1n);
    ffi.setsockopt(made, 1, 21, time);
    ffi.connect(made, sockaddr(address, 53));
    return made;
  });
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd });
    const parts: Buffer[] = [];
    socket.setTimeout(3000, () => socket.destroy(new Error('silence')));
    socket.on('data', (data) => parts.push(data));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(parts).toString()));
    socket.end(text);
  });
};

const answers = async (): Promise<void> => {
  expect(await askUdp(RESOLVER, 'small')).toBe(`${RESOLVER}:53 resolver small`);
  expect(await askUdp(RESOLVER, BIG)).toBe(`${RESOLVER}:53 resolver ${BIG}`);
  expect(await askTcp(RESOLVER, 'small')).toBe('resolver small');
  expect(await askTcp(RESOLVER, BIG)).toBe(`resolver ${BIG}`);
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'viaduct-sandbox-'));
  ns = join(directory, 'ns');
  createNamespace(ns);
  inSandbox('ip', 'link', 'set', 'lo', 'up');
  await echo('resolver', RESOLVER, PORTS);
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
  ffi.umount(ns);
  rmSync(directory, { recursive: true });
});

/** Answers where it led before. */
const lead = (ports: ResolverPorts): ResolverPorts | undefined => {
  const redirect = sandboxRedirect(ns);
  redirect.lead(ports);
  redirect.close();
  return redirect.led;
};
/** Every transaction in the sandbox raises it. */
const generation = (): number => withSocket(NETLINK.NETFILTER, ns, readGeneration).id;

describe('a sandbox', () => {
  test('reaches the resolver on port 53', async () => {
    lead(PORTS);
    await answers();
  });

  test('tracks no connections for it', async () => {
    lead(PORTS);
    await answers();
    const count = '/proc/sys/net/netfilter/nf_conntrack_count';
    if (existsSync(count)) expect(inNamespace(ns, () => readFileSync(count, 'utf8').trim())).toBe('0');
    expect(inSandbox('nft', 'list', 'ruleset')).not.toContain('nat');
  });

  test('keeps port 53 for its own servers', async () => {
    lead(PORTS);
    await echo('own', '0.0.0.0', { udp: 53, tcp: 53 });
    expect(await askUdp('127.0.0.1', 'x')).toBe('127.0.0.1:53 own x');
    expect(await askTcp('127.0.0.1', 'x')).toBe('own x');
    await answers();
  });

  test('may change the ports of its resolver', async () => {
    lead({ udp: 1, tcp: 2 });
    lead(PORTS);
    await answers();
  });

  test('tells where it leads; to lead it there again changes nothing', async () => {
    expect(lead(PORTS)).toBeUndefined();
    const before = generation();
    expect(lead(PORTS)).toEqual(PORTS);
    expect(generation()).toBe(before);
    await answers();
  });

  test.each([
    ['where queries go', 'flush map ip viaduct resolver'],
    ['where answers come from', 'delete element netdev viaduct hidden { tcp . 41002 }'],
  ])('%s, taken away by somebody, is written again', async (_, meddling) => {
    lead(PORTS);
    inSandbox('nft', ...meddling.split(' '));
    expect(lead(PORTS)).toBeUndefined();
    expect(lead(PORTS)).toEqual(PORTS);
    await answers();
  });

  test.each(['iptables-nft', 'iptables-legacy'])(
    'with a strict firewall of its own by %s',
    async (iptables) => {
      const first = iptables === 'iptables-nft';
      if (first) lead(PORTS);
      try {
        inSandbox(iptables, '-P', 'INPUT', 'DROP');
      } catch {
        return; // this kernel has no such tables
      }
      for (const rule of [
        '-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT',
        '-A INPUT -i lo -m conntrack --ctstate NEW -j ACCEPT',
        '-A INPUT -m conntrack --ctstate INVALID -j DROP',
        '-t nat -A OUTPUT -p udp --dport 5353 -j REDIRECT --to-ports 54',
      ])
        inSandbox(iptables, ...rule.split(' '));
      if (!first) lead(PORTS);
      await answers();
      expect(inSandbox(iptables, '-S')).toContain('ESTABLISHED');
    },
  );
});
