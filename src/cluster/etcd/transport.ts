/**
 * HTTP to etcd's JSON gateway: one exchange, or a stream of lines. Bounded in time and size; throws EtcdError and nothing else.
 * Invariant: `sent` of a failure is false only where etcd cannot have seen the request.
 */
import {
  Agent,
  type ClientRequest,
  request as http,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as https, Agent as TlsAgent } from 'node:https';
import type { ClientTls, Endpoint } from './contract.js';
import { EtcdError, refusal, unavailable } from './failure.js';

export interface Limits {
  /** milliseconds until a connection is there */
  readonly connectMs: number;
  /** milliseconds from the first byte sent to the last received */
  readonly answerMs: number;
  /** bytes of an answer, or of one line of a stream */
  readonly answerBytes: number;
  /** milliseconds of silence on a stream after which its path is tried; 10 s later one that is dead has ended */
  readonly quietMs: number;
}

/**
 * A healthy member answers in milliseconds and one that was just elected in seconds. An answer of 4 MiB holds any single value
 * (etcd takes 1.5 MiB), and is read in some 20 ms.
 */
export const LIMITS: Limits = {
  connectMs: 2_000,
  answerMs: 5_000,
  answerBytes: 4 * 1_048_576,
  quietMs: 10_000,
};

/** More requests at once wait for one of these connections. */
const MOST_CONNECTIONS = 32;

export interface Call {
  /** below `/v3/` */
  readonly path: string;
  readonly body: object;
  /** refused at once where the member knows no leader, instead of being waited for */
  readonly needsLeader: boolean;
}

export interface Transport {
  /** The answer's JSON. */
  exchange(call: Call, limits: Limits): Promise<unknown>;
  /** The answer's lines as JSON, until it ends. */
  lines(call: Call, limits: Limits, signal: AbortSignal): AsyncGenerator<unknown>;
  close(): void;
}

const textOf = (endpoint: Endpoint): string =>
  endpoint.kind === 'unix' ? endpoint.path : `${endpoint.host}:${endpoint.port}`;

const placeOf = (endpoint: Endpoint): RequestOptions =>
  endpoint.kind === 'unix' ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port };

const filesOf = ({
  trust,
  certificate,
  key,
}: ClientTls): { readonly ca?: string; readonly cert?: string; readonly key?: string } => ({
  ...(trust === undefined ? {} : { ca: trust }),
  ...(certificate === undefined ? {} : { cert: certificate }),
  ...(key === undefined ? {} : { key }),
});

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** gRPC's metadata goes through the gateway under this prefix; etcd then answers `no leader` instead of waiting for one. */
const NEEDS_LEADER = { 'Grpc-Metadata-hasleader': 'true' } as const;

interface Opened {
  readonly answer: IncomingMessage;
  readonly request: ClientRequest;
}

export const createTransport = (endpoint: Endpoint, tls: ClientTls | undefined): Transport => {
  const pool = tls
    ? new TlsAgent({ keepAlive: true, maxSockets: MOST_CONNECTIONS, ...filesOf(tls) })
    : new Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS });
  const where = textOf(endpoint);

  /** Resolves when the head of the answer is there. `alone`: by a connection of its own, which ends by the signal. */
  const open = (
    { path, body, needsLeader }: Call,
    limits: Limits,
    alone?: { readonly signal: AbortSignal },
  ): Promise<Opened> =>
    new Promise((resolve, reject) => {
      const text = JSON.stringify(body);
      let connected = false;
      const options = {
        ...placeOf(endpoint),
        ...(alone ? { ...(tls ? filesOf(tls) : {}), agent: false as const, ...alone } : { agent: pool }),
        method: 'POST',
        path: `/v3/${path}`,
        headers: {
          ...(endpoint.kind === 'unix' ? { Host: 'localhost' } : {}),
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(text),
          ...(needsLeader ? NEEDS_LEADER : {}),
        },
      };
      const request = (tls ? https : http)(options);
      const fail = (why: string, cause?: unknown): void => {
        clearTimeout(late);
        clearTimeout(unconnected);
        reject(unavailable(`etcd at ${where}: ${why}`, connected, cause));
        request.destroy();
      };
      let unconnected: NodeJS.Timeout | undefined; // not before it has its turn among the pool's connections
      const late = setTimeout(() => fail(`no answer within ${limits.answerMs / 1000} s`), limits.answerMs);
      const onConnected = (): void => {
        connected = true;
        clearTimeout(unconnected);
      };
      request.on('error', (error) => fail(error.message, error));
      request.once('socket', (socket) => {
        if (!socket.connecting) return onConnected();
        unconnected = setTimeout(() => fail('takes no connection'), limits.connectMs);
        socket.once(tls ? 'secureConnect' : 'connect', onConnected);
        // A firewall that forgets a silent connection tells nobody.
        if (alone) socket.once('connect', () => socket.setKeepAlive(true, limits.quietMs));
      });
      request.once('response', (answer) => {
        clearTimeout(late);
        answer.on('error', () => {}); // told by its iteration
        resolve({ answer, request });
      });
      request.end(text);
    });

  const collect = async ({ answer, request }: Opened, limits: Limits): Promise<string> => {
    const late = setTimeout(() => request.destroy(), limits.answerMs);
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        size += chunk.length;
        if (size > limits.answerBytes)
          throw new EtcdError({ kind: 'too-large' }, `etcd at ${where}: its answer is too long`);
      }
      return Buffer.concat(chunks).toString('utf8');
    } catch (error) {
      request.destroy();
      throw error instanceof EtcdError
        ? error
        : unavailable(`etcd at ${where}: broke off its answer`, true, error);
    } finally {
      clearTimeout(late);
    }
  };

  const exchange = async (call: Call, limits: Limits): Promise<unknown> => {
    const opened = await open(call, limits);
    const value = parsed(await collect(opened, limits));
    if (opened.answer.statusCode !== 200) throw refusal(value, call.path);
    if (value === undefined) throw unavailable(`etcd at ${where}: answered what is not JSON`, true);
    return value;
  };

  async function* lines(call: Call, limits: Limits, signal: AbortSignal): AsyncGenerator<unknown> {
    if (signal.aborted) return;
    let request: ClientRequest | undefined;
    try {
      const opened = await open(call, limits, { signal });
      request = opened.request;
      const { answer } = opened;
      if (answer.statusCode !== 200) throw refusal(parsed(await collect(opened, limits)), call.path);
      for await (const line of splitLines(answer as AsyncIterable<Buffer>, limits.answerBytes)) {
        const value = parsed(line);
        if (value === undefined) throw unavailable(`etcd at ${where}: said what is not JSON`, true);
        yield value;
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof EtcdError ? error : unavailable(`etcd at ${where}: hung up`, true, error);
    } finally {
      request?.destroy();
    }
  }

  return { exchange, lines, close: () => pool.destroy() };
};

const NEWLINE = 0x0a;

/** Lines without their ends, the last one also where it has none. */
export async function* splitLines(chunks: AsyncIterable<Buffer>, longest: number): AsyncGenerator<string> {
  let pending: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let rest = chunk;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield Buffer.concat([...pending, rest.subarray(0, end)]).toString('utf8');
      [pending, size] = [[], 0];
      rest = rest.subarray(end + 1);
    }
    pending.push(rest);
    size += rest.length;
    if (size > longest) throw new EtcdError({ kind: 'too-large' }, 'etcd: a line of its answer is too long');
  }
  const last = Buffer.concat(pending).toString('utf8');
  if (last !== '') yield last;
}
