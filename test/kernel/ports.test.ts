/** Host ports on the real kernel: held against everybody, given back, and relayed where NAT cannot carry. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as ffi from '../../src/kernel/ffi.js';
import { sockaddr } from '../../src/kernel/sockaddr.js';
import type { Protocol } from '../../src/model/port.js';
import { portPair } from '../../src/plan/kinds/published.js';
import type { HostPortObject } from '../../src/plan/objects.js';
import { createPorts, type Ports } from '../../src/ports/index.js';

const object = (
  protocol: Protocol,
  address: string,
  port: number,
  count = 1,
  target = { address: '127.0.0.1', port: 9000 },
): HostPortObject => ({ kind: 'hostport', protocol, address, port, count, target });

const openFiles = (): number => readdirSync('/proc/self/fd').length;

/** What another process would do: `SO_REUSEADDR` as servers have it. Answers the errno's name, or the descriptor. */
const foreign = (address: string, port: number, type: number = ffi.SOCK.STREAM): number | string => {
  const fd = ffi.socket(address.includes(':') ? ffi.AF.INET6 : ffi.AF.INET, type);
  try {
    ffi.setsockoptInt(fd, 1, 2, 1);
    ffi.bind(fd, sockaddr(address, port));
    if (type === ffi.SOCK.STREAM) ffi.listen(fd, 1);
    return fd;
  } catch (error) {
    ffi.close(fd);
    if (error instanceof ffi.SystemError) return error.code;
    throw error;
  }
};

let ports: Ports;
beforeAll(() => {
  execFileSync('ip', ['-6', 'addr', 'add', 'fd00::1/128', 'dev', 'lo', 'nodad']);
});
beforeEach(() => {
  ports = createPorts();
});
afterEach(() => ports.close());

