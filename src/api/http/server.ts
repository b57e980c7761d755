/**
 * HTTP servers over one router. Every request becomes an Exchange. Hijacking routes take the socket, whatever the client
 * says of upgrading, as dockerd does; every other upgrade (Java's h2c among them) is served as the ordinary request it
 * also is.
 */
import http, { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import type { Swarm } from '../../cluster/contract.js';
import type { Engine } from '../../engine/contract.js';
import { attempt, invalid, unavailable } from '../../errors.js';
import type { Logger } from '../../log.js';
import { type Connections, createConnections, type Limits } from './connections.js';
import type { Exchange, Upgrade } from './exchange.js';
import { tellRefusals } from './refusals.js';
import { sendFailure } from './reply.js';
import type { Match, Router } from './router.js';
import { MAX_API_VERSION, negotiate } from './version.js';

export interface ServerOptions {
  readonly engine: Engine;
  readonly swarm: Swarm;
  readonly logger: Logger;
  readonly release: string;
  readonly router: Router;
  /** aborted when the daemon closes: ends streams that would go on for ever, and in a moment every connection */
  readonly closing: AbortSignal;
  /** of the connections of each listener */
  readonly limits: Limits;
}

export interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  /** clients must show a certificate that the authority signed */
  readonly verify: boolean;
}

/** Clients keep connections for minutes; closing one under them makes their next request fail. */
const KEEP_ALIVE_MS = 10 * 60_000;
/** A header that takes longer is an attack or a dead peer. */
const HEADERS_MS = 30_000;
/** A client that does not get on with TLS is no connection yet: at most as many again, and not for long. */
const HANDSHAKE_MS = 10_000;

export const createServer = (options: ServerOptions, tls: Tls | null): http.Server => {
  // Bodies may be layers of gigabytes: their time is not bounded here (JSON's is, in body.ts).
  const settings = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_MS,
    requestTimeout: 0,
    // We say it ourselves, with a message.
    requireHostHeader: false,
    IncomingMessage: takingOver((request) => hijacking(options, request) !== undefined),
  };
  const connections = createConnections(options.limits);
  const leaving = new Set<() => void>();
  options.closing.addEventListener(
    'abort',
    () => {
      connections.close();
      for (const leave of leaving) leave();
    },
    { once: true },
  );
  const server =
    tls === null
      ? http.createServer(settings)
      : https.createServer({
          ...settings,
          // As plain connections have it: a client that has said everything still wants to hear.
          allowHalfOpen: true,
          cert: tls.cert,
          key: tls.key,
          ...(tls.ca === undefined ? {} : { ca: tls.ca }),
          requestCert: tls.verify,
          rejectUnauthorized: tls.verify,
          minVersion: 'TLSv1.2',
          handshakeTimeout: HANDSHAKE_MS,
        });
  if (tls !== null) {
    server.maxConnections = 2 * options.limits.most;
    server.on('connection', (socket: Duplex) => connections.approach(socket));
  }
  server.on(tls === null ? 'connection' : 'secureConnection', (socket: Duplex) => connections.enter(socket));
  tellRefusals(server, connections.release);
  // accept(2) fails while descriptors are short: the next connection tries again.
  server.on('error', (error) => options.logger.warn({ err: error }, 'a socket of the API failed'));
  server.on('request', (request, response) => {
    connections.began(request.socket);
    response.once('prefinish', () => connections.answered(request.socket, response));
    response.once('close', () => connections.ended(request.socket));
    void serve(options, leaving, request, response);
  });
  server.on('upgrade', (request, socket, head) =>
    upgrade(options, leaving, server, connections, tls !== null, request, socket, head),
  );
  return server;
};

