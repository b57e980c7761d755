/** The client of etcd against a gateway that answers as told: time limits, other endpoints, and what refusals mean. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createEtcdClient, type EtcdClient } from '../../src/cluster/etcd/client.js';
import type { Endpoint, EtcdFailure, WatchBatch } from '../../src/cluster/etcd/contract.js';
import { EtcdError, refusal } from '../../src/cluster/etcd/failure.js';
import { batches } from '../../src/cluster/etcd/watch.js';

type Handler = (path: string, body: string, answer: ServerResponse, request: IncomingMessage) => void;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const gateway = async (handle: Handler): Promise<Endpoint> => {
  const server = createServer((request, answer) => {
    let body = '';
    request
      .on('error', () => {})
      .on('data', (chunk) => {
        body += chunk;
      });
    request.on('end', () => handle(request.url ?? '', body, answer, request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { kind: 'tcp', host: '127.0.0.1', port: (server.address() as { port: number }).port };
};

const clientOf = (...endpoints: [Endpoint, ...Endpoint[]]): EtcdClient => {
  const limits = { answerMs: 300, connectMs: 300, answerBytes: 10_000 };
  const client = createEtcdClient({ endpoints, limits, watchQuietMs: 50 });
  closing.push(() => client.close());
  return client;
};

/** A port that nobody listens on. */
const nobody = async (): Promise<Endpoint> => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return { kind: 'tcp', host: '127.0.0.1', port };
};

const failureOf = async (work: Promise<unknown>): Promise<EtcdFailure> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof EtcdError) return error.failure;
    throw error;
  }
  throw new Error('it did not fail');
};

const ok = (answer: ServerResponse, value: object): void => void answer.end(JSON.stringify(value));
const HEADER = { header: { revision: '7' } };
const silent: Handler = () => {};
const sensible: Handler = (_, __, answer) => ok(answer, HEADER);

describe('one endpoint', () => {
  test('nobody there: unavailable, and nothing was sent', async () => {
    expect(await failureOf(clientOf(await nobody()).put('a', ''))).toEqual({
      kind: 'unavailable',
      sent: false,
    });
    const gone: Endpoint = { kind: 'unix', path: '/nonexistent/client:1' };
    expect(await failureOf(clientOf(gone).put('a', ''))).toEqual({ kind: 'unavailable', sent: false });
  });

  test.each<[string, Handler]>([
    ['no answer', silent],
    ['half an answer', (_, __, answer) => void answer.writeHead(200, { 'Content-Length': 100 }).write('{')],
    [
      'an answer that breaks off',
      (_, __, answer) => answer.writeHead(200).write('{', () => void answer.destroy()),
    ],
    ['a connection that breaks', (_, __, answer) => void answer.destroy()],
    ['what is not JSON', (_, __, answer) => void answer.end('hello')],
    ['JSON that is not etcd’s', (_, __, answer) => ok(answer, { header: { revision: {} } })],
    ['a failing proxy', (_, __, answer) => void answer.writeHead(502).end('<html>')],
  ])('%s: unavailable in time, and it may have taken effect', async (_, handle) => {
    expect(await failureOf(clientOf(await gateway(handle)).put('a', ''))).toEqual({
      kind: 'unavailable',
      sent: true,
    });
  });

  test('an answer without end is too large', async () => {
    const endless: Handler = (_, __, answer) => {
      answer.on('error', () => {});
      answer.writeHead(200);
      const more = (): void => {
        if (!answer.destroyed) answer.write('x'.repeat(5_000), () => setImmediate(more));
      };
      more();
    };
    expect(await failureOf(clientOf(await gateway(endless)).range({ prefix: '' }))).toEqual({
      kind: 'too-large',
    });
  });

  test('writes and exact reads ask for a leader, so that nobody waits for one; others do not', async () => {
    const seen: string[] = [];
    const client = clientOf(
      await gateway((path, _, answer, request) => {
        seen.push(`${path} ${request.headers['grpc-metadata-hasleader'] ?? 'no'}`);
        ok(answer, HEADER);
      }),
    );
    await client.put('a', '');
    await client.range({ key: 'a' });
    await client.range({ key: 'a', serializable: true });
    expect(seen).toEqual(['/v3/kv/put true', '/v3/kv/range true', '/v3/kv/range no']);
  });

  test('a connection is used again', async () => {
    const ports = new Set<number>();
    const client = clientOf(
      await gateway((_, __, answer, request) => {
        ports.add(request.socket.remotePort ?? 0);
        ok(answer, HEADER);
      }),
    );
    for (let i = 0; i < 5; i += 1) await client.put('a', '');
    expect(ports.size).toBe(1);
  });
});

