/** The embedded resolver in real namespaces: 127.0.0.11:53 over UDP and TCP, upstream servers good, bad and lying. */
import { execFile, execFileSync } from 'node:child_process';
import { createSocket, type Socket as Datagrams, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import * as packet from 'dns-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Names } from '../../src/dns/contract.js';
import { PATIENCE } from '../../src/dns/forward.js';
import { createResolver, type HiddenPorts, type Resolver } from '../../src/dns/index.js';
import { TURN } from '../../src/dns/tcp.js';
import * as ffi from '../../src/kernel/ffi.js';
import { createNamespace, inNamespace } from '../../src/kernel/netns.js';
import { sandboxRedirect } from '../../src/kernel/nftables/index.js';
import { sockaddr } from '../../src/kernel/sockaddr.js';
import type { SandboxDns } from '../../src/model/endpoint.js';

const run = promisify(execFile);
const directory = `/run/viaduct-test-dns-${process.pid}`;
const ns = (name: string): string => `${directory}/${name}`;
const UPSTREAM_PORT = 5353;

/** A sandbox `a` that reaches the host's namespace by a veth: the host is 10.9.0.1, the sandbox 10.9.0.2. */
const makeSandbox = (name: string): void =>
  createNamespace(ns(name), () => {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
  });
const join = (name: string): void => {
  execFileSync('nsenter', [
    `--net=${ns(name)}`,
    'ip',
    'link',
    'add',
    'eth0',
    'type',
    'veth',
    'peer',
    'name',
    'h0',
    'netns',
    String(process.pid),
  ]);
  execFileSync('nsenter', [`--net=${ns(name)}`, 'ip', 'addr', 'add', '10.9.0.2/24', 'dev', 'eth0']);
  execFileSync('nsenter', [`--net=${ns(name)}`, 'ip', 'link', 'set', 'eth0', 'up']);
  execFileSync('ip', ['addr', 'add', '10.9.0.1/24', 'dev', 'h0']);
  execFileSync('ip', ['link', 'set', 'h0', 'up']);
};

let dns: SandboxDns;
let external: boolean;
const many = Array.from({ length: 100 }, (_, i) => `172.18.1.${i + 1}`);
/** How many local names each sandbox has asked for. */
const asked = { a: 0, b: 0 };
const names: Names = {
  dns: () => dns,
  resolve: (sandbox, name) => {
    if (sandbox === 'a' || sandbox === 'b') asked[sandbox] += 1;
    if (name === 'web') return { ipv4: [sandbox === 'a' ? '172.18.0.2' : '172.18.0.9'], ipv6: [] };
    return name === 'many' ? { ipv4: many, ipv6: [] } : undefined;
  },
  reverse: () => undefined,
  forwards: () => external,
};

let resolver: Resolver;
const object = (name: string) => ({ kind: 'resolver', ns: ns(name), sandboxId: name }) as const;
const fromHost = (...servers: string[]): SandboxDns => ({
  embedded: true,
  servers,
  hostServers: true,
  search: [],
  options: [],
});

const closers: (() => void)[] = [];
beforeEach(() => {
  dns = fromHost();
  asked.a = 0;
  asked.b = 0;
  external = true;
  resolver = createResolver({
    names,
    redirect: sandboxRedirect,
    upstreamPort: UPSTREAM_PORT,
    limits: { perSandbox: 20, overall: 30, reserve: 2 },
  });
  makeSandbox('a');
  makeSandbox('b');
  resolver.create(object('a'));
  resolver.create(object('b'));
});
afterEach(() => {
  resolver.close();
  for (const close of closers.splice(0)) close();
  for (const name of readdirSync(directory)) execFileSync('umount', ['-l', ns(name)]);
  rmSync(directory, { recursive: true });
});

const query = (name: string, type: packet.RecordType = 'A', id = 99): Buffer =>
  packet.encode({ type: 'query', id, flags: packet.RECURSION_DESIRED, questions: [{ name, type }] });

/** dns-packet's types leave out `rcode`. */
type Decoded = packet.DecodedPacket & { readonly rcode: string };
const decode = (message: Buffer): Decoded => packet.decode(message) as Decoded;

/** A client inside a sandbox that asks 127.0.0.11:53. */
const clientIn = (name: string) => {
  const fd = inNamespace(ns(name), () => ffi.socket(ffi.AF.INET, ffi.SOCK.DGRAM | ffi.SOCK.NONBLOCK));
  const socket = createSocket('udp4');
  ffi.bind(fd, sockaddr('0.0.0.0', 0));
  socket.bind({ fd, exclusive: true });
  closers.push(() => socket.close());
  return { socket, send: (message: Buffer) => socket.send(message, 53, '127.0.0.11') };
};

const ask = async (name: string, message: Buffer): Promise<Decoded> => {
  const client = clientIn(name);
  client.send(message);
  const [answer] = await once(client.socket, 'message');
  return decode(answer);
};
const addresses = (answer: Decoded): unknown[] =>
  (answer.answers ?? []).map((a) => ('data' in a ? a.data : undefined));

const tcpIn = (name: string): Socket => {
  const fd = inNamespace(ns(name), () => {
    const made = ffi.socket(ffi.AF.INET, ffi.SOCK.STREAM);
    ffi.connect(made, sockaddr('127.0.0.11', 53));
    return made;
  });
  const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  closers.push(() => socket.destroy());
  return socket;
};
const framed = (message: Buffer): Buffer =>
  Buffer.concat([Buffer.of(message.length >> 8, message.length & 255), message]);
const framesOf = async (socket: Socket): Promise<Decoded[]> => {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  let rest = Buffer.concat(chunks);
  const out: Decoded[] = [];
  while (rest.length >= 2) {
    const length = rest.readUInt16BE(0);
    out.push(decode(rest.subarray(2, 2 + length)));
    rest = rest.subarray(2 + length);
  }
  return out;
};

type Reply = (message: Buffer, from: RemoteInfo, socket: Datagrams) => void;
const answerWith =
  (address: string, change: Partial<packet.Packet> = {}): Reply =>
  (message, from, socket) => {
    const asked = packet.decode(message);
    const reply = packet.encode({
      type: 'response',
      id: asked.id ?? 0,
      questions: asked.questions ?? [],
      answers: [{ type: 'A', name: 'example.com', data: address, ttl: 5 }],
      ...change,
    });
    socket.send(reply, from.port, from.address);
  };

/** An upstream server in the host's namespace (where this process is). */
const upstream = async (address: string, reply: Reply): Promise<{ seen: RemoteInfo[]; ids: Set<number> }> => {
  const socket = createSocket('udp4').bind(UPSTREAM_PORT, address);
  await once(socket, 'listening');
  const seen: RemoteInfo[] = [];
  const ids = new Set<number>();
  socket.on('message', (message, from) => {
    seen.push(from);
    ids.add(message.readUInt16BE(0));
    reply(message, from, socket);
  });
  closers.push(() => socket.close());
  return { seen, ids };
};

describe('names of the sandbox', () => {
  test('through the redirect, UDP and TCP, each sandbox its own', async () => {
    expect(addresses(await ask('a', query('web')))).toEqual(['172.18.0.2']);
    expect(addresses(await ask('b', query('web')))).toEqual(['172.18.0.9']);
    const tcp = tcpIn('a');
    tcp.end(framed(query('web')));
    expect((await framesOf(tcp)).map(addresses)).toEqual([['172.18.0.2']]);
  });

  test('an ordinary client, and a container’s own server on port 53', async () => {
    const enter = (...command: string[]) => run('nsenter', [`--net=${ns('a')}`, ...command]);
    expect((await enter('busybox', 'nslookup', 'web', '127.0.0.11')).stdout).toContain('172.18.0.2');
    const own = inNamespace(ns('a'), () => {
      const fd = ffi.socket(ffi.AF.INET, ffi.SOCK.DGRAM);
      ffi.bind(fd, sockaddr('0.0.0.0', 53));
      return fd;
    });
    ffi.close(own);
  });

  test('too many for a datagram: truncated there, whole over TCP', async () => {
    expect(await ask('a', query('many'))).toMatchObject({ flag_tc: true });
    const tcp = tcpIn('a');
    tcp.end(framed(query('many')));
    const [answer] = await framesOf(tcp);
    expect(answer?.answers).toHaveLength(100);
  });

  test('many questions in one chunk, and one question byte by byte', async () => {
    const tcp = tcpIn('a');
    tcp.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => framed(query('web', 'A', i)))));
    for (const byte of framed(query('web', 'A', 100))) {
      tcp.write(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    tcp.end();
    expect((await framesOf(tcp)).map((a) => a.id)).toEqual(Array.from({ length: 101 }, (_, i) => i));
  });

  test('a burst of two hundred datagrams loses none', async () => {
    const client = clientIn('a');
    const got = new Set<number>();
    const done = new Promise<void>((resolve) => {
      client.socket.on('message', (m) => {
        got.add(m.readUInt16BE(0));
        if (got.size === 200) resolve();
      });
    });
    for (let i = 0; i < 200; i += 1) client.send(query('web', 'A', i));
    await done;
  });
});

