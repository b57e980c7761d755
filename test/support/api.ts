/** Requests to a daemon's unix socket, for what the `docker` client would never send. */
import { request } from 'node:http';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** the body as JSON; undefined where it is none */
  readonly json: unknown;
}

export type Api = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer>;

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** `body`: a string goes as it is, anything else as JSON. */
export const apiOf =
  (socketPath: string): Api =>
  (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const type = sent === undefined ? {} : { 'content-type': 'application/json' };
      const call = request(
        { socketPath, method, path, headers: { host: 'docker', ...type, ...headers }, timeout: 30_000 },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json: parsed(text) });
          });
        },
      );
      call.on('error', reject);
      call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer within 30 s`)));
      call.end(sent);
    });
