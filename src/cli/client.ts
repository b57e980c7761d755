/** Asks the daemon as any client of Docker does: HTTP over the unix socket or TCP that DOCKER_HOST names. */
import { request } from 'node:http';
import * as z from 'zod';
import { attempt, unavailable, ViaductError } from '../errors.js';

export const DEFAULT_HOST = 'unix:///var/run/docker.sock';

/** Answers the JSON of a GET; throws unavailable where nobody listens, internal where the daemon refuses. */
export type Get = (path: string) => Promise<unknown>;

interface Place {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
}

const placeOf = (dockerHost: string): Place => {
  if (dockerHost.startsWith('unix://')) return { socketPath: dockerHost.slice('unix://'.length) };
  const url = URL.canParse(dockerHost) ? new URL(dockerHost) : undefined;
  if (url?.protocol !== 'tcp:') {
    throw new ViaductError(
      'invalid',
      `DOCKER_HOST=${dockerHost} is neither unix:///path nor tcp://host:port`,
    );
  }
  return { host: url.hostname, port: Number(url.port || 2375) };
};

const refusedBy = (dockerHost: string, cause: unknown): ViaductError =>
  unavailable(
    `no daemon answers on ${dockerHost}: start it with \`npm start\` or bin/viaductd, or point DOCKER_HOST to it`,
    cause,
  );

/** Docker's errors are JSON with a message. */
const told = (text: string): string =>
  attempt(() => z.object({ message: z.string() }).parse(JSON.parse(text)).message) ?? text.slice(0, 500);

const TIME_LIMIT_MS = 30_000;

export const clientOf = (dockerHost: string): Get => {
  const place = placeOf(dockerHost);
  return (path) =>
    new Promise((resolve, reject) => {
      const call = request(
        { ...place, path, headers: { host: 'docker' }, timeout: TIME_LIMIT_MS },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            if (answer.statusCode === 404) return reject(new ViaductError('not-found', told(text)));
            if (answer.statusCode !== 200) {
              reject(new ViaductError('internal', `GET ${path}: ${answer.statusCode} ${text.slice(0, 500)}`));
              return;
            }
            try {
              resolve(JSON.parse(text));
            } catch (cause) {
              reject(new ViaductError('internal', `GET ${path}: the answer is no JSON`, { cause }));
            }
          });
        },
      );
      call.on('timeout', () => call.destroy(new Error(`no answer within ${TIME_LIMIT_MS / 1000} s`)));
      call.on('error', (cause) => reject(refusedBy(dockerHost, cause)));
      call.end();
    });
};
