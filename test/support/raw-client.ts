/** Clients of the API as bare sockets: what they send, how slowly they read and how they die is the test's to say. */
import { connect, type Socket } from 'node:net';
import { until } from './run.js';

export interface RawClient {
  readonly socket: Socket;
  /** bytes received so far, header included */
  readonly received: () => number;
  /** the header, once it is there */
  header(): Promise<string>;
  /** everything behind the header, when the other side has closed */
  rest(): Promise<Buffer>;
  /** reads no more from now on */
  sleep(): void;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  /** JSON, or the beginning of a body that is announced as endless */
  readonly body?: object | Buffer;
  readonly upgrade?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

const headOf = ({ method, path, body, upgrade, headers = {} }: RawRequest, length: number): string => {
  const all: Record<string, string> = {
    Host: 'docker',
    ...(upgrade ? { Connection: 'Upgrade', Upgrade: 'tcp' } : {}),
    ...(Buffer.isBuffer(body)
      ? { 'Content-Type': 'application/x-tar', 'Content-Length': String(1 << 30) }
      : body
        ? { 'Content-Type': 'application/json', 'Content-Length': String(length) }
        : {}),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
};

export const rawClient = (socketPath: string, request: RawRequest): RawClient => {
  const chunks: Buffer[] = [];
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  let received = 0;
  let over = false;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    received += chunk.length;
  });
  // How it ends is the test's doing.
  socket.on('error', () => {});
  for (const event of ['end', 'close'])
    socket.on(event, () => {
      over = true;
    });
  const body = Buffer.isBuffer(request.body)
    ? request.body
    : Buffer.from(request.body ? JSON.stringify(request.body) : '');
  socket.write(headOf(request, body.length));
  if (body.length > 0) socket.write(body);
  const all = (): Buffer => Buffer.concat(chunks);
  const split = (): number => all().indexOf('\r\n\r\n');
  return {
    socket,
    received: () => received,
    header: async () => {
      const end = await until('a header', () => split() >= 0 && split());
      return all().toString('latin1', 0, end);
    },
    rest: async () => {
      await until('the end of the stream', () => over, 30_000);
      return all().subarray(split() + 4);
    },
    sleep: () => void socket.pause(),
  };
};

/** Docker's frames taken apart: the bytes of each stream. */
export const unframed = (bytes: Buffer): { readonly out: Buffer; readonly err: Buffer } => {
  const parts: Record<number, Buffer[]> = { 1: [], 2: [] };
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    parts[bytes[at] ?? 0]?.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return { out: Buffer.concat(parts[1] ?? []), err: Buffer.concat(parts[2] ?? []) };
};
