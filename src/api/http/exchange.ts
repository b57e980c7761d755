/** One request and its response, as every route sees them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Swarm } from '../../cluster/contract.js';
import type { Engine } from '../../engine/contract.js';
import type { Logger } from '../../log.js';

/** A connection that may be taken over. */
export interface Upgrade {
  readonly socket: Duplex;
  /** what came after the headers */
  readonly head: Buffer;
  /** ends it, once all that there is to say has been written (`connections.ts`) */
  release(): void;
}

export interface Exchange {
  readonly engine: Engine;
  readonly swarm: Swarm;
  readonly logger: Logger;
  /** Viaduct's own version */
  readonly release: string;
  /** minor number of the API version asked for, 24–52 */
  readonly minor: number;
  readonly query: URLSearchParams;
  /** what the route's `:names` matched, decoded */
  readonly params: Readonly<Record<string, string>>;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** present on hijacking routes: the connection, which is theirs to take */
  readonly upgrade?: Upgrade;
  /** aborted when the client is gone or the daemon closes */
  readonly gone: AbortSignal;
}

/** The name or id in the route's path. */
export const nameIn = (exchange: Exchange): string => param(exchange, 'name');

export type Handler = (exchange: Exchange) => void | Promise<void>;

/** A parameter that the route's pattern names. Throws where pattern and handler disagree: a programming error. */
export const param = (exchange: Exchange, name: string): string => {
  const value = exchange.params[name];
  if (value === undefined) throw new Error(`the route has no parameter ${name}`);
  return value;
};
