/**
 * No connection stays behind its last answer, and none outlives a stop (M2): every way in which a connection comes to its
 * end, times every way in which a client keeps it from being closed. The kernel tells which are left.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { connect as secureConnect } from 'node:tls';
import { afterAll, expect, it } from 'vitest';
import type { Limits } from '../../src/api/http/connections.js';
import { type Api, createApi } from '../../src/api/index.js';
import type { Engine } from '../../src/engine/contract.js';
import type { Streams } from '../../src/runtime/contract.js';
import { apiOf, type Api as Call } from '../support/api.js';
import { CONFIG, createFakeEngine, IMAGE } from '../support/fake-engine.js';
import { openConnections } from '../support/open-connections.js';
import { type RawClient, type RawRequest, rawClient } from '../support/raw-client.js';
import { until } from '../support/run.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const directory = mkdtempSync(join(tmpdir(), 'viaduct-closing-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const SECOND = 1000;
const NEVER = 3600 * SECOND;

/** `echo`: ends at once; everything else goes on, and says more than any buffer holds. */
const run = ([command]: readonly string[]): Streams => {
  const stdout = new PassThrough();
  stdout.write(command === 'echo' ? 'said\n' : Buffer.alloc(1 << 20, 'x'));
  if (command === 'echo') stdout.end();
  return { stdin: new PassThrough(), stdout, stderr: Readable.from([]), detach() {} };
};

interface Stand {
  readonly api: Api;
  readonly path: string;
  readonly call: Call;
  /** a running container */
  readonly id: string;
}

let stands = 0;
const stand = async (limits: Partial<Limits>): Promise<Stand> => {
  const fake = createFakeEngine({ process: run });
  // More images than a socket's buffers hold: an answer that is not taken stays with us.
  const many = Array.from({ length: 3000 }, () => IMAGE);
  const engine: Engine = { ...fake, images: { ...fake.images, list: () => many } };
  const api = createApi(engine, { logger: quiet, limits });
  stands += 1;
  const path = join(directory, `${stands}.sock`);
  await api.listen([`unix://${path}`]);
  // Connections of the test's own would be counted.
  const call: Call = (method, target, body) => apiOf(path)(method, target, body, { Connection: 'close' });
  const made = await call('POST', '/containers/create', { Image: 'busybox', Cmd: ['echo'] });
  const { Id: id } = made.json as { Id: string };
  await call('POST', `/containers/${id}/start`);
  return { api, path, call, id };
};

type Request = (stand: Stand) => RawRequest | Promise<RawRequest>;

const execOf = async ({ call, id }: Stand, command: string): Promise<string> => {
  const made = await call('POST', `/containers/${id}/exec`, {
    ...{ AttachStdin: true, AttachStdout: true },
    Cmd: [command],
  });
  return `/exec/${(made.json as { Id: string }).Id}/start`;
};
const exec =
  (command: string, body: object = {}): Request =>
  async (at) => ({ method: 'POST', path: await execOf(at, command), body, upgrade: true });
const attach =
  (query: string, reference?: string): Request =>
  ({ id }) => ({
    ...{ method: 'POST', upgrade: true },
    path: `/containers/${reference ?? id}/attach?${query}`,
  });

/** What has an end of its own. */
const ENDING: Readonly<Record<string, Request>> = {
  'an attach whose container ends': attach('stream=1&stdin=1&stdout=1'),
  'an attach that asks for nothing': attach(''),
  'an attach that is refused': attach('stream=1', 'nobody'),
  'an exec that ends': exec('echo'),
  'an exec that cannot be run': exec('nosuch'),
  'an exec that nobody attaches to': exec('echo', { Detach: true }),
  'an exec whose request comes in chunks': async (at) => ({
    ...{ method: 'POST', path: await execOf(at, 'echo') },
    headers: { 'Transfer-Encoding': 'chunked', 'Content-Type': 'application/json' },
  }),
  'a request that is no HTTP': () => ({ method: 'speak, friend', path: '' }),
};

/** What goes on for as long as nobody stops it. */
const ENDLESS: Readonly<Record<string, Request>> = {
  'an exec that goes on': exec('yes'),
  'an answer that is long': () => ({ method: 'GET', path: '/images/json' }),
  events: () => ({ method: 'GET', path: '/events' }),
  wait: ({ id }) => ({ method: 'POST', path: `/containers/${id}/wait?condition=removed` }),
  stats: ({ id }) => ({ method: 'GET', path: `/containers/${id}/stats` }),
  'an upload': ({ id }) => ({
    ...{ method: 'PUT', path: `/containers/${id}/archive?path=/tmp`, body: Buffer.alloc(100_000) },
  }),
  'a body that does not come': () => ({
    ...{ method: 'POST', path: '/networks/create' },
    headers: { 'Content-Type': 'application/json', 'Content-Length': '10' },
  }),
  'a body of an exec that does not come': async (at) => ({
    ...{ method: 'POST', path: await execOf(at, 'echo'), upgrade: true },
    headers: { 'Content-Type': 'application/json', 'Content-Length': '10' },
  }),
};

/** Ways in which a client keeps its connection. */
const WAYS: Readonly<Record<string, (client: RawClient) => void>> = {
  'reads, but never closes': () => {},
  'does not read either': (client) => client.sleep(),
  'closes its half and does not read': (client) => {
    client.sleep();
    client.socket.end();
  },
  'says more than anybody hears': ({ socket }) => void socket.write(Buffer.alloc(400_000, 'y')),
};

