/** The API over a unix socket, with an engine in memory: what clients send, byte for byte where that matters. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Api, createApi } from '../../src/api/index.js';
import type { Engine } from '../../src/engine/contract.js';
import { internal, refused } from '../../src/errors.js';
import { apiOf, type Api as Call } from '../support/api.js';
import { createFakeEngine } from '../support/fake-engine.js';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const directory = mkdtempSync(join(tmpdir(), 'viaduct-api-'));
const socket = join(directory, 'api.sock');
const engine = createFakeEngine();
let api: Api;
let call: Call;

beforeAll(async () => {
  api = createApi(engine, { logger: quiet });
  await api.listen([`unix://${socket}`]);
  call = apiOf(socket);
});
afterAll(async () => {
  await api.close();
  rmSync(directory, { recursive: true, force: true });
});

const message = (answer: { json: unknown }): unknown =>
  typeof answer.json === 'object' && answer.json !== null && 'message' in answer.json
    ? answer.json.message
    : undefined;

/** Sends bytes, answers everything received until the server closes or `done` is satisfied. */
const raw = (bytes: string, done: (received: string) => boolean, then?: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const client = net.connect({ path: socket, allowHalfOpen: true });
    let received = '';
    client.on('error', reject);
    client.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (then !== undefined && received.includes('\r\n\r\n')) {
        client.end(then);
        then = undefined;
      }
      if (done(received)) {
        client.destroy();
        resolve(received);
      }
    });
    client.on('end', () => {
      client.destroy();
      resolve(received);
    });
    client.write(bytes);
  });