describe('forwarding', () => {
  test('the host’s servers are asked from the host, under fresh ids and ports; the client’s id comes back', async () => {
    dns = fromHost('127.0.0.1');
    const { seen, ids } = await upstream('127.0.0.1', answerWith('1.2.3.4'));
    for (let i = 0; i < 20; i += 1) {
      const answer = await ask('a', query('example.com', 'A', 1000 + i));
      expect([answer.id, ...addresses(answer)]).toEqual([1000 + i, '1.2.3.4']);
    }
    expect(new Set(seen.map((from) => from.port)).size).toBeGreaterThan(15);
    expect(ids.size).toBeGreaterThan(15);
    expect(resolver.underWay).toBe(0);
  });

  test('a user’s servers are asked from the sandbox', async () => {
    join('a');
    dns = { ...fromHost('10.9.0.1'), hostServers: false };
    const { seen } = await upstream('10.9.0.1', answerWith('1.2.3.4'));
    expect(addresses(await ask('a', query('example.com')))).toEqual(['1.2.3.4']);
    expect(seen[0]?.address).toBe('10.9.0.2');
  });

  test('refused, failing and unreachable servers are passed over at once', async () => {
    dns = fromHost('127.0.0.2', '127.0.0.3', '127.0.0.4');
    const failing = await upstream('127.0.0.2', answerWith('6.6.6.6', { flags: 2 }));
    // nobody listens at 127.0.0.3: the kernel says so
    await upstream('127.0.0.4', answerWith('1.2.3.4'));
    const started = performance.now();
    expect(addresses(await ask('a', query('example.com')))).toEqual(['1.2.3.4']);
    // Waiting for one of them would take four seconds or more (UPSTREAM_TIMEOUT).
    expect(performance.now() - started).toBeLessThan(3900);
    expect(failing.seen).toHaveLength(1);
  });

  test('beside a silent server the next is asked as well, a lying one is not believed', async () => {
    dns = fromHost('127.0.0.2', '127.0.0.3');
    await upstream('127.0.0.2', (message, from, socket) => {
      const asked = packet.decode(message);
      const wrongId = {
        type: 'response',
        id: (asked.id ?? 0) ^ 1,
        questions: asked.questions ?? [],
      } as const;
      const wrongName = {
        type: 'response',
        id: asked.id ?? 0,
        questions: [{ name: 'evil.com', type: 'A' }],
      } as const;
      for (const lie of [wrongId, wrongName] as packet.Packet[])
        socket.send(packet.encode(lie), from.port, from.address);
      // the right answer from another address
      const other = createSocket('udp4').bind(0, '127.0.0.9', () => {
        answerWith('6.6.6.6')(message, from, other);
        setTimeout(() => other.close(), 100);
      });
    });
    await upstream('127.0.0.3', answerWith('1.2.3.4'));
    expect(addresses(await ask('a', query('example.com')))).toEqual(['1.2.3.4']);
  }, 20_000);

  test('K15 N29: a client gets its answer behind two dead servers, which are asked last from then on', async () => {
    dns = fromHost('127.0.0.2', '127.0.0.3', '127.0.0.4');
    const dead = await upstream('127.0.0.2', () => {});
    const deadToo = await upstream('127.0.0.3', () => {});
    await upstream('127.0.0.4', answerWith('1.2.3.4'));
    // resolv.conf(5): a client asks again after 5 s; UPSTREAM_TIMEOUT would be over after 8.
    expect(2 * PATIENCE).toBeLessThan(4000);
    expect(addresses(await ask('a', query('example.com')))).toEqual(['1.2.3.4']);
    expect([dead.seen.length, deadToo.seen.length]).toEqual([1, 1]);
    for (let i = 0; i < 5; i += 1)
      expect(addresses(await ask('b', query('example.com')))).toEqual(['1.2.3.4']);
    expect([dead.seen.length, deadToo.seen.length]).toEqual([1, 1]);
  }, 20_000);

  test('K15: a question under way asks nobody outside once the sandbox has no way out', async () => {
    dns = fromHost('127.0.0.2', '127.0.0.3');
    await upstream('127.0.0.2', (message, from, socket) => {
      external = false;
      answerWith('6.6.6.6', { flags: 2 })(message, from, socket);
    });
    const second = await upstream('127.0.0.3', answerWith('1.2.3.4'));
    expect(await ask('a', query('example.com'))).toMatchObject({ rcode: 'SERVFAIL' });
    expect(second.seen).toEqual([]);
  });

  test('K15: SERVFAIL over TCP too, behind dead servers', async () => {
    dns = fromHost('127.0.0.1', '127.0.0.3');
    const listening = ['127.0.0.1', '127.0.0.3'].map((address) => {
      const server = createServer((socket) => void socket.on('error', () => {}).resume());
      closers.push(() => server.close());
      return once(server.listen(UPSTREAM_PORT, address), 'listening');
    });
    await Promise.all(listening);
    const tcp = tcpIn('a');
    tcp.write(framed(query('example.com', 'A', 7)));
    const [chunk] = await once(tcp, 'data');
    expect(decode(chunk.subarray(2))).toMatchObject({ id: 7, rcode: 'SERVFAIL' });
  }, 30_000);

  test('no server at all, or none that answers well: SERVFAIL with the question', async () => {
    expect(await ask('a', query('example.com'))).toMatchObject({ rcode: 'SERVFAIL', id: 99 });
    dns = fromHost('127.0.0.2');
    await upstream('127.0.0.2', answerWith('6.6.6.6', { flags: 5 }));
    const answer = await ask('a', query('example.com'));
    expect(answer).toMatchObject({ rcode: 'SERVFAIL', questions: [{ name: 'example.com' }] });
  });

  test('NXDOMAIN is an answer', async () => {
    dns = fromHost('127.0.0.2', '127.0.0.3');
    await upstream('127.0.0.2', answerWith('6.6.6.6', { flags: 3, answers: [] }));
    const second = await upstream('127.0.0.3', answerWith('1.2.3.4'));
    expect(await ask('a', query('example.com'))).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(second.seen).toEqual([]);
  });

  test('a sandbox on internal networks alone leaks nothing to the host’s servers', async () => {
    external = false;
    dns = fromHost('127.0.0.1');
    const { seen } = await upstream('127.0.0.1', answerWith('1.2.3.4'));
    expect(await ask('a', query('example.com'))).toMatchObject({ rcode: 'SERVFAIL' });
    const tcp = tcpIn('a');
    tcp.end(framed(query('example.com')));
    expect(await framesOf(tcp)).toMatchObject([{ rcode: 'SERVFAIL' }]);
    expect(seen).toEqual([]);
  });

  test('over TCP what came over TCP, and answers of any size', async () => {
    dns = fromHost('127.0.0.3', '127.0.0.1');
    const records = Array.from({ length: 3000 }, (_, i) => ({
      type: 'A' as const,
      name: 'x.org',
      data: `10.0.${i >> 8}.${i & 255}`,
    }));
    const server: Server = createServer((socket) => {
      socket.once('data', (chunk) => {
        const asked = packet.decode(chunk.subarray(2));
        const reply = packet.encode({
          type: 'response',
          id: asked.id ?? 0,
          questions: asked.questions ?? [],
          answers: records,
        });
        const bytes = framed(reply);
        socket.write(bytes.subarray(0, 1));
        setTimeout(() => socket.end(bytes.subarray(1)), 20);
      });
    }).listen(UPSTREAM_PORT, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => server.close());
    const tcp = tcpIn('a');
    tcp.end(framed(query('x.org', 'A', 5)));
    const [answer] = await framesOf(tcp);
    expect(answer?.id).toBe(5);
    expect(answer?.answers).toHaveLength(3000);
  });
});

