/**
 * Requests that Node's HTTP server refuses by itself with an empty answer get Docker's: `{"message": …}`. Headers
 * that are too large, bytes that are no HTTP, an expectation that nobody can meet.
 */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

interface Refusal {
  readonly status: number;
  readonly message: string;
}

const NOT_HTTP: Refusal = { status: 400, message: 'malformed HTTP request' };

/** By the code of Node's error. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: 'the request headers are larger than 16 KiB' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: 413, message: 'the chunk extensions of the body are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'the request headers did not arrive in time' },
};

const body = ({ message }: Refusal): string => `${JSON.stringify({ message })}\n`;

const asBytes = (refusal: Refusal): string =>
  [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body(refusal))}`,
    'Connection: close',
    '',
    body(refusal),
  ].join('\r\n');

/** `release`: ends a connection on which all has been said. */
export const tellRefusals = (server: Server, release: (socket: Duplex) => void): void => {
  const answers = new WeakMap<Duplex, ServerResponse>();
  server.on('request', (request, response) => answers.set(request.socket, response));
  /** The bytes of an answer that has begun are not to be mixed with another's. */
  const answering = (socket: Duplex): boolean => {
    const answer = answers.get(socket);
    return answer?.headersSent === true && !answer.writableFinished;
  };
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Without a parser's or a timer's error the connection itself is broken.
    const spoke = error.code?.startsWith('HPE_') || error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    // What it says after it was refused does not make the refusal any clearer.
    if (spoke && socket.writableEnded) return;
    if (!spoke || answering(socket) || !socket.writable) {
      socket.destroy();
      return;
    }
    socket.write(asBytes(REFUSALS[error.code ?? ''] ?? NOT_HTTP));
    release(socket);
  });
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    const refusal = { status: 417, message: 'only Expect: 100-continue is understood' };
    const headers = { 'Content-Type': 'application/json', Connection: 'close' };
    response.writeHead(refusal.status, { ...headers, 'Content-Length': Buffer.byteLength(body(refusal)) });
    response.end(body(refusal));
  });
};
