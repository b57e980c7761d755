/** The Docker Engine API over the engine's contract: listens, answers, and closes without leaving a client hanging. */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Swarm } from '../cluster/contract.js';
import { NO_SWARM } from '../cluster/inactive.js';
import type { Engine } from '../engine/contract.js';
import type { Logger } from '../log.js';
import { LIMITS, type Limits } from './http/connections.js';
import { listenOn } from './http/listen.js';
import { createRouter } from './http/router.js';
import { createServer, type Tls } from './http/server.js';
import { ROUTES } from './routes/index.js';

export interface Api {
  /** Opens every address (`unix://`, `tcp://`, `fd://`); throws when one cannot be had, with none left open. */
  listen(hosts: readonly string[]): Promise<void>;
  /** Refuses new requests, ends streams, gives ordinary requests a moment to finish; resolves when no connection is left. */
  close(): Promise<void>;
}

export const createApi = (
  engine: Engine,
  options: {
    readonly logger: Logger;
    /** this node's part in a cluster; without it there is none */
    readonly swarm?: Swarm;
    readonly release?: string;
    /** others than the usual ones */
    readonly limits?: Partial<Limits>;
  },
): Api => {
  const closing = new AbortController();
  const router = createRouter(ROUTES);
  const servers: Server[] = [];
  const tls = readTls(engine);
  const settings = {
    engine,
    swarm: options.swarm ?? NO_SWARM,
    logger: options.logger,
    release: options.release ?? 'development',
    router,
    closing: closing.signal,
    limits: { ...LIMITS, ...options.limits },
  };
  return {
    async listen(hosts) {
      const opened = await listenOn(hosts, {
        group: engine.config.group,
        server: (encrypted) => createServer(settings, encrypted ? tls : null),
      });
      servers.push(...opened);
      for (const host of hosts) options.logger.info({ host }, 'API listens');
    },
    async close() {
      closing.abort();
      await Promise.all(servers.splice(0).map(closeServer));
    },
  };
};

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
  });

const readTls = (engine: Engine): Tls | null => {
  const { tls } = engine.config;
  if (tls === null) return null;
  return {
    cert: readFileSync(tls.cert),
    key: readFileSync(tls.key),
    ...(tls.ca === '' ? {} : { ca: readFileSync(tls.ca) }),
    verify: tls.verify,
  };
};