const CHUNKED = '2\r\n{}\r\n0\r\n\r\n';
const ask = async (at: Stand, request: Request): Promise<RawClient> => {
  const asked = await request(at);
  const client = rawClient(at.path, asked);
  if (asked.headers?.['Transfer-Encoding']) client.socket.write(CHUNKED);
  return client;
};

const cells = (requests: Readonly<Record<string, Request>>) =>
  Object.entries(requests).flatMap(([what, request]) =>
    Object.entries(WAYS).map(
      ([how, behave]) => [`${what}, to one that ${how}`, { request, behave }] as const,
    ),
  );

it.each(cells(ENDING))('M2: is let go of: %s', async (_, { request, behave }) => {
  const at = await stand({ unclosedMs: 50, unreadMs: NEVER });
  const client = await ask(at, request);
  expect(openConnections(at.path)).toBe(1);
  behave(client);
  await until('the connection is gone', () => openConnections(at.path) === 0);
  client.socket.destroy();
  await at.api.close();
});

it.each(Object.entries(ENDING))(
  'M2: %s: a client that says something behind the answer and dies is noticed at once',
  async (_, request) => {
    const at = await stand({ unclosedMs: NEVER, unreadMs: NEVER });
    const client = await ask(at, request);
    await client.header();
    client.socket.end('more', () => client.socket.destroy());
    await until('the connection is gone', () => openConnections(at.path) === 0);
    await at.api.close();
  },
);

it('M2: an answer that nobody takes is taken back; one that is taken late comes whole', async () => {
  const request: Request = () => ({ method: 'GET', path: '/images/json' });
  const patient = await stand({ unreadMs: NEVER, unclosedMs: 50 });
  const late = await ask(patient, request);
  await late.header();
  late.sleep();
  const impatient = await stand({ unreadMs: 50, unclosedMs: 50 });
  const sleeper = await ask(impatient, request);
  sleeper.sleep();
  await until('the connection is gone', () => openConnections(impatient.path) === 0);
  expect(openConnections(patient.path)).toBe(1);
  late.socket.resume();
  const length = Number(/content-length: (\d+)/i.exec(await late.header())?.[1]);
  await until('all of it', () => late.received() > length);
  for (const { socket } of [sleeper, late]) socket.destroy();
  await Promise.all([impatient.api.close(), patient.api.close()]);
});

it('M2: a stop ends every connection, whatever its client does', async () => {
  const at = await stand({ unclosedMs: NEVER, unreadMs: NEVER, graceMs: 100 });
  const all = cells({ ...ENDING, ...ENDLESS });
  const clients = await Promise.all(
    all.map(async ([, { request, behave }]) => {
      const client = await ask(at, request);
      behave(client);
      return client.socket;
    }),
  );
  // One that has said nothing yet, and one in the middle of its headers.
  for (const said of ['', 'GET /_ping HT']) {
    const client = net.connect({ path: at.path, allowHalfOpen: true }).on('error', () => {});
    client.write(said);
    clients.push(client);
  }
  await until('they are all there', () => openConnections(at.path) > Object.keys(ENDLESS).length);
  await at.call('GET', '/_ping');
  await at.api.close();
  expect(openConnections(at.path)).toBe(0);
  for (const client of clients) client.destroy();
});

it('M2: a stop waits for an answer under way', async () => {
  const fake = createFakeEngine();
  let finish = (): void => {};
  const slow = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const engine: Engine = { ...fake, networks: { ...fake.networks, prune: () => slow.then(() => ['late']) } };
  const api = createApi(engine, { logger: quiet, limits: { graceMs: NEVER } });
  const path = join(directory, 'under-way.sock');
  await api.listen([`unix://${path}`]);
  const idle = net.connect(path);
  await new Promise((resolve) => idle.once('connect', resolve));
  const answer = apiOf(path)('POST', '/networks/prune');
  await until('the request is under way', () => openConnections(path) === 2);
  await apiOf(path)('GET', '/_ping');
  const closed = api.close();
  await until('the idle one is gone', () => openConnections(path) === 1);
  finish();
  expect((await answer).json).toEqual({ NetworksDeleted: ['late'] });
  await closed;
  idle.destroy();
});

it('M2: a stop ends connections with TLS, also those that do not get on with it', async () => {
  const file = (name: string): string => join(directory, name);
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-subj', '/CN=localhost', '-keyout', file('key.pem'), '-out', file('cert.pem')],
    ],
    { stdio: 'pipe' },
  );
  const fake = createFakeEngine();
  const tls = { cert: file('cert.pem'), key: file('key.pem'), ca: '', verify: false };
  const engine: Engine = { ...fake, config: { ...CONFIG, tls } };
  const api = createApi(engine, { logger: quiet, limits: { graceMs: 100 } });
  const port = await freePort();
  await api.listen([`tcp://127.0.0.1:${port}`]);
  const raw = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const secure = secureConnect({
    port,
    host: '127.0.0.1',
    ca: readFileSync(file('cert.pem')),
    servername: 'localhost',
  });
  const gone = [raw, secure].map((client) => new Promise((resolve) => client.once('close', resolve)));
  for (const client of [raw, secure]) client.on('error', () => {}).on('end', () => client.destroy());
  secure.write('GET /events HTTP/1.1\r\nHost: d\r\n\r\n');
  await new Promise((resolve) => secure.once('data', resolve));
  raw.resume();
  secure.resume();
  await api.close();
  await Promise.all(gone);
});

const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};