describe('several endpoints', () => {
  test('the next one where the first is not there, and that one from then on', async () => {
    let asked = 0;
    const second = await gateway((_, __, answer) => {
      asked += 1;
      ok(answer, HEADER);
    });
    const client = clientOf(await nobody(), second);
    expect(await client.put('a', '')).toBe(7);
    expect(await client.put('a', '')).toBe(7);
    expect(asked).toBe(2);
  });

  test('a read goes on to the next where the first is silent; a write that may have happened does not', async () => {
    let second = 0;
    const client = clientOf(
      await gateway(silent),
      await gateway((...all) => {
        second += 1;
        sensible(...all);
      }),
    );
    expect(await failureOf(client.put('a', ''))).toEqual({ kind: 'unavailable', sent: true });
    expect(second).toBe(0);
    expect((await client.range({ key: 'a' })).revision).toBe(7);
  });

  test('a member without a leader is passed over, by a write too', async () => {
    const lost: Handler = (_, __, answer) =>
      void answer.writeHead(503).end(JSON.stringify({ error: 'etcdserver: no leader', code: 14 }));
    expect(await clientOf(await gateway(lost), await gateway(sensible)).put('a', '')).toBe(7);
    expect(await failureOf(clientOf(await gateway(lost)).put('a', ''))).toEqual({ kind: 'no-leader' });
  });
});

test.each<[message: string, code: number, kind: EtcdFailure['kind']]>([
  ['etcdserver: no leader', 14, 'no-leader'],
  ['etcdserver: mvcc: required revision has been compacted', 11, 'compacted'],
  ['etcdserver: mvcc: required revision is a future revision', 11, 'refused'],
  ['etcdserver: mvcc: database space exceeded', 8, 'no-space'],
  ['etcdserver: request is too large', 3, 'too-large'],
  ['etcdserver: too many operations in txn request', 3, 'too-large'],
  ['etcdserver: duplicate key given in txn request', 3, 'refused'],
  ['etcdserver: requested lease not found', 5, 'no-lease'],
  ['etcdserver: member not found', 5, 'no-member'],
  ['etcdserver: Peer URLs already exists', 9, 'member-exists'],
  ['etcdserver: unhealthy cluster', 14, 'not-ready'],
  ['etcdserver: can only promote a learner member which is in sync with leader', 9, 'not-ready'],
  ['etcdserver: can only promote a learner member', 9, 'refused'],
  ['etcdserver: request timed out', 14, 'unavailable'],
  ['etcdserver: request timed out, possibly due to previous leader failure', 14, 'unavailable'],
  ['context deadline exceeded', 2, 'unavailable'],
  ['etcdserver: server stopped', 14, 'unavailable'],
])('%s is %s: %s', (message, code, kind) => {
  expect(refusal({ error: message, code }, 'x').failure.kind).toBe(kind);
  expect(refusal({ message, grpc_code: code }, 'x').failure.kind).toBe(kind);
});

const kv = (key: string, revision: number, value = '') => ({
  key: Buffer.from(key).toString('base64'),
  value: Buffer.from(value).toString('base64'),
  create_revision: String(revision),
  mod_revision: String(revision),
  version: '1',
});
const told = (revision: number, ...events: object[]) => ({
  result: { header: { revision: String(revision) }, events },
});

const collected = async (lines: readonly object[]): Promise<readonly WatchBatch[]> => {
  const found: WatchBatch[] = [];
  async function* all() {
    yield* lines;
  }
  for await (const batch of batches(all())) found.push(batch);
  return found;
};
const shown = (all: readonly WatchBatch[]) =>
  all.map(
    ({ revision, events }) =>
      `${revision}: ${events.map((each) => (each.type === 'put' ? each.entry.key : `-${each.key}`)).join(' ')}`,
  );