describe('nobody starves', () => {
  test('a sandbox that fills its share is refused, another is served', async () => {
    dns = fromHost('127.0.0.1');
    const waiting: [Buffer, RemoteInfo, Datagrams][] = [];
    await upstream('127.0.0.1', (...one) => waiting.push(one));
    const client = clientIn('a');
    const refused = new Promise<Decoded>((resolve) =>
      client.socket.once('message', (m: Buffer) => resolve(decode(m))),
    );
    for (let i = 0; i < 21; i += 1) client.send(query('slow.org', 'A', i));
    expect(await refused).toMatchObject({ rcode: 'REFUSED' });
    expect(resolver.underWay).toBe(20);
    expect(addresses(await ask('a', query('web')))).toEqual(['172.18.0.2']);
    const other = ask('b', query('quick.org'));
    await expect.poll(() => waiting.length).toBe(21);
    for (const one of waiting) answerWith('1.2.3.4')(...one);
    expect(addresses(await other)).toEqual(['1.2.3.4']);
    await expect.poll(() => resolver.underWay).toBe(0);
  });

  test('idle TCP connections give way to the one that asks', async () => {
    const idle = Array.from({ length: 64 }, () => tcpIn('a'));
    for (const socket of idle) socket.on('error', () => {});
    const tcp = tcpIn('a');
    tcp.end(framed(query('web')));
    expect((await framesOf(tcp)).map(addresses)).toEqual([['172.18.0.2']]);
    const more = tcpIn('a');
    more.end(framed(query('web')));
    expect(await framesOf(more)).toHaveLength(1);
  });

  test('K6: sixty flooding connections get their share of a turn, and another sandbox its answers in that turn', async () => {
    const flood = Buffer.concat(Array.from({ length: 2000 }, () => framed(query('web'))));
    const flooding = Array.from({ length: 60 }, () => tcpIn('a'));
    let answered = 0;
    for (const socket of flooding) {
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        answered += chunk.length;
      });
      const pour = (): void => void (socket.destroyed || socket.write(flood, pour));
      pour();
    }
    const perTurn: number[] = [];
    let turns = true;
    const turn = (): void => {
      perTurn.push(asked.a);
      asked.a = 0;
      if (turns) setImmediate(turn);
    };
    setImmediate(turn);
    const honest = tcpIn('b');
    let got = 0;
    honest.on('data', (chunk: Buffer) => {
      got += chunk.length;
    });
    const size =
      framed(packet.encode({ type: 'query', questions: [{ name: 'web', type: 'A' }] })).length + 16;
    const waits: number[] = [];
    for (let i = 1; i <= 50; i += 1) {
      const before = perTurn.length;
      honest.write(framed(query('web')));
      await expect.poll(() => got, { interval: 0 }).toBe(i * size);
      waits.push(perTurn.length - before);
    }
    turns = false;
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(TURN);
    expect(answered).toBeGreaterThan(10_000);
    // Where nothing else is bounded these are thousands of the flood's questions.
    expect(perTurn.reduce((sum, n) => sum + n, 0) / 50).toBeLessThan(20 * TURN);
  });

  test('K6: a client that asks and does not read is read no further', async () => {
    const deaf = tcpIn('a');
    deaf.on('error', () => {});
    deaf.pause();
    const flood = Buffer.concat(Array.from({ length: 2000 }, () => framed(query('many'))));
    const pour = (): void => {
      if (deaf.destroyed) return;
      deaf.write(flood, pour);
    };
    pour();
    let before = -1;
    await expect
      .poll(
        () => {
          const still = asked.a === before;
          before = asked.a;
          return still;
        },
        { interval: 200 },
      )
      .toBe(true);
    // An answer has 1.6 kB: what the kernel's and our own buffers hold, and not one more.
    expect(asked.a).toBeLessThan(500);
    expect(addresses(await ask('a', query('web')))).toEqual(['172.18.0.2']);
  });

  test('a question of 64 KiB ends the connection', async () => {
    const tcp = tcpIn('a');
    tcp.on('error', () => {});
    tcp.resume().write(Buffer.of(0xff, 0xff));
    await once(tcp, 'end');
  });
});

