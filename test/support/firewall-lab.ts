/**
 * A laboratory for the firewall: this process's namespace is the host, others are containers behind bridges and machines
 * on two outer networks. Every container answers each request with the address it saw it come from, so a probe tells
 * both whether a way is open and whose address arrives. Namespaces die with the lab.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defined } from '../../src/defined.js';
import type { FirewallEndpoint, FirewallFamily, FirewallNetwork } from '../../src/firewall/contract.js';
import { endpointElements, ledElements, networkElements } from '../../src/firewall/index.js';
import { type Loaded, load, PLACE } from '../../src/kernel/bpf/loaded.js';
import * as ffi from '../../src/kernel/ffi.js';
import { createNamespace, inNamespace } from '../../src/kernel/netns.js';
import { createNftables } from '../../src/kernel/nftables/index.js';
import type { Nftables } from '../../src/kernel/nftables.contract.js';
import { withSession } from '../../src/kernel/session.js';
import { Shortcuts } from '../../src/kernel/shortcuts.js';
import { sockaddr } from '../../src/kernel/sockaddr.js';

export type Protocol = 'tcp' | 'udp';
/** The address that the server saw; null: no answer. */
export type Answer = string | null;

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
export const ip = (text: string): string => run('ip', ...text.split(' '));
const within = (ns: string): string[] => [`--net=${ns}`];
export const ipIn = (ns: string, text: string): string =>
  run('nsenter', ...within(ns), 'ip', ...text.split(' '));
export const sysctl = (path: string, value: string): void => writeFileSync(`/proc/sys/net/${path}`, value);

/** br_netfilter shows bridged packets to layer 3; other programs switch it on, so both ways must hold. */
const BRIDGE_NF = '/proc/sys/net/bridge/bridge-nf-call-iptables';
export const bridgeNetfilterWays = existsSync(BRIDGE_NF) ? (['0', '1'] as const) : (['0'] as const);
export const bridgeNetfilter = (way: '0' | '1'): void => {
  if (existsSync(BRIDGE_NF))
    for (const each of ['iptables', 'ip6tables']) sysctl(`bridge/bridge-nf-call-${each}`, way);
};

const isV6 = (address: string): boolean => address.includes(':');
const bare = (address: string): string => address.replace(/^::ffff:/, '').replace(/%.*$/, '');
const WILDCARD = '::';
const SOL_SOCKET = 1;
const SO = { REUSEADDR: 2, BROADCAST: 6, RCVTIMEO: 20, SNDTIMEO: 21 } as const;
const IPV6_V6ONLY = 26;

const bound = (ns: string, type: number, address: string, port: number): number =>
  inNamespace(ns, () => {
    const fd = ffi.socket(isV6(address) ? ffi.AF.INET6 : ffi.AF.INET, type | ffi.SOCK.NONBLOCK);
    ffi.setsockoptInt(fd, SOL_SOCKET, SO.REUSEADDR, 1);
    if (isV6(address)) ffi.setsockoptInt(fd, 41, IPV6_V6ONLY, 0);
    ffi.bind(fd, sockaddr(address, port));
    if (type === ffi.SOCK.STREAM) ffi.listen(fd, 16);
    return fd;
  });

const closers: (() => void)[] = [];

/** Answers with `prefix` and the client's address. */
export const serve = async (ns: string, protocol: Protocol, port: number, prefix = ''): Promise<void> => {
  const reply = (from: string | undefined) => `${prefix}${bare(from ?? '')}`;
  await new Promise<void>((resolve) => {
    if (protocol === 'tcp') {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.end(reply(socket.remoteAddress));
      });
      server.listen({ fd: bound(ns, ffi.SOCK.STREAM, WILDCARD, port) }, resolve);
      closers.push(() => server.close());
      return;
    }
    const socket = createSocket('udp6');
    socket.on('message', (_, from) => socket.send(reply(from.address), from.port, from.address));
    socket.on('error', () => {});
    socket.bind({ fd: bound(ns, ffi.SOCK.DGRAM, WILDCARD, port) }, resolve);
    closers.push(() => socket.close());
  });
};

/** Milliseconds to wait for what is expected, and for what must not come. */
export const PATIENCE = { answer: 2000, silence: 120 } as const;