describe('a watch', () => {
  test('what is told of a long past has the revision of its last event, not the store’s', async () => {
    const lines = [
      { result: { header: { revision: '90' }, created: true } },
      told(90, { kv: kv('a', 3) }, { type: 'DELETE', kv: { key: kv('b', 4).key, mod_revision: '4' } }),
      told(90),
    ];
    expect(shown(await collected(lines))).toEqual(['4: a -b', '90: ']);
  });

  test('fragments are put together to whole revisions', async () => {
    const fragment = (line: ReturnType<typeof told>) => ({ result: { ...line.result, fragment: true } });
    const lines = [
      fragment(told(9, { kv: kv('a', 3) }, { kv: kv('b', 4) })),
      fragment(told(9, { kv: kv('c', 4) })),
      told(9, { kv: kv('d', 4) }, { kv: kv('e', 5) }),
    ];
    expect(shown(await collected(lines))).toEqual(['3: a', '5: b c d e']);
  });

  test('compacted, canceled, without a leader, nonsense: told apart', async () => {
    const kindOf = async (line: object) => (await failureOf(collected([line]))) as EtcdFailure;
    expect(await kindOf({ result: { header: {}, canceled: true, compact_revision: '42' } })).toEqual({
      kind: 'compacted',
      revision: 42,
    });
    expect((await kindOf({ result: { canceled: true, cancel_reason: 'etcdserver: no leader' } })).kind).toBe(
      'no-leader',
    );
    expect((await kindOf({ result: { canceled: true } })).kind).toBe('unavailable');
    expect((await kindOf({ error: { grpc_code: 14, message: 'etcdserver: no leader' } })).kind).toBe(
      'no-leader',
    );
    expect((await kindOf({ hello: 1 })).kind).toBe('unavailable');
  });

  const watch = async (
    client: EtcdClient,
    enough: (batch: WatchBatch) => boolean,
    signal = new AbortController(),
  ) => {
    for await (const batch of client.watch({ prefix: '', from: 1, signal: signal.signal }))
      if (enough(batch)) signal.abort();
  };

  test('its end is an error, its signal is not, also where etcd says nothing at all', async () => {
    const ending: Handler = (_, __, answer) =>
      void answer.end(`${JSON.stringify(told(3, { kv: kv('a', 3) }))}\n`);
    expect((await failureOf(watch(clientOf(await gateway(ending)), () => false))).kind).toBe('unavailable');
    await watch(clientOf(await gateway(ending)), () => true);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    await watch(clientOf(await gateway(silent)), () => false, stop);
  });

  test('a quiet one goes on while its etcd lives, and ends when that no longer answers', async () => {
    let alive = true;
    let probes = 0;
    const client = clientOf(
      await gateway((path, _, answer) => {
        if (path === '/v3/watch')
          return void answer
            .writeHead(200)
            .write(`${JSON.stringify({ result: { ...HEADER, created: true } })}\n`);
        probes += 1;
        if (probes === 3) alive = false;
        if (alive) ok(answer, HEADER);
      }),
    );
    expect((await failureOf(watch(client, () => false))).kind).toBe('unavailable');
    expect(probes).toBe(3);
  });
});

describe('a snapshot', () => {
  const directory = mkdtempSync(join(tmpdir(), 'viaduct-etcd-'));
  const file = join(directory, 'copy.db');
  afterEach(() => rmSync(file, { force: true }));
  const sent =
    (...parts: Buffer[]): Handler =>
    (_, __, answer) => {
      for (const part of parts)
        answer.write(`${JSON.stringify({ result: { blob: part.toString('base64') } })}\n`);
      answer.end();
    };

  test('is a file when it is whole', async () => {
    const [pages, sum] = [Buffer.alloc(4_096, 1), Buffer.alloc(32, 2)];
    await clientOf(await gateway(sent(pages, sum))).snapshot(file);
    expect(readFileSync(file)).toEqual(Buffer.concat([pages, sum]));
  });

  test('that broke off leaves nothing', async () => {
    const client = clientOf(await gateway(sent(Buffer.alloc(4_096))));
    expect((await failureOf(client.snapshot(file))).kind).toBe('unavailable');
    expect(existsSync(file) || existsSync(`${file}.part`)).toBe(false);
    rmSync(directory, { recursive: true });
  });
});
