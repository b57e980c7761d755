/** A plugin that says what a test tells it to: truth, lies, nothing, or for ever. Listens on a unix socket or TCP. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PluginDirectories } from '../../src/plugins/discovery.js';

export interface Call {
  readonly method: string;
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
}

type Reply = object | ((response: ServerResponse) => void);

const CAPABLE: Readonly<Record<string, Reply>> = {
  'Plugin.Activate': { Implements: ['NetworkDriver', 'IpamDriver'] },
  'NetworkDriver.GetCapabilities': { Scope: 'local' },
  'IpamDriver.GetCapabilities': {},
};

export class FakePlugin {
  readonly calls: Call[] = [];
  replies: Record<string, Reply> = { ...CAPABLE };
  readonly #server: Server;

  constructor(tls?: { key: string; cert: string; ca?: string; requestCert?: boolean }) {
    const listener: RequestListener = (request, response) => this.#answer(request, response);
    this.#server = tls ? createTls({ ...tls, rejectUnauthorized: true }, listener) : createServer(listener);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const method = (request.url ?? '').slice(1);
      this.calls.push({ method, body: text === '' ? undefined : JSON.parse(text), headers: request.headers });
      const reply = this.replies[method];
      if (typeof reply === 'function') reply(response);
      else response.writeHead(reply ? 200 : 404).end(JSON.stringify(reply ?? {}));
    });
  }

  bodies = (method: string): unknown[] => this.calls.filter((c) => c.method === method).map((c) => c.body);

  listen(where: string | number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(
        ...((typeof where === 'number' ? [where, '127.0.0.1'] : [where]) as [string]),
        () => {
          const address = this.#server.address() as AddressInfo | string; // listening
          resolve(typeof address === 'string' ? 0 : address.port);
        },
      );
    });
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** Directories of a test's own. */
export const pluginDirectories = () => {
  const base = mkdtempSync(join(tmpdir(), 'vp-'));
  const directories: PluginDirectories = {
    sockets: join(base, 'run'),
    specs: [join(base, 'etc'), join(base, 'lib')],
  };
  for (const path of [directories.sockets, ...directories.specs]) mkdirSync(path);
  return {
    base,
    directories,
    write: (path: string, text: string): void => {
      mkdirSync(join(base, path, '..'), { recursive: true });
      writeFileSync(join(base, path), text);
    },
    remove: (): void => rmSync(base, { recursive: true, force: true }),
  };
};