const connected = (
  ns: string,
  address: string,
  port: number,
  wait: number,
  source?: string,
): number | undefined =>
  inNamespace(ns, () => {
    const fd = ffi.socket(isV6(address) ? ffi.AF.INET6 : ffi.AF.INET, ffi.SOCK.STREAM);
    const time = Buffer.alloc(16);
    time.writeBigInt64LE(BigInt(Math.floor(wait / 1000)), 0);
    time.writeBigInt64LE(BigInt((wait % 1000) * 1000), 8);
    ffi.setsockopt(fd, SOL_SOCKET, SO.SNDTIMEO, time);
    try {
      if (source) ffi.bind(fd, sockaddr(source, 0));
      ffi.connect(fd, sockaddr(address, port));
      return fd;
    } catch {
      ffi.close(fd);
      return undefined;
    }
  });

const tcpProbe = (
  ns: string,
  address: string,
  port: number,
  wait: number,
  source?: string,
): Promise<Answer> => {
  const fd = connected(ns, address, port, wait, source);
  if (fd === undefined) return Promise.resolve(null);
  return new Promise((resolve) => {
    const socket = new Socket({ fd });
    let text = '';
    const timer = setTimeout(() => socket.destroy(), wait);
    socket.setEncoding('utf8');
    socket.on('data', (data: string) => {
      text += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text === '' ? null : text);
    });
  });
};

/** Datagrams of one flow: every question comes from the same port. */
export interface Conversation {
  /** null: nothing within `wait` milliseconds */
  ask(wait: number): Promise<Answer>;
  close(): void;
}

export const converse = async (
  ns: string,
  address: string,
  port: number,
  source?: string,
): Promise<Conversation> => {
  const socket = createSocket(isV6(address) ? 'udp6' : 'udp4');
  const fd = bound(ns, ffi.SOCK.DGRAM, source ?? (isV6(address) ? '::' : '0.0.0.0'), 0);
  await new Promise<void>((resolve) => socket.bind({ fd, exclusive: true }, resolve));
  const ask = (wait: number): Promise<Answer> =>
    new Promise((resolve) => {
      const finish = (answer: Answer) => {
        clearTimeout(timer);
        socket.removeAllListeners();
        resolve(answer);
      };
      const timer = setTimeout(() => finish(null), wait);
      socket.on('message', (data) => finish(data.toString()));
      socket.on('error', () => finish(null));
      socket.send('?', port, address, () => {});
    });
  return { ask, close: () => socket.close() };
};

const udpProbe = async (
  ns: string,
  address: string,
  port: number,
  wait: number,
  source?: string,
): Promise<Answer> => {
  const conversation = await converse(ns, address, port, source);
  try {
    return await conversation.ask(wait);
  } finally {
    conversation.close();
  }
};

export interface Probe {
  readonly protocol?: Protocol;
  readonly source?: string;
  /** nothing must come: do not wait long */
  readonly silent?: boolean;
}

/** Asks the server at `address`:`port` from namespace `ns` (`host`: this one). */
export const probe = (ns: string, address: string, port: number, options: Probe = {}): Promise<Answer> => {
  const wait = options.silent ? PATIENCE.silence : PATIENCE.answer;
  const ask = options.protocol === 'udp' ? udpProbe : tcpProbe;
  return ask(ns, address, port, wait, options.source);
};

export interface LabNetwork extends FirewallNetwork {
  /** the bridge's addresses with prefix lengths; empty: isolated */
  readonly gateways: readonly string[];
}

export interface LabContainer {
  readonly ns: string;
  readonly port: string;
  readonly mac: string;
  readonly v4: string;
  readonly v6: string;
}

export const nat = (
  family: 4 | 6,
  subnet: string,
  gateway: string,
  change: Partial<FirewallFamily> = {},
) => ({
  family,
  subnet,
  gateway,
  mode: 'nat' as const,
  masquerade: true,
  ...change,
});

let fastpath = false;
/** From now on containers of labs have shortcuts past their bridges (ADR 39). */
export const withFastpath = (): void => {
  fastpath = true;
};

export class Lab {
  readonly nftables: Nftables = createNftables();
  private readonly directory = mkdtempSync(join(tmpdir(), 'viaduct-lab-'));
  private readonly namespaces: string[] = [];
  private count = 0;
  private readonly loaded: Loaded | undefined = fastpath ? load() : undefined;
  private readonly shortcuts = this.loaded && new Shortcuts(this.loaded);

  constructor() {
    this.loaded?.lead(PLACE.always, true);
    sysctl('ipv4/ip_forward', '1');
    sysctl('ipv6/conf/all/forwarding', '1');
    for (const each of ['all', 'default']) sysctl(`ipv6/conf/${each}/accept_dad`, '0');
    this.nftables.ensure();
  }

