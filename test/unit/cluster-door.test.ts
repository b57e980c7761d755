/** The door: who is let in to whom, by real TLS on the loopback. */
import { once } from 'node:events';
import {
  connect as connectPlain,
  createServer as createPlainServer,
  type Server,
  type Socket,
} from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  createAuthority,
  generateKey,
  hostOf,
  issue,
  requestCertificate,
} from '../../src/cluster/ca/authority.js';
import type { Authority, Role } from '../../src/cluster/ca/contract.js';
import type { Door, DoorTls, Visitor } from '../../src/cluster/door/contract.js';
import { type DoorLimits, openDoor } from '../../src/cluster/door/mux.js';
import type { Endpoint } from '../../src/cluster/etcd/contract.js';
import { until } from '../support/run.js';

const NOW = Date.now();
const DAY = 86_400_000;

const tlsOf = (authority: Authority, role: Role, life = 90 * DAY, now = NOW): DoorTls => {
  const key = generateKey();
  const of = { nodeId: `${role}1`, role, clusterId: 'c1', addresses: ['127.0.0.1'], now, validFor: life };
  return { key, certificate: issue(authority, requestCertificate(key), of), trust: authority.certificate };
};

const authority = createAuthority(NOW);
let manager: DoorTls;
let worker: DoorTls;
beforeAll(() => {
  manager = tlsOf(authority, 'manager');
  worker = tlsOf(authority, 'worker');
});

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const listening = async (server: Server): Promise<number> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const each of sockets) each.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
};

interface Opened {
  readonly door: Door;
  readonly port: number;
  readonly visitors: Visitor[];
}

const open = async (
  options: { readonly etcd?: Endpoint; readonly limits?: Partial<DoorLimits>; readonly host?: string } = {},
): Promise<Opened> => {
  const visitors: Visitor[] = [];
  const door = await openDoor(
    {
      listen: [{ host: options.host ?? '127.0.0.1', port: 0 }],
      tls: manager,
      peers: () => options.etcd,
      session: (visitor) => {
        visitors.push(visitor);
        visitor.socket.on('data', (data) => visitor.socket.write(`heard ${data}`));
      },
    },
    options.limits,
  );
  closing.push(() => door.close());
  return { door, port: door.addresses[0]?.port ?? 0, visitors };
};

interface Talk {
  readonly socket: TLSSocket;
  /** what was answered, or how it ended */
  readonly said: Promise<string>;
}

const talk = (port: number, protocols: readonly string[], as?: DoorTls, host = '127.0.0.1'): Talk => {
  const raw = connectPlain(port, host).on('error', () => {});
  const own = as ? { key: as.key, cert: as.certificate } : {};
  const socket = connect({
    socket: raw,
    ...own,
    ca: authority.certificate,
    servername: hostOf('manager'),
    ALPNProtocols: [...protocols],
  });
  const said = new Promise<string>((resolve) => {
    socket.on('error', (error) => resolve(`error ${(error as NodeJS.ErrnoException).code}`));
    socket.once('data', (data) => resolve(String(data)));
    socket.once('close', () => resolve('closed'));
    socket.once('secureConnect', () => socket.write('hello'));
  });
  closing.push(() => void socket.destroy());
  return { socket, said };
};

describe('tenants', () => {
  test('`viaduct/1` with a node’s certificate is a session of ours, and says who it is', async () => {
    const { port, visitors } = await open();
    expect(await talk(port, ['viaduct/1'], worker).said).toBe('heard hello');
    expect(visitors).toHaveLength(1);
    expect(visitors[0]).toMatchObject({
      peer: { nodeId: 'worker1', role: 'worker', clusterId: 'c1' },
      address: '127.0.0.1',
    });
  });

  test('who has no certificate yet comes in as nobody', async () => {
    const { port, visitors } = await open();
    expect(await talk(port, ['viaduct/1']).said).toBe('heard hello');
    expect(visitors[0]?.peer).toBeUndefined();
  });

  test('a certificate by another authority, or one whose time is over, is turned away', async () => {
    const { port, visitors } = await open();
    const stranger = tlsOf(createAuthority(NOW), 'manager');
    const expired = tlsOf(authority, 'worker', DAY, NOW - 3 * DAY);
    for (const each of [stranger, expired]) {
      const answer = await talk(port, ['viaduct/1'], each).said;
      expect(answer).toMatch(/closed|error/);
    }
    expect(visitors).toEqual([]);
  });

  test('no protocol is etcd: bytes pass unread both ways, TLS is end to end', async () => {
    const etcd = createServer({
      key: manager.key,
      cert: manager.certificate,
      ca: manager.trust,
      requestCert: true,
    });
    etcd.on('secureConnection', (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) =>
        socket.write(`etcd heard ${data} of ${socket.getPeerCertificate().subject.CN}`),
      );
    });
    const { port, visitors } = await open({
      etcd: { kind: 'tcp', host: '127.0.0.1', port: await listening(etcd) },
    });
    const { said } = talk(port, [], tlsOf(authority, 'manager'));
    expect(await said).toBe('etcd heard hello of manager1');
    expect(visitors).toEqual([]);
  });

  test('a megabyte passes through to etcd and back, and its end too', async () => {
    const echo = createPlainServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.write(data));
      socket.on('end', () => socket.end());
    });
    const { port } = await open({ etcd: { kind: 'tcp', host: '127.0.0.1', port: await listening(echo) } });
    // A hello of Node's own, then anything: nobody but the ends reads it.
    const hello = await firstBytes();
    const socket = connectPlain({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => {});
    let back = 0;
    socket.on('data', (data) => {
      back += data.length;
    });
    const big = Buffer.alloc(1_048_576, 'x');
    socket.write(hello);
    socket.write(big);
    await until('all came back', () => back === hello.length + big.length);
    const ended = once(socket, 'close');
    socket.end();
    await ended;
  });

  test('where no etcd is here, and for any other protocol, it is closed without a word', async () => {
    const { port, visitors } = await open();
    for (const protocols of [[], ['h2'], ['http/1.1', 'h2'], ['viaduct/2']])
      expect(await talk(port, protocols, worker).said).toMatch(/closed|error/);
    const etcdGone = await open({ etcd: { kind: 'unix', path: '/nonexistent/peer:1' } });
    expect(await talk(etcdGone.port, [], manager).said).toMatch(/closed|error/);
    expect(visitors).toEqual([]);
  });
});

