/** The client of Serf's RPC against an agent that answers as told: what peers made up, answers in pieces, silence. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Packable, pack, unpack } from '../../src/cluster/serf/msgpack.js';
import { serfConfiguration } from '../../src/cluster/serf/process.js';
import { connectSerf } from '../../src/cluster/serf/rpc.js';

interface Asked {
  readonly command: string;
  readonly seq: number;
  readonly socket: Socket;
  say(error: string, body?: Packable): void;
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const BODILESS = new Set(['members', 'list-keys', 'leave']);

/** An agent that takes everybody in; `answer` says what to all other commands. */
const agent = async (answer: (asked: Asked) => void, inPieces = false) => {
  const server = createServer((socket) => {
    let bytes = Buffer.alloc(0);
    let header: { Command: string; Seq: number } | undefined;
    const write = (data: Buffer): void => {
      if (!inPieces) return void socket.write(data);
      for (const byte of data) socket.write(Buffer.from([byte]));
    };
    const handle = ({ Command, Seq }: { Command: string; Seq: number }): void => {
      const say = (error: string, body?: Packable): void =>
        write(Buffer.concat([pack({ Seq, Error: error }), ...(body === undefined ? [] : [pack(body)])]));
      if (Command === 'handshake' || Command === 'auth' || Command === 'stop') say('');
      else answer({ command: Command, seq: Seq, socket, say });
    };
    socket.setNoDelay(true).on('error', () => {});
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let next = unpack(bytes); next; next = unpack(bytes)) {
        bytes = Buffer.from(next.rest);
        if (header) {
          handle(header);
          header = undefined;
          continue;
        }
        header = next.value as { Command: string; Seq: number };
        if (!BODILESS.has(header.Command)) continue;
        handle(header);
        header = undefined;
      }
    });
    closing.push(() => void socket.destroy());
  }).on('error', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => void server.close());
  const { port } = server.address() as { port: number };
  const serf = await connectSerf({ port, secret: 's' });
  closing.push(() => serf.close());
  return serf;
};

const member = (more: Readonly<Record<string, Packable>> = {}): Packable => ({
  Name: 'node1',
  Addr: Buffer.from([192, 0, 2, 1]),
  Port: 7946,
  Tags: { role: 'worker' },
  Status: 'alive',
  ProtocolMin: 2,
  ...more,
});
const MAPPED = Buffer.from('00000000000000000000ffffc0000202', 'hex');
const V6 = Buffer.from('20010db8000100000000000000000001', 'hex');

describe('members', () => {
  test('with addresses in all of Go’s forms, also byte by byte', async () => {
    const serf = await agent(
      ({ say }) =>
        say('', { Members: [member(), member({ Addr: MAPPED }), member({ Addr: V6, Status: 'failed' })] }),
      true,
    );
    expect((await serf.members()).map(({ address, state }) => `${address} ${state}`)).toEqual([
      '192.0.2.1 alive',
      '192.0.2.2 alive',
      '2001:db8:1::1 failed',
    ]);
  });

  test.each<[string, Packable]>([
    ['a name that could be a path', member({ Name: '../../x' })],
    ['an endless name', member({ Name: 'x'.repeat(1_000) })],
    ['no address', member({ Addr: Buffer.from([1, 2, 3]) })],
    ['a port that is none', member({ Port: 70_000 })],
    ['a state that nobody knows', member({ Status: 'immortal' })],
    ['tags that are no texts', member({ Tags: { a: [1] } })],
    ['an endless tag', member({ Tags: { a: 'x'.repeat(10_000) } })],
    ['no member at all', 'hello'],
  ])('one with %s is left out, and nobody else', async (_, wrong) => {
    const serf = await agent(({ say }) => say('', { Members: [wrong, member()] }));
    expect((await serf.members()).map(({ name }) => name)).toEqual(['node1']);
  });

  test('a tag called __proto__ is a tag', async () => {
    const tags = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const serf = await agent(({ say }) => say('', { Members: [member({ Tags: tags })] }));
    const [found] = await serf.members();
    expect(Object.getPrototypeOf(found?.tags ?? {})?.x).toBeUndefined();
    expect(({} as { x?: string }).x).toBeUndefined();
  });
});

describe('requests', () => {
  test('are answered by number, in any order; a body behind a refusal is nobody’s', async () => {
    const held: Asked[] = [];
    const serf = await agent((asked) => {
      held.push(asked);
      if (held.length < 2) return;
      held[1]?.say('no such thing', { Messages: {} });
      held[0]?.say('', { Members: [member()] });
    });
    const [members, refused] = await Promise.allSettled([serf.members(), serf.installKey('x')]);
    expect(members).toMatchObject({ value: [{ name: 'node1' }] });
    expect(refused).toMatchObject({ reason: { message: 'Serf refused install-key: no such thing' } });
  });

  test.each<[string, (asked: Asked) => void]>([
    ['a broken connection', ({ socket }) => void socket.destroy()],
    ['what is not its protocol', ({ socket }) => void socket.write(Buffer.from([0xc1]))],
  ])('%s is unavailable, then and afterwards', async (_, answer) => {
    const serf = await agent(answer);
    await expect(serf.members()).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(serf.members()).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('an answer of another form is refused, not believed', async () => {
    const serf = await agent(({ say }) => say('', { Num: 'many' }));
    await expect(serf.join(['x'])).rejects.toMatchObject({ kind: 'internal' });
  });
});

test('events: all members first, then what changes; its signal ends it, the connection’s end is an error', async () => {
  let changes: ((event: Packable) => void) | undefined;
  let connection: Socket | undefined;
  const serf = await agent(({ command, say, socket }) => {
    connection = socket;
    if (command === 'members') return say('', { Members: [member()] });
    say('');
    changes = (event) => say('', event);
  });
  const seen: string[] = [];
  const stop = new AbortController();
  for await (const { type, members } of serf.events(stop.signal)) {
    seen.push(`${type} ${members.map(({ name }) => name)}`);
    if (seen.length === 1) {
      changes?.({ Event: 'user', Name: 'x' });
      changes?.({ Event: 'member-failed', Members: [member({ Name: 'node2', Status: 'failed' })] });
    } else stop.abort();
  }
  expect(seen).toEqual(['all node1', 'failed node2']);
  const broken = (async () => {
    for await (const _ of serf.events(new AbortController().signal)) connection?.destroy();
  })();
  await expect(broken).rejects.toMatchObject({ kind: 'unavailable' });
});

test('the agent’s configuration: IPv6 in brackets, no replay, a secret, keys only in a file', () => {
  const settings = {
    name: 'n1',
    tags: { role: 'manager' },
    bind: { host: '::', port: 7946 },
    advertise: { host: '2001:db8:1::1', port: 7946 },
    join: ['[2001:db8:1::2]:7946'],
    keys: ['a2V5'] as const,
    directory: '/var/lib/x',
    logFile: '/var/log/x',
  };
  const found = serfConfiguration(settings, { port: 7000, secret: 's' });
  expect(found).toMatchObject({
    bind: '[::]:7946',
    advertise: '[2001:db8:1::1]:7946',
    rpc_addr: '127.0.0.1:7000',
    rpc_auth: 's',
    replay_on_join: false,
    keyring_file: '/var/lib/x/keyring.json',
  });
  expect(JSON.stringify(found)).not.toContain('a2V5');
});