describe('a published port is held', () => {
  test.each([
    ['tcp', '0.0.0.0', ffi.SOCK.STREAM],
    ['tcp', '::', ffi.SOCK.STREAM],
    ['udp', '0.0.0.0', ffi.SOCK.DGRAM],
    ['udp', 'fd00::1', ffi.SOCK.DGRAM],
  ] as const)('%s %s: nobody else can take it until it is released', (protocol, address, type) => {
    ports.create(object(protocol, address, 8080));
    expect(foreign(address, 8080, type)).toBe('EADDRINUSE');
    ports.delete(object(protocol, address, 8080));
    const fd = foreign(address, 8080, type);
    expect(fd).toBeTypeOf('number');
    if (typeof fd === 'number') ffi.close(fd);
  });

  test('0.0.0.0 and :: of one port are two objects that live side by side', () => {
    ports.create(object('tcp', '0.0.0.0', 8080));
    ports.create(object('tcp', '::', 8080));
    expect(ports.list()).toHaveLength(2);
    expect(ports.has(object('tcp', '::', 8080))).toBe(true);
    expect(ports.has(object('udp', '::', 8080))).toBe(false);
  });

  test('M23: nobody gets the port of the API, whether it listens already or not', () => {
    const beside = createPorts([
      { address: '0.0.0.0', port: 2375 },
      { address: '127.0.0.1', port: 2376 },
    ]);
    try {
      const taken = /Bind for (0\.0\.0\.0|127\.0\.0\.1):237\d failed: port is already allocated/;
      expect(() => beside.create(object('tcp', '127.0.0.1', 2375))).toThrow(taken);
      expect(() => beside.create(object('tcp', '0.0.0.0', 2370, 10))).toThrow(taken);
      expect(() => beside.create(object('tcp', '0.0.0.0', 2376))).toThrow(taken);
      beside.create(object('udp', '0.0.0.0', 2375));
      beside.create(object('tcp', '127.0.0.2', 2376));
      expect(beside.list()).toHaveLength(2);
    } finally {
      beside.close();
    }
  });

  test('a connection to a port that only NAT would carry is refused, not swallowed', async () => {
    ports.create(object('tcp', '0.0.0.0', 8080));
    const socket = connect(8080, '127.0.0.1');
    const [error] = await once(socket, 'error');
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('a range of 5,000 is whole, and released whole', async () => {
    const before = openFiles();
    const range = object('tcp', '0.0.0.0', 20_000, 5000);
    ports.create(range);
    expect(openFiles() - before).toBe(5000);
    expect(foreign('127.0.0.1', 24_999)).toBe('EADDRINUSE');
    ports.delete(range);
    await ports.released();
    expect(openFiles()).toBe(before);
  });
});

describe('a long range on 0.0.0.0 and ::', () => {
  const four = { ...object('tcp', '0.0.0.0', 20_000, 500), paired: true as const };
  const six = { ...object('tcp', '::', 20_000, 500), paired: true as const };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const takeable = (address: string): boolean => {
    const fd = foreign(address, 20_123);
    if (typeof fd === 'number') ffi.close(fd);
    return typeof fd === 'number';
  };

  test.each([
    ['0.0.0.0 first', [four, six]],
    [':: first', [six, four]],
  ])(
    'one descriptor a port for both, %s; each half is given back by itself',
    async (_, [first = four, second = six]) => {
      const before = openFiles();
      ports.create(first);
      ports.create(second);
      await turn();
      expect(openFiles() - before).toBe(500);
      expect([takeable('0.0.0.0'), takeable('::1')]).toEqual([false, false]);
      ports.delete(four);
      await turn();
      expect([takeable('0.0.0.0'), takeable('::1')]).toEqual([true, false]);
      ports.delete(six);
      expect(takeable('::1')).toBe(true);
      expect(openFiles()).toBe(before);
    },
  );

  test('on 0.0.0.0 alone leaves :: to others, at once to us', async () => {
    ports.create(four);
    ports.create(object('tcp', '::1', 20_200));
    await turn();
    expect([takeable('0.0.0.0'), takeable('::1')]).toEqual([false, true]);
  });

  test('where somebody holds one port of ::, 0.0.0.0 is held by itself', () => {
    const fd = foreign('::1', 20_100);
    ports.create(four);
    expect(takeable('0.0.0.0')).toBe(false);
    expect(() => ports.create(six)).toThrow(
      'failed to bind host port [::]:20100/tcp: address already in use',
    );
    expect([takeable('0.0.0.0'), takeable('::1')]).toEqual([false, true]);
    if (typeof fd === 'number') ffi.close(fd);
  });
});

describe('I12 ports in no order', () => {
  const listed = [20_001, 20_003, 20_004, 20_123];
  const many = Array.from({ length: 40 }, (_, i) => 21_000 + 2 * i);
  const held = (address: string, hosts: readonly number[]): HostPortObject => ({
    ...object('tcp', address, hosts[0] ?? 0, hosts.length),
    scattered: hosts.map((host, i) => portPair(host, 80 + i)),
    paired: true,
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  test('are held, each and no others, until they are released', () => {
    const before = openFiles();
    ports.create(held('127.0.0.1', listed));
    expect(openFiles() - before).toBe(4);
    expect(listed.map((port) => foreign('127.0.0.1', port))).toEqual(listed.map(() => 'EADDRINUSE'));
    ports.create(object('tcp', '127.0.0.1', 20_002));
    expect(() => ports.create(object('tcp', '0.0.0.0', 20_000, 9))).toThrow(/Bind for .*:2000[01] failed/);
    expect(() => ports.create(held('0.0.0.0', [19_000, 20_003, 20_123]))).toThrow(
      'Bind for 127.0.0.1:20003 failed: port is already allocated',
    );
    expect(ports.has(held('127.0.0.1', listed))).toBe(true);
    expect(ports.has({ ...held('127.0.0.1', listed), scattered: [] })).toBe(false);
    ports.delete(held('127.0.0.1', listed));
    ports.delete(object('tcp', '127.0.0.1', 20_002));
    expect(openFiles()).toBe(before);
  });

  test('on 0.0.0.0 and :: share one descriptor a port, where they are the same ports', async () => {
    const before = openFiles();
    ports.create(held('0.0.0.0', many));
    ports.create(held('::', many));
    await turn();
    expect(openFiles() - before).toBe(40);
    ports.delete(held('0.0.0.0', many));
    await turn();
    expect(foreign('::1', 21_002)).toBe('EADDRINUSE');
    const fd = foreign('127.0.0.1', 21_002);
    expect(fd).toBeTypeOf('number');
    if (typeof fd === 'number') ffi.close(fd);
    ports.delete(held('::', many));
    const others = many.with(7, 21_015);
    ports.create(held('0.0.0.0', many));
    ports.create(held('::', others));
    await turn();
    expect(openFiles() - before).toBe(80);
  });

  test('one that somebody has: nothing stays held', () => {
    const fd = foreign('127.0.0.1', 20_004);
    const before = openFiles();
    expect(() => ports.create(held('127.0.0.1', listed))).toThrow(
      'failed to bind host port 127.0.0.1:20004/tcp: address already in use',
    );
    expect(openFiles()).toBe(before);
    if (typeof fd === 'number') ffi.close(fd);
  });
});

describe('I10-5: very many ports, some in each turn of the loop', () => {
  const many = Array.from({ length: 3000 }, (_, i) => portPair(20_000 + 2 * i, 1 + i));
  const scattered = (address: string): HostPortObject => ({
    ...object('tcp', address, 20_000, many.length),
    ...{ scattered: many, paired: true },
  });
  const both = [scattered('0.0.0.0'), scattered('::')];

  test('are bound before they are asked for, taken as they are, and let go of where nobody asked', async () => {
    const before = openFiles();
    const letGo = await ports.prepare(both);
    expect(openFiles() - before).toBe(3000);
    expect(ports.list()).toEqual([]);
    expect(foreign('127.0.0.1', 20_998)).toBe('EADDRINUSE');
    for (const each of both) ports.create(each);
    letGo();
    await ports.released();
    expect(openFiles() - before).toBe(3000);
    expect(foreign('::1', 20_998)).toBe('EADDRINUSE');
    for (const each of both) ports.delete(each);
    (await ports.prepare(both))();
    await ports.released();
    expect(openFiles()).toBe(before);
  });

  test('until they are asked for, whoever asks first has them', async () => {
    const before = openFiles();
    const letGo = await ports.prepare(both);
    ports.create(object('tcp', '127.0.0.1', 20_998));
    expect(() => ports.create(scattered('0.0.0.0'))).toThrow('port is already allocated');
    letGo();
    await ports.released();
    expect(openFiles() - before).toBe(1);
  });

  test('given back they are had again at once, in whichever place, and by others when they are released', async () => {
    const before = openFiles();
    for (const each of both) ports.create(each);
    for (const each of both) ports.delete(each);
    expect(openFiles() - before).toBeGreaterThan(0);
    ports.create(object('tcp', '127.0.0.1', 25_998));
    ports.create(object('tcp', '::', 25_000));
    await ports.released();
    expect(openFiles() - before).toBe(2);
    const fd = foreign('127.0.0.1', 25_996);
    expect(fd).toBeTypeOf('number');
    if (typeof fd === 'number') ffi.close(fd);
  });

  test('one that somebody has is refused when it is asked for, and nothing stays', async () => {
    const fd = foreign('127.0.0.1', 20_998);
    const before = openFiles();
    const letGo = await ports.prepare(both);
    expect(() => ports.create(scattered('0.0.0.0'))).toThrow(
      'failed to bind host port 0.0.0.0:20998/tcp: address already in use',
    );
    letGo();
    await ports.released();
    expect(openFiles()).toBe(before);
    if (typeof fd === 'number') ffi.close(fd);
  });
});

describe('a port that cannot be held', () => {
  test('another container has it: moby’s words', () => {
    ports.create(object('tcp', '0.0.0.0', 8080));
    expect(() => ports.create(object('tcp', '127.0.0.1', 8080))).toThrow(
      'Bind for 0.0.0.0:8080 failed: port is already allocated',
    );
    ports.create(object('udp', '127.0.0.1', 8080));
  });

  test('a foreign process has it, in the middle of a range: nothing stays held', () => {
    const fd = foreign('0.0.0.0', 20_003);
    const before = openFiles();
    expect(() => ports.create(object('tcp', '0.0.0.0', 20_000, 10))).toThrow(
      'failed to bind host port 0.0.0.0:20003/tcp: address already in use',
    );
    expect(openFiles()).toBe(before);
    expect(ports.list()).toEqual([]);
    if (typeof fd === 'number') ffi.close(fd);
  });

  test('the address is not the host’s', () => {
    expect(() => ports.create(object('tcp', '192.0.2.1', 80))).toThrow(
      'failed to bind host port 192.0.2.1:80/tcp: cannot assign requested address',
    );
    expect(() => ports.create(object('udp', '2001:db8::1', 80))).toThrow(
      'failed to bind host port [2001:db8::1]:80/udp: cannot assign requested address',
    );
  });

  test('descriptors run out: a clear error, all rolled back', () => {
    // The second range fits only where the first holds nothing any more.
    const script = `
      import { createPorts } from '${import.meta.dirname}/../../src/ports/index.ts';
      const ports = createPorts();
      const range = (port, count) => {
        const target = { address: '127.0.0.1', port: 1 };
        ports.create({ kind: 'hostport', protocol: 'tcp', address: '0.0.0.0', port, count, target });
      };
      try {
        range(20000, 500);
      } catch (error) {
        console.log(error.message);
      }
      range(20000, 200);
      console.log(ports.list().length);`;
    const node = ['--import', 'tsx', '--input-type=module', '-e', script];
    const said = execFileSync('prlimit', ['--nofile=300:300', process.execPath, ...node]).toString();
    expect(said).toMatch(
      /^failed to create socket for 0\.0\.0\.0:20\d\d\d\/tcp: too many open files: raise .*\n1\n$/,
    );
  });

  test('connections in TIME_WAIT of a former server do not count', async () => {
    const server = createServer((socket) => socket.end('bye')).listen(8085, '127.0.0.1');
    await once(server, 'listening');
    const client = connect(8085, '127.0.0.1').resume();
    await once(client, 'close');
    server.close();
    await once(server, 'close');
    expect(execFileSync('ss', ['-Htan', 'state', 'time-wait', 'sport = :8085']).toString()).not.toBe('');
    ports.create(object('tcp', '0.0.0.0', 8085));
    expect(foreign('0.0.0.0', 8085)).toBe('EADDRINUSE');
  });
});

describe('free', () => {
  test('serial, within the range, and held by nobody', () => {
    const chosen = [1, 2, 3, 4].map(() => ports.free('tcp', ['0.0.0.0', '::'], 8000, 8002));
    expect(chosen).toEqual([8000, 8001, 8002, 8000]);
    const fd = foreign('0.0.0.0', 8000);
    if (typeof fd === 'number') ffi.close(fd);
    expect(fd).toBeTypeOf('number');
  });

  test('passes over ports that anybody holds on any of the addresses', () => {
    ports.create(object('tcp', '0.0.0.0', 8000));
    const fd = foreign('::1', 8001);
    expect(ports.free('tcp', ['0.0.0.0', '::'], 8000, 8003)).toBe(8002);
    expect(ports.free('udp', ['0.0.0.0', '::'], 8000, 8003)).toBe(8000);
    expect(ports.free('tcp', ['0.0.0.0'], 8000, 8003, (port) => port < 8003)).toBe(8003);
    if (typeof fd === 'number') ffi.close(fd);
  });

  test('the kernel’s ephemeral range without its reserved ports', () => {
    writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '40000 40003');
    writeFileSync('/proc/sys/net/ipv4/ip_local_reserved_ports', '40000,40002-40003');
    expect(ports.free('tcp', ['0.0.0.0'], 0, 0)).toBe(40_001);
    ports.create(object('tcp', '0.0.0.0', 40_001));
    expect(() => ports.free('tcp', ['0.0.0.0'], 0, 0)).toThrow('all ports are allocated');
    writeFileSync('/proc/sys/net/ipv4/ip_local_reserved_ports', '\n');
    writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '32768 60999');
  });

  test('an address that the host does not have is said at once', () => {
    expect(() => ports.free('tcp', ['192.0.2.1'], 0, 0)).toThrow('cannot assign requested address');
  });
});

/** Sends what is for these IPv6 ports of the host to the relay, as the firewall's rules do. */
const redirect = (to: number, list: readonly number[]): void =>
  void execFileSync('nft', ['-f', '-'], {
    input: `table ip6 relay {}
delete table ip6 relay
table ip6 relay {
  chain output {
    type nat hook output priority -100
    fib daddr type local tcp dport { ${list.join(', ')} } redirect to :${to}
  }
}
`,
  });

const serve = async (port: number, talk: (socket: Socket) => void): Promise<Server> => {
  const server = createServer({ allowHalfOpen: true }, talk).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

const conversation = async (address: string, port: number, text: string): Promise<string> => {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  socket.end(text);
  let got = '';
  for await (const chunk of socket) got += String(chunk);
  return got;
};

describe('relay', () => {
  test('an IPv6 connection reaches the IPv4 target of its own port of the range, half-closed', async () => {
    const server = await serve(9002, (socket) => {
      let length = 0;
      socket.on('data', (chunk) => {
        length += chunk.length;
      });
      socket.on('end', () => socket.end(`heard ${length} from ${socket.remoteAddress}`));
    });
    ports.create(object('tcp', '::', 8080, 5));
    redirect(ports.relayPort(), [8082]);
    const long = 'x'.repeat(3_000_000);
    expect(await conversation('::1', 8082, long)).toBe('heard 3000000 from 127.0.0.1');
    expect(await conversation('fd00::1', 8082, 'abc')).toBe('heard 3 from 127.0.0.1');
    server.close();
  });

  test('only where it is published: another address, another port, or no redirect at all are reset', async () => {
    ports.create(object('tcp', '::1', 8080));
    redirect(ports.relayPort(), [8080, 8081]);
    for (const [address, port] of [
      ['fd00::1', 8080],
      ['::1', 8081],
      ['::1', ports.relayPort()],
    ] as const)
      await expect(conversation(address, port, 'x')).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('a target that refuses resets the client', async () => {
    ports.create(object('tcp', '::', 8080, 1, { address: '127.0.0.1', port: 9999 }));
    redirect(ports.relayPort(), [8080]);
    await expect(conversation('::1', 8080, 'x')).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('a server that resets is passed on, and connections end with the publish', async () => {
    const server = await serve(9000, (socket) => socket.on('error', () => {}).write('hello'));
    ports.create(object('tcp', '::', 8080));
    redirect(ports.relayPort(), [8080]);
    const socket = connect(8080, '::1');
    socket.on('error', () => {});
    await once(socket, 'data');
    ports.delete(object('tcp', '::', 8080));
    await once(socket, 'close');
    server.close();
  });

  test('UDP goes through the held socket, one session for each client', async () => {
    const echo = createSocket('udp4').bind(9000, '127.0.0.1');
    echo.on('message', (m, from) => echo.send(`${m} from ${from.port}`, from.port, from.address));
    await once(echo, 'listening');
    const before = openFiles();
    ports.create(object('udp', '::', 8080, 2, { address: '127.0.0.1', port: 8999 }));
    const ask = async (text: string): Promise<string> => {
      const client = createSocket('udp6');
      client.send(text, 8081, '::1');
      const [answer, from] = await once(client, 'message');
      client.close();
      expect(from).toMatchObject({ address: '::1', port: 8081 });
      return String(answer);
    };
    const [a, b] = await Promise.all([ask('a'), ask('b')]);
    expect(a).toMatch(/^a from \d+$/);
    expect(b).toMatch(/^b from \d+$/);
    expect(a.slice(1)).not.toBe(b.slice(1));
    ports.delete(object('udp', '::', 8080, 2));
    await expect.poll(openFiles).toBeLessThanOrEqual(before);
    echo.close();
  });
});