/** What Node's TLS sends first, asking for no protocol. */
const firstBytes = async (): Promise<Buffer> => {
  const server = createPlainServer();
  const port = await listening(server);
  const taken = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({ port, host: '127.0.0.1' }).on('error', () => {});
  const [socket] = await taken;
  const [data] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  return data;
};

test('IPv6, and an IPv4 visitor of `::` is known by his own address', async () => {
  const { port, visitors } = await open({ host: '::' });
  expect(await talk(port, ['viaduct/1'], worker, '::1').said).toBe('heard hello');
  expect(await talk(port, ['viaduct/1'], worker, '127.0.0.1').said).toBe('heard hello');
  expect(visitors.map(({ address }) => address)).toEqual(['::1', '127.0.0.1']);
});

test('a hello that comes byte by byte is understood', async () => {
  const { port } = await open();
  const relay = createPlainServer((client) => {
    const onward = connectPlain(port, '127.0.0.1').setNoDelay(true);
    client.on('error', () => {}).on('close', () => onward.destroy());
    onward.on('error', () => {}).on('close', () => client.destroy());
    onward.on('data', (data) => client.write(data));
    client.on('data', (data) => {
      for (const byte of data) onward.write(Buffer.from([byte]));
    });
  });
  expect(await talk(await listening(relay), ['viaduct/1'], worker).said).toBe('heard hello');
});

test('renewed: new connections see the new certificate, and new authorities count at once', async () => {
  const { door, port } = await open();
  const next = createAuthority(NOW);
  const stranger = tlsOf(next, 'worker');
  expect(await talk(port, ['viaduct/1'], stranger).said).toMatch(/closed|error/);
  door.secure({ ...manager, trust: authority.certificate + next.certificate });
  expect(await talk(port, ['viaduct/1'], stranger).said).toBe('heard hello');
  door.secure({ ...tlsOf(next, 'manager'), trust: next.certificate });
  expect(await talk(port, ['viaduct/1'], stranger).said).toMatch(/error/); // who does not trust the new one
});

describe('limits', () => {
  const silent = async (
    port: number,
  ): Promise<{ readonly socket: Socket; readonly closed: () => boolean }> => {
    const socket = connectPlain(port, '127.0.0.1');
    let closed = false;
    socket
      .on('error', () => {})
      .on('close', () => {
        closed = true;
      });
    socket.resume();
    closing.push(() => void socket.destroy());
    await once(socket, 'connect');
    return { socket, closed: () => closed };
  };

  test('who says nothing, or stops in the middle, is closed in time', async () => {
    const { port } = await open({ limits: { handshakeMs: 200 } });
    const quiet = await silent(port);
    const half = connectPlain(port, '127.0.0.1').on('error', () => {});
    half.write((await firstBytes()).subarray(0, 50));
    const halfClosed = once(half.resume(), 'close');
    await until('it is closed', quiet.closed);
    await halfClosed;
  });

  test('so many of one origin that have shown nothing; those with a certificate do not count, and ended ones no more', async () => {
    const { port } = await open({ limits: { perOrigin: 3 } });
    for (let i = 0; i < 5; i += 1) expect(await talk(port, ['viaduct/1'], worker).said).toBe('heard hello');
    const nobody = talk(port, ['viaduct/1']);
    expect(await nobody.said).toBe('heard hello');
    nobody.socket.destroy();
    // The door hears of that end a moment later.
    await until('three fit, and a fourth does not', async () => {
      const three = [await silent(port), await silent(port), await silent(port)];
      const fourth = await silent(port);
      await until('the fourth is closed', fourth.closed);
      if (!three.some((each) => each.closed())) return true;
      for (const { socket } of three) socket.destroy();
      return false;
    });
  });

  test('what is no TLS is closed at once', async () => {
    const { port } = await open();
    const socket = connectPlain(port, '127.0.0.1').on('error', () => {});
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await once(socket.resume(), 'close');
  });
});

test('an address that is taken is refused in words, and nothing stays open', async () => {
  const { port } = await open();
  const again = openDoor({
    listen: [
      { host: '127.0.0.1', port: 0 },
      { host: '127.0.0.1', port },
    ],
    tls: manager,
    peers: () => undefined,
    session: () => {},
  });
  await expect(again).rejects.toThrow(`the port ${port} of 127.0.0.1 cannot be had for the swarm`);
});

test('closing ends sessions and the port', async () => {
  const { door, port } = await open();
  const session = talk(port, ['viaduct/1'], worker);
  await session.said;
  const ended = once(session.socket, 'close');
  await door.close();
  await ended;
  expect(await talk(port, ['viaduct/1'], worker).said).toMatch(/closed|error/);
});
