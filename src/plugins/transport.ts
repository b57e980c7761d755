/**
 * One HTTP exchange with a plugin: POST, a connection of its own, bounded in time and size. A plugin is a peer like any
 * other: it may answer slowly, endlessly or not at all.
 */
import { type ClientRequest, request as http, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as https } from 'node:https';
import type { Location } from './discovery.js';

export interface Limits {
  /** milliseconds from the first byte sent to the last received */
  readonly answerMs: number;
  /** milliseconds for which a plugin that takes no connection is tried again */
  readonly retryMs: number;
  /** the first pause between two tries; each is twice the one before */
  readonly firstPauseMs: number;
  /** bytes of an answer's body */
  readonly answerBytes: number;
}

/** Docker's own: tries for 30 s after 1, 2, 4… s. No answer is nearly as long as a mebibyte. */
export const LIMITS: Limits = {
  answerMs: 30_000,
  retryMs: 30_000,
  firstPauseMs: 1_000,
  answerBytes: 1_048_576,
};

/** Sent by moby; the first is what its documentation says, the second what it does. */
const MIME = {
  sent: 'application/vnd.docker.plugins.v1.1+json',
  accepted: 'application/vnd.docker.plugins.v1.2+json',
};
/** moby's Host header where the address names none. */
const NO_HOST = 'plugin.moby.localhost';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** The exchange failed. `connected` false: the plugin has seen nothing of it, so it may be tried again. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  constructor(
    message: string,
    readonly connected: boolean,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

const optionsOf = (location: Location, method: string, body: string): RequestOptions => ({
  ...(location.kind === 'unix'
    ? { socketPath: location.path }
    : { host: location.host, port: location.port }),
  method: 'POST',
  path: `/${method}`,
  agent: false,
  headers: {
    Accept: MIME.accepted,
    'Content-Type': MIME.sent,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
    ...(location.kind === 'unix' ? { Host: NO_HOST } : {}),
  },
});

const open = (
  location: Location,
  method: string,
  body: string,
  failed: (error: Error) => void,
): ClientRequest => {
  const options = optionsOf(location, method, body);
  const tls = location.kind === 'tcp' ? location.tls : undefined;
  if (!tls) return http(options).on('error', failed);
  const { verify, ...files } = tls;
  return https({ ...options, ...files, rejectUnauthorized: verify }).on('error', failed);
};

const collect = (answer: IncomingMessage, most: number, fail: (why: string) => void): Promise<string> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    answer.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > most) fail(`its answer is longer than ${most} bytes`);
      else chunks.push(chunk);
    });
    answer.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    answer.on('error', (error) => fail(error.message));
    answer.once('aborted', () => fail('it hung up in the middle of its answer'));
  });

/** Throws TransportError and nothing else. */
export const post = (location: Location, method: string, body: string, limits: Limits): Promise<Answer> =>
  new Promise((resolve, reject) => {
    let connected = false;
    const fail = (why: string, cause?: unknown): void => {
      clearTimeout(timer);
      reject(new TransportError(why, connected, { cause }));
      request.destroy();
    };
    const request = open(location, method, body, (error) => fail(error.message, error));
    const timer = setTimeout(() => fail(`no answer within ${limits.answerMs / 1000} s`), limits.answerMs);
    request.once('socket', (socket) => {
      socket.once('connect', () => {
        connected = true;
      });
    });
    request.once('response', (answer) => {
      void collect(answer, limits.answerBytes, fail).then((text) => {
        clearTimeout(timer);
        resolve({ status: answer.statusCode ?? 0, body: text });
      });
    });
    request.end(body);
  });