describe('objects', () => {
  const openFiles = (): number => readdirSync('/proc/self/fd').length;

  test('create, has, list, delete; nothing stays open', async () => {
    resolver.delete(object('b'));
    const before = openFiles();
    resolver.create(object('b'));
    resolver.create(object('b'));
    // replacing a redirect keeps its netlink socket open a quarter of a second
    await expect.poll(() => openFiles() - before).toBe(2);
    expect(resolver.has(object('b'))).toBe(true);
    expect(resolver.list()).toEqual([object('a'), object('b')]);
    dns = fromHost('127.0.0.1');
    await upstream('127.0.0.1', () => {});
    const withUpstream = openFiles();
    const client = clientIn('b');
    client.send(query('never.org'));
    await expect.poll(() => resolver.underWay).toBe(1);
    resolver.delete(object('b'));
    expect(resolver.underWay).toBe(0);
    expect(resolver.has(object('b'))).toBe(false);
    // one more for the client, two fewer for the resolver's own
    await expect.poll(openFiles).toBe(withUpstream - 1);
  });

  test('a redirect that fails leaves nothing behind', () => {
    const failing = createResolver({
      names,
      redirect: () => ({
        led: undefined,
        lead: () => {
          throw new Error('no nftables');
        },
        close: () => {},
      }),
    });
    makeSandbox('c');
    const before = openFiles();
    expect(() => failing.create(object('c'))).toThrow('no nftables');
    expect(failing.list()).toEqual([]);
    expect(openFiles()).toBe(before);
  });

  const secondDaemon = async (
    meanwhile: (former: HiddenPorts) => void,
  ): Promise<[HiddenPorts, HiddenPorts]> => {
    const former = resolver.ports(ns('a')) ?? { udp: 0, tcp: 0 };
    resolver.close();
    await sleep(20); // handles close in a later turn of the event loop
    meanwhile(former);
    resolver = createResolver({ names, redirect: sandboxRedirect });
    resolver.create(object('a'));
    expect(addresses(await ask('a', query('web')))).toEqual(['172.18.0.2']);
    return [former, resolver.ports(ns('a')) ?? { udp: 0, tcp: 0 }];
  };

  test('a second daemon listens where the first one did', async () => {
    const [former, now] = await secondDaemon(() => {});
    expect(now).toEqual(former);
  });

  test('or elsewhere, where somebody in the container sits there now', async () => {
    const [former, now] = await secondDaemon(({ tcp }) => {
      const fd = inNamespace(ns('a'), () => ffi.socket(ffi.AF.INET, ffi.SOCK.STREAM));
      ffi.bind(fd, sockaddr('127.0.0.11', tcp));
      closers.push(() => ffi.close(fd));
    });
    expect(now.udp).not.toBe(former.udp);
    expect(now.tcp).not.toBe(former.tcp);
  });
});