  namespace(name: string): string {
    const path = join(this.directory, name);
    createNamespace(path);
    this.namespaces.push(path);
    for (const each of ['all', 'default'])
      run('nsenter', ...within(path), 'sysctl', '-qw', `net.ipv6.conf.${each}.accept_dad=0`);
    ipIn(path, 'link set lo up');
    return path;
  }

  /** A machine on an outer network of the host: `outer` is the host's interface there. */
  machine(name: string, outer: string, host: readonly string[], own: readonly string[]): string {
    const ns = this.namespace(name);
    ip(`link add ${outer} type veth peer name eth0 netns ${ns}`);
    for (const address of host) ip(`addr add ${address} dev ${outer}${isV6(address) ? ' nodad' : ''}`);
    ip(`link set ${outer} up`);
    for (const address of own) ipIn(ns, `addr add ${address} dev eth0${isV6(address) ? ' nodad' : ''}`);
    ipIn(ns, 'link set eth0 up');
    for (const address of host)
      ipIn(ns, `${isV6(address) ? '-6 ' : ''}route add default via ${address.replace(/\/.*/, '')}`);
    return ns;
  }

  network(network: LabNetwork): LabNetwork {
    this.nftables.apply(networkElements(network).map((element) => ({ op: 'add', element })));
    ip(
      `link add ${network.bridge} address 02:00:00:00:ff:${(++this.count).toString(16).padStart(2, '0')} type bridge`,
    );
    for (const address of network.gateways)
      ip(`addr add ${address} dev ${network.bridge}${isV6(address) ? ' nodad' : ''}`);
    ip(`link set ${network.bridge} up`);
    sysctl(`ipv4/conf/${network.bridge}/route_localnet`, '1');
    return network;
  }

  /** `v4`, `v6` with prefix length; empty: none. */
  container(
    name: string,
    network: LabNetwork,
    v4: string,
    v6: string,
    rest: Partial<Pick<FirewallEndpoint, 'bindings' | 'linkedTo' | 'forwards' | 'carried'>> = {},
  ): LabContainer {
    const ns = this.namespace(name);
    const number = (++this.count).toString(16).padStart(2, '0');
    const mac = `02:42:ac:00:00:${number}`;
    const port = `veth${name}`;
    const addresses = [v4, v6].filter((a) => a !== '');
    const endpoint: FirewallEndpoint = {
      network,
      hostIfname: port,
      mac,
      addresses: addresses.map((a) => a.replace(/\/.*/, '')),
      exposed: [],
      bindings: [],
      linkedTo: [],
      ...rest,
    };
    ip(`link add ${port} type veth peer name eth0 address ${mac} netns ${ns}`);
    this.nftables.apply(
      endpointElements(endpoint)
        .flatMap(ledElements)
        .map((element) => ({ op: 'add', element })),
    );
    if (v6 === '') run('nsenter', ...within(ns), 'sysctl', '-qw', 'net.ipv6.conf.eth0.disable_ipv6=1');
    for (const address of addresses) ipIn(ns, `addr add ${address} dev eth0${isV6(address) ? ' nodad' : ''}`);
    ipIn(ns, 'link set eth0 up');
    ip(`link set ${port} master ${network.bridge}`);
    if (endpoint.bindings.length > 0) ip(`link set ${port} type bridge_slave hairpin on`);
    ip(`link set ${port} up`);
    if (network.icc && !rest.forwards) this.shortcut(port, network, mac, endpoint.addresses);
    for (const gateway of network.gateways)
      if (addresses.some((a) => isV6(a) === isV6(gateway)))
        ipIn(ns, `${isV6(gateway) ? '-6 ' : ''}route add default via ${gateway.replace(/\/.*/, '')}`);
    return { ns, port, mac, v4: v4.replace(/\/.*/, ''), v6: v6.replace(/\/.*/, '') };
  }

  private shortcut(link: string, { bridge }: LabNetwork, mac: string, addresses: readonly string[]): void {
    const of = (v6: boolean) => addresses.filter((address) => isV6(address) === v6);
    const [[ipv4], [ipv6]] = [of(false), of(true)];
    const own = { link, bridge, mac, ...defined({ ipv4, ipv6 }), always: true };
    withSession((session) => this.shortcuts?.put(session, { kind: 'shortcut', ...own }));
  }

  close(): void {
    this.loaded?.close();
    for (const close of closers.splice(0)) close();
    this.nftables.drop();
    this.nftables.close();
    for (const path of this.namespaces) ffi.umount(path);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
