/**
 * The generator of API figures: one keep-alive connection to a daemon's unix socket, one request at a time, each timed
 * from the moment it is handed to the socket until its answer has been read to the end.
 */
import { Agent, request } from 'node:http';

export interface Timed {
  readonly status: number;
  readonly json: unknown;
  /** milliseconds */
  readonly ms: number;
}

export interface Client {
  /** `body`: a string is sent as it is (JSON made beforehand), anything else as JSON. Rejects on status 400 and above. */
  call(method: string, path: string, body?: unknown): Promise<Timed>;
  close(): void;
}

const LIMIT_MS = 300_000; // dockerd takes tens of seconds for a range of ports

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

export const createClient = (socketPath: string): Client => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const call = (method: string, path: string, body?: unknown): Promise<Timed> =>
    new Promise((resolve, reject) => {
      const sent = body === undefined || typeof body === 'string' ? (body ?? '') : JSON.stringify(body);
      const headers = {
        host: 'docker',
        'content-length': Buffer.byteLength(sent),
        ...(sent === '' ? {} : { 'content-type': 'application/json' }),
      };
      const begin = performance.now();
      const asked = request({ socketPath, agent, method, path, headers, timeout: LIMIT_MS }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const ms = performance.now() - begin;
          const text = Buffer.concat(chunks).toString();
          const status = answer.statusCode ?? 0;
          if (status >= 400) reject(new Error(`${method} ${path}: ${status} ${text.trim()}`));
          else resolve({ status, json: parsed(text), ms });
        });
      });
      asked.on('error', reject);
      asked.on('timeout', () => asked.destroy(new Error(`${method} ${path}: no answer in ${LIMIT_MS} ms`)));
      asked.end(sent);
    });
  return { call, close: () => agent.destroy() };
};
