/**
 * Taking a connection over for attach and exec: the socket both ways, after 101 where the client said `Upgrade: tcp`, else
 * after 200, as dockerd. A request whose body comes in chunks gets the output alone.
 */
import type { Duplex, Writable } from 'node:stream';
import type { Exchange } from './exchange.js';

export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

export interface Hijacked {
  /** what the client sends; null where it cannot send */
  readonly input: Duplex | null;
  readonly output: Writable;
  /** Whoever took the connection over ends it by this, never by `output.end()`: it does not wait for its client for ever. */
  release(): void;
}

/** `multiplexed`: the stream carries stdout and stderr in frames (said in the content type since API 1.42). */
export const hijack = (exchange: Exchange, multiplexed: boolean): Hijacked => {
  const { upgrade, response } = exchange;
  if (upgrade === undefined) {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
    response.writeHead(200, { 'Content-Type': RAW_STREAM });
    response.flushHeaders();
    return { input: null, output: response, release: () => void response.end() };
  }
  const { socket, release } = upgrade;
  const contentType = multiplexed && exchange.minor >= 42 ? MULTIPLEXED_STREAM : RAW_STREAM;
  // The response was only there for an answer that refuses; from here the socket is ours.
  response.detachSocket(exchange.request.socket);
  socket.write(
    exchange.request.headers.upgrade === undefined
      ? `HTTP/1.1 200 OK\r\nContent-Type: ${RAW_STREAM}\r\nConnection: close\r\n\r\n`
      : `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  const body = Number(exchange.request.headers['content-length'] ?? 0);
  if (upgrade.head.length > body) socket.unshift(upgrade.head.subarray(body));
  return { input: socket, output: socket, release };
};