const container = async (body: object = {}): Promise<string> => {
  const made = await call('POST', '/v1.41/containers/create', { Image: 'busybox', ...body });
  expect(made.status).toBe(201);
  const id = (made.json as { Id: string }).Id;
  expect((await call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
};

describe('the door', () => {
  it('opens the socket for its group only', () => {
    expect(statSync(socket).mode & 0o777).toBe(0o660);
  });

  it('answers ping with the headers clients negotiate by', async () => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await call(method, '/_ping');
      expect(answer.status).toBe(200);
      expect(answer.text).toBe(method === 'GET' ? 'OK' : '');
      expect(answer.headers).toMatchObject({
        'api-version': '1.52',
        'builder-version': '1',
        'docker-experimental': 'false',
        ostype: 'linux',
        'cache-control': 'no-cache, no-store, must-revalidate',
      });
    }
  });

  it.each([
    ['/v1.24/version', 200, undefined],
    ['/v1.52/version', 200, undefined],
    ['/version', 200, undefined],
    ['/v1.53/version', 400, 'client version 1.53 is too new. Maximum supported API version is 1.52'],
    ['/v2.0/info', 400, 'client version 2.0 is too new. Maximum supported API version is 1.52'],
    [
      '/v1.23/info',
      400,
      'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    ],
    ['/nowhere', 404, 'page not found'],
    ['/v1.41/nowhere', 404, 'page not found'],
    ['/containers/%zz/json', 400, 'invalid URL escape in the path'],
  ])('%s → %i', async (path, status, text) => {
    const answer = await call('GET', path);
    expect(answer.status).toBe(status);
    if (text !== undefined) expect(message(answer)).toBe(text);
  });

  it('takes bodies as moby does', async () => {
    const send = (body: string, type = 'application/json') =>
      call('POST', '/networks/create', body, { 'content-type': type });
    const wrongType = await send('{}', 'text/plain');
    expect([wrongType.status, message(wrongType)]).toEqual([
      400,
      "unsupported Content-Type header (text/plain): must be 'application/json'",
    ]);
    expect(message(await send('{'))).toMatch(/^invalid JSON: /);
    expect(message(await send('{} {}'))).toBe('unexpected content after JSON');
    expect(message(await send('{"Name":5}'))).toMatch(/^invalid JSON: Name: /);
    const good = await send(
      '{"name":"ci","IPAM":{"Config":null},"Labels":null,"Unknown":1}',
      'application/json; charset=utf-8',
    );
    expect(good.status).toBe(201);
  });

  it('never lets a key named __proto__ through', async () => {
    const made = await call(
      'POST',
      '/networks/create',
      '{"Name":"proto","Labels":{"__proto__":"x","a":"b"},"__proto__":{"Internal":true}}',
    );
    expect(made.status).toBe(201);
    const shown = (await call('GET', '/networks/proto')).json as { Labels: object; Internal: boolean };
    expect(shown.Labels).toEqual({ a: 'b' });
    expect(shown.Internal).toBe(false);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });

  it('refuses bodies without end and goes on serving', async () => {
    const answer = await raw(
      `POST /networks/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: ${17 * 1024 * 1024}\r\n\r\n{`,
      (text) => text.includes('larger than'),
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect((await call('GET', '/_ping')).status).toBe(200);
  });

  it('hands upgrades it does not know back as ordinary requests, with their body, and keeps the connection', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const upgrade =
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n';
    const client = net.connect(socket);
    const ask = (request: string, body = ''): Promise<string> =>
      new Promise((resolve, reject) => {
        client.once('data', (chunk) => resolve(chunk.toString('latin1')));
        client.once('close', () => reject(new Error('closed')));
        const type =
          body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
        client.write(`${request} HTTP/1.1\r\nHost: d\r\n${upgrade}${type}\r\n${body}`);
      });
    expect(await ask('POST /v1.41/networks/create', '{"Name":"h2c"}')).toMatch(/^HTTP\/1.1 201 Created/);
    for (let i = 0; i < 30; i += 1) {
      client.removeAllListeners('close');
      expect(await ask('GET /v1.41/networks/h2c')).toContain('"Name":"h2c"');
    }
    client.destroy();
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it.each([
    ['headers of 20 KB', `GET /_ping HTTP/1.1\r\nHost: d\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['no HTTP at all', 'hello, is anybody there\r\n\r\n', 400],
    ['no Host', 'GET /_ping HTTP/1.1\r\n\r\n', 400],
    ['a Host is not asked of HTTP/1.0', 'GET /nowhere HTTP/1.0\r\n\r\n', 404],
    ['an unknown expectation', 'GET /_ping HTTP/1.1\r\nHost: d\r\nExpect: wonders\r\n\r\n', 417],
    [
      'chunk extensions of 20 KB',
      `POST /networks/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(20_000)}\r\n{}\r\n`,
      413,
    ],
  ])('K15: %s is told with a message', async (_what, bytes, status) => {
    const answer = await raw(bytes, (text) => text.includes('"message"'));
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/\r\n\r\n\{"message":"[^"]+"\}\n$/);
  });

  it('K15: a client that hangs up is no error of the daemon’s', async () => {
    const levels: string[] = [];
    const told = (level: string) => () => void levels.push(level);
    const other = createApi(engine, {
      logger: { debug: told('debug'), info() {}, warn: told('warn'), error: told('error') },
    });
    const path = join(directory, 'hang-up.sock');
    await other.listen([`unix://${path}`]);
    const client = net.connect(path);
    client.write(
      'POST /networks/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
      () => client.destroy(),
    );
    await expect.poll(() => levels).toEqual(['debug']);
    await other.close();
  });

  it('K15: what Docker answers 500 for, although it is the user’s own doing, is no error of the daemon’s', async () => {
    const told: string[] = [];
    const failing = (failure: Error): Engine => ({
      ...engine,
      networks: { ...engine.networks, disconnect: () => Promise.reject(failure) },
    });
    for (const failure of [refused('unconnected'), internal('broken')]) {
      const path = join(directory, `${failure.message}.sock`);
      const other = createApi(failing(failure), {
        logger: { ...quiet, error: (_: unknown, text: string) => void told.push(text) },
      });
      await other.listen([`unix://${path}`]);
      const answer = await apiOf(path)('POST', '/networks/bridge/disconnect', { Container: 'web' });
      expect([answer.status, message(answer)]).toEqual([500, failure.message]);
      await other.close();
    }
    expect(told).toEqual(['broken']);
  });

  it('K11: silent connections keep nobody out, and take nobody’s stream or upgrade away', async () => {
    const full = createApi(engine, { logger: quiet, limits: { most: 8 } });
    const path = join(directory, 'full.sock');
    await full.listen([`unix://${path}`]);
    const id = await container();
    const kept = [
      'GET /events HTTP/1.1\r\nHost: d\r\n\r\n',
      `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    ].map((request) => {
      const client = net.connect(path);
      client.write(request);
      return client;
    });
    await Promise.all(kept.map((client) => new Promise((resolve) => client.once('data', resolve))));
    const silent = Array.from({ length: 20 }, () =>
      net
        .connect(path)
        .on('error', () => {})
        .resume(),
    );
    await Promise.all(silent.map((client) => new Promise((resolve) => client.once('connect', resolve))));
    for (let i = 0; i < 10; i += 1) expect((await apiOf(path)('GET', '/_ping')).status).toBe(200);
    expect(kept.map((client) => client.destroyed || client.readableEnded)).toEqual([false, false]);
    for (const client of [...kept, ...silent]) client.destroy();
    await full.close();
  });

  it('removes a stale socket, but not one that answers', async () => {
    const stale = join(directory, 'stale.sock');
    writeFileSync(stale, '');
    const second = createApi(engine, { logger: quiet });
    await second.listen([`unix://${stale}`]);
    const third = createApi(engine, { logger: quiet });
    await expect(third.listen([`unix://${stale}`])).rejects.toThrow(/another daemon listens/);
    expect((await apiOf(stale)('GET', '/_ping')).status).toBe(200);
    await second.close();
  });

  it('closes although clients are attached and listen to events', async () => {
    const path = join(directory, 'closing.sock');
    const other = createApi(engine, { logger: quiet });
    await other.listen([`unix://${path}`]);
    const id = await container();
    const open = [
      `GET /events HTTP/1.1\r\nHost: d\r\n\r\n`,
      `POST /containers/${id}/wait HTTP/1.1\r\nHost: d\r\n\r\n`,
      `POST /containers/${id}/attach?stream=1&stdout=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    ].map(
      (request) =>
        new Promise<void>((resolve) => {
          const client = net.connect(path, () => client.write(request));
          client.once('data', () => resolve());
          client.on('error', () => {});
        }),
    );
    await Promise.all(open);
    const begun = Date.now();
    await other.close();
    expect(Date.now() - begun).toBeLessThan(2000);
  });
});

describe('streams', () => {
  const upgradeHeaders = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

  it('attaches with 101, frames the output, passes input on and closes after half-close', async () => {
    const id = await container();
    const answer = await raw(
      `POST /v1.42/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\n${upgradeHeaders}\r\n`,
      () => false,
      'typed',
    );
    expect(answer).toMatch(
      /^HTTP\/1.1 101 UPGRADED\r\nContent-Type: application\/vnd.docker.multiplexed-stream\r\n/,
    );
    expect(answer).toContain('\x01\0\0\0\0\0\0\x06hello\n');
    expect(answer).toContain('\x01\0\0\0\0\0\0\x05typed');
  });

  it('tells of frames in the content type only since API 1.42', async () => {
    const id = await container();
    const answer = await raw(
      `POST /v1.41/containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${upgradeHeaders}\r\n`,
      (text) => text.includes('hello'),
    );
    expect(answer).toContain('Content-Type: application/vnd.docker.raw-stream');
  });

  it('lets go of a terminal at the detach keys, also when they come apart', async () => {
    const id = await container({ Tty: true, OpenStdin: true });
    const before = engine.detached.count;
    const answer = await raw(
      `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${upgradeHeaders}\r\n`,
      () => false,
      'ab\x10\x11never',
    );
    expect(answer).toContain('hello\n');
    expect(answer).not.toContain('never');
    expect(engine.detached.count).toBe(before + 1);
    expect(engine.containers.get(id).state.status).toBe('running');
  });

  it.each([
    [
      'nothing of an upgrade',
      '',
      /^HTTP\/1.1 200 OK\r\nContent-Type: application\/vnd.docker.raw-stream\r\n/,
    ],
    ['Upgrade alone', 'Upgrade: tcp\r\n', /^HTTP\/1.1 101 UPGRADED\r\n/],
  ])('M38: takes the connection of a client that says %s, both ways', async (_, headers, first) => {
    const id = await container({ OpenStdin: true });
    const answer = await raw(
      `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${headers}\r\nearly`,
      () => false,
      'late',
    );
    expect(answer).toMatch(first);
    expect(answer).toContain('hello\n');
    expect(answer).toContain('early');
    expect(answer).toContain('late');
  });

  it('C10: has sent the header of an exec before its process is there', async () => {
    const id = await container();
    const made = await call('POST', `/containers/${id}/exec`, { Cmd: ['sh'], AttachStdout: true, Tty: true });
    const exec = (made.json as { Id: string }).Id;
    const start = engine.execs.start.bind(engine.execs);
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    vi.spyOn(engine.execs, 'start').mockImplementationOnce((...given) => ({
      running: gate.then(() => start(...given).running),
    }));
    const body = '{"Tty":true}';
    const answer = await raw(
      `POST /exec/${exec}/start HTTP/1.1\r\nHost: d\r\n${upgradeHeaders}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      (text) => {
        if (text.endsWith('\r\n\r\n')) go();
        return text.includes('hello\n');
      },
    );
    expect(answer).toMatch(/^HTTP\/1.1 101 UPGRADED\r\n/);
  });

  it('C16: lets go of an exec at the detach keys that it was made with', async () => {
    const id = await container();
    const made = await call('POST', `/containers/${id}/exec`, {
      Cmd: ['sh'],
      ...{ AttachStdin: true, AttachStdout: true, Tty: true, DetachKeys: 'ctrl-a' },
    });
    const exec = (made.json as { Id: string }).Id;
    const before = engine.detached.count;
    const body = '{"Tty":true}';
    const answer = await raw(
      `POST /exec/${exec}/start HTTP/1.1\r\nHost: d\r\n${upgradeHeaders}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      () => false,
      'ab\x10\x11stays\x01never',
    );
    expect(answer).toContain('ab\x10\x11stays');
    expect(answer).not.toContain('never');
    expect(engine.detached.count).toBe(before + 1);
    expect((await call('GET', `/exec/${exec}/json`)).json).toMatchObject({ Running: true });
  });

  it('C35: serves any number of streams at once without Node’s warning of a leak', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    const clients = Array.from({ length: 20 }, () => net.connect({ path: socket }));
    for (const client of clients) client.write('GET /events HTTP/1.1\r\nHost: d\r\n\r\n');
    await Promise.all(clients.map((client) => new Promise((resolve) => client.once('data', resolve))));
    for (const client of clients) client.destroy();
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
  });

  it('refuses attaching before it takes the connection', async () => {
    const answer = await raw(
      `POST /containers/nobody/attach?stream=1 HTTP/1.1\r\nHost: d\r\n${upgradeHeaders}\r\n`,
      () => false,
    );
    expect(answer).toMatch(/^HTTP\/1.1 404 Not Found/);
    expect(answer).toContain('{"message":"No such container: nobody"}');
  });

  it('reads the body of an exec from the upgrade and what follows as input', async () => {
    const id = await container();
    const made = await call('POST', `/containers/${id}/exec`, {
      Cmd: ['cat'],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    const exec = (made.json as { Id: string }).Id;
    const body = '{"Detach":false,"Tty":false}';
    const answer = await raw(
      `POST /exec/${exec}/start HTTP/1.1\r\nHost: d\r\n${upgradeHeaders}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}early`,
      () => false,
      'late',
    );
    expect(answer).toMatch(/^HTTP\/1.1 101 UPGRADED/);
    expect(answer).toContain('early');
    expect(answer).toContain('late');
    expect((await call('GET', `/exec/${exec}/json`)).json).toMatchObject({ Running: false, ExitCode: 7 });
  });

  it('reads the body of an exec although it comes apart from the headers and in pieces', async () => {
    const id = await container();
    const made = await call('POST', `/containers/${id}/exec`, {
      Cmd: ['cat'],
      AttachStdin: true,
      AttachStdout: true,
    });
    const exec = (made.json as { Id: string }).Id;
    const body = '{"Detach":false,"Tty":false}';
    const client = net.connect({ path: socket, allowHalfOpen: true });
    let received = '';
    client.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    const pieces = [
      `POST /exec/${exec}/start HTTP/1.1\r\nHost: d\r\n${upgradeHeaders}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
      body.slice(0, 5),
      `${body.slice(5)}early`,
      'late',
    ];
    for (const piece of pieces) {
      client.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    client.end();
    await new Promise((resolve) => client.once('end', resolve));
    expect(received).toMatch(/^HTTP\/1.1 101 UPGRADED/);
    expect(received).toContain('early');
    expect(received).toContain('late');
  });

  it('serves three execs at once without upgrade', async () => {
    const id = await container();
    const answers = await Promise.all(
      [1, 2, 3].map(async () => {
        const made = await call('POST', `/containers/${id}/exec`, { Cmd: ['true'], AttachStdout: true });
        const exec = (made.json as { Id: string }).Id;
        const body = '{"Detach":false,"Tty":true}';
        return raw(
          `POST /exec/${exec}/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
          (text) => text.includes('hello\n'),
        );
      }),
    );
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  it('sends the headers of wait, events, logs and stats before there is anything to say', async () => {
    const id = await container();
    for (const request of [
      `POST /v1.41/containers/${id}/wait?condition=next-exit`,
      'GET /events',
      `GET /containers/${id}/logs?stdout=1&follow=1`,
      `GET /containers/${id}/stats`,
    ]) {
      const answer = await raw(`${request} HTTP/1.1\r\nHost: d\r\n\r\n`, (text) => text.includes('\r\n\r\n'));
      expect(answer).toMatch(/^HTTP\/1.1 200 OK/);
    }
  });

  it('writes logs with times of one width, in frames unless there is a terminal', async () => {
    const id = await container();
    const framed = await call('GET', `/containers/${id}/logs?stdout=true&stderr=1&timestamps=True`);
    expect(framed.headers['content-type']).toBe('application/vnd.docker.multiplexed-stream');
    expect(framed.text).toContain('\x01\0\0\0\0\0\0\x232026-01-02T03:04:05.100000000Z out\n');
    expect(framed.text).toContain('\x02\0\0\0\0\0\0\x232026-01-02T03:04:05.200000000Z err\n');
    const tty = await container({ Tty: true });
    expect((await call('GET', `/containers/${tty}/logs?stdout=1&stderr=0`)).text).toBe('out\n');
    expect(message(await call('GET', `/containers/${id}/logs`))).toBe(
      "must specify at least one of 'stdout' or 'stderr'",
    );
  });

  it('tells past events with their nanoseconds intact, filtered', async () => {
    const id = await container();
    const until = Math.floor(Date.now() / 1000) + 1;
    const filters = encodeURIComponent(JSON.stringify({ container: [id], event: { start: true } }));
    const answer = await call('GET', `/v1.41/events?since=1&until=${until}&filters=${filters}`);
    const lines = answer.text.trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      status: 'start',
      id,
      from: 'busybox',
      Type: 'container',
    });
    expect(lines[0]).toMatch(/"timeNano":\d{19}}$/);
  });

  it('reports a failed pull as a status before the first line, in the stream after it', async () => {
    const missing = await call('POST', '/images/create?fromImage=missing');
    expect([missing.status, message(missing)]).toEqual([404, 'pull access denied for missing']);
    const broken = await call('POST', '/images/create?fromImage=broken&tag=1');
    expect(broken.status).toBe(200);
    expect(
      broken.text
        .trim()
        .split('\r\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { status: 'Pulling from broken:1' },
      { errorDetail: { message: 'manifest unknown' }, error: 'manifest unknown' },
    ]);
  });
});

describe('dockerode', () => {
  const docker = new Docker({ socketPath: socket });

  it('lists, creates, inspects, connects and removes', async () => {
    const network = await docker.createNetwork({ Name: 'ode', Internal: true, Labels: { by: 'dockerode' } });
    const made = await docker.createContainer({
      Image: 'busybox',
      name: 'ode1',
      HostConfig: { NetworkMode: 'ode' },
    });
    await made.start();
    const inspected = await made.inspect();
    expect(inspected.Name).toBe('/ode1');
    expect(Object.keys(inspected.NetworkSettings.Networks)).toEqual(['ode']);
    const listed = await docker.listContainers({ filters: { name: ['^/ode1$'] } });
    expect(listed.map(({ Names }) => Names)).toEqual([['/ode1']]);
    expect(
      (await docker.listNetworks({ filters: { label: ['by=dockerode'] } })).map(({ Name }) => Name),
    ).toEqual(['ode']);
    await made.remove({ force: true });
    await network.remove();
    await expect(network.inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it('runs an exec over a hijacked connection and reads its exit code', async () => {
    const made = await docker.createContainer({ Image: 'busybox' });
    await made.start();
    const exec = await made.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    let received = '';
    stream.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    stream.end('over and out');
    await new Promise((resolve) => stream.on('end', resolve));
    expect(received).toContain('over and out');
    expect((await exec.inspect()).ExitCode).toBe(7);
  });
});