/** `leaving`: what is called for each request that is served, when the daemon closes. */
const serve = async (
  options: ServerOptions,
  leaving: Set<() => void>,
  request: IncomingMessage,
  response: ServerResponse,
  taken?: Upgrade & { readonly match: Match },
): Promise<void> => {
  const url = splitUrl(request);
  const gone = new AbortController();
  // Aborting makes an exception with its stack: only for whoever still waits for something.
  const leave = (): void => {
    if (taken !== undefined || !response.writableFinished) gone.abort();
  };
  // Whoever answers a client that is gone must not end the daemon by it.
  response.on('error', () => response.destroy());
  leaving.add(leave);
  (taken?.socket ?? response).once('close', () => {
    leave();
    leaving.delete(leave);
  });
  setHeaders(options, response);
  const exchange = (match?: Match): Exchange => ({
    engine: options.engine,
    swarm: options.swarm,
    logger: options.logger,
    release: options.release,
    minor: match === undefined ? 0 : negotiate(match.version),
    query: new URLSearchParams(url.query),
    params: match?.params ?? {},
    request,
    response,
    ...(taken === undefined ? {} : { upgrade: taken }),
    // Made when somebody asks for it: few do, and it takes as long as all else of an exchange.
    get gone() {
      return gone.signal;
    },
  });
  try {
    const match = taken?.match ?? options.router.match(request.method ?? '', url.path);
    if (options.closing.aborted) throw unavailable('the daemon is shutting down');
    if (request.headers.host === undefined && request.httpVersion === '1.1')
      throw invalid('missing required Host header');
    const given = exchange(match);
    await match.route.handle(given);
  } catch (failure) {
    // A connection that was taken over has had its answer.
    if (taken !== undefined && response.socket === null) taken.socket.destroy();
    else sendFailure(exchange(), failure);
  } finally {
    // A body nobody wanted must not block the connection's next request.
    if (taken === undefined && !request.complete) request.resume();
    if (taken !== undefined) leaving.delete(leave);
  }
};

const setHeaders = (options: ServerOptions, response: ServerResponse): void => {
  response.setHeader('Api-Version', MAX_API_VERSION);
  response.setHeader('Docker-Experimental', 'false');
  response.setHeader('Ostype', 'linux');
  response.setHeader('Server', `Viaduct/${options.release} (linux)`);
};

const splitUrl = (request: IncomingMessage): { path: string; query: string } => {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  // Some clients send the absolute form, `http://localhost/v1.41/…`.
  return {
    path: path.startsWith('/') ? path : path.replace(/^[a-z]{1,8}:\/\/[^/]{0,300}/i, ''),
    query: mark < 0 ? '' : url.slice(mark + 1),
  };
};

const upgrade = (
  options: ServerOptions,
  leaving: Set<() => void>,
  server: http.Server,
  connections: Connections,
  encrypted: boolean,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void => {
  const match = hijacking(options, request);
  if (match === undefined) {
    handBack(server, encrypted, request, socket, head);
    return;
  }
  connections.began(socket);
  socket.on('error', () => socket.destroy());
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(request.socket);
  const release = (): void => connections.release(socket);
  response.once('prefinish', release);
  void serve(options, leaving, request, response, { match, socket, head, release });
};

/**
 * Requests that make Node let go of the connection although they do not ask for it: it looks at `upgrade` once the headers
 * are there, and hands the socket and all that follows to whoever listens for upgrades.
 */
const takingOver = (wanted: (request: IncomingMessage) => boolean): typeof IncomingMessage =>
  class extends IncomingMessage {
    #asked: unknown = null;
    #wanted: boolean | undefined;
    set upgrade(asked: unknown) {
      // Node's constructor sets it before there is a field to keep it in.
      if (#asked in this) this.#asked = asked;
    }
    get upgrade(): boolean {
      // Node asks twice, and both times the headers are there.
      if (!this.#asked) this.#wanted ??= wanted(this);
      return Boolean(this.#asked) || this.#wanted === true;
    }
  };

const hijacking = (options: ServerOptions, request: IncomingMessage): Match | undefined => {
  const { upgrade: wish, 'transfer-encoding': encoding } = request.headers;
  if (wish !== undefined && wish.toLowerCase() !== 'tcp') return undefined;
  // A chunked body cannot be told from what follows it once Node has let go of the parser.
  if (encoding !== undefined || request.method !== 'POST') return undefined;
  // Where there is none, the ordinary way answers with the error.
  const match = attempt(() => options.router.match(request.method ?? '', splitUrl(request).path));
  return match?.route.hijacks ? match : undefined;
};

const NOT_HANDED_BACK = ['upgrade', 'connection', 'http2-settings'];

/** Puts the request back onto the connection without its wish to upgrade, and lets the server read it anew. */
const handBack = (
  server: http.Server,
  encrypted: boolean,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void => {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? '';
    if (!NOT_HANDED_BACK.includes(name.toLowerCase())) lines.push(`${name}: ${request.rawHeaders[i + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit(encrypted ? 'secureConnection' : 'connection', socket);
};
