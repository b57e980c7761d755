/** Ways to answer: JSON, nothing, and streams of JSON lines whose headers go out at once. */

import { type Batches, createBatches } from '../../batches.js';
import { BuildError } from '../../engine/build/contract.js';
import { internal } from '../../errors.js';
import type { Answer } from '../schema/answer.js';
import type { Exchange } from './exchange.js';
import { type Method, type Route, route } from './router.js';
import { describeFailure, isFault } from './status.js';

/** What is sent is named where it is sent, as in `sendJson<Answer<'IDResponse'>>(…)`: without a name nothing fits. */
export const sendJson = <T = never>(exchange: Exchange, status: number, value: NoInfer<T>): void => {
  sendText(exchange, status, JSON.stringify(value));
};

/** A value that is JSON already. */
export const sendText = (exchange: Exchange, status: number, json: string): void =>
  sendJsonBytes(exchange, status, Buffer.from(`${json}\n`));

/** The same, encoded, with the newline that ends every answer. */
export const sendJsonBytes = (exchange: Exchange, status: number, body: Buffer): void => {
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length };
  whenWritten(exchange, () => exchange.response.writeHead(status, headers).end(body));
};

export const sendEmpty = (exchange: Exchange, status = 204): void => {
  const headers = status === 204 || status === 304 ? {} : { 'Content-Length': 0 };
  whenWritten(exchange, () => exchange.response.writeHead(status, headers).end());
};

/** A route that does what was asked, and answers with nothing. */
export const does = (
  method: Method,
  path: string,
  work: (exchange: Exchange) => unknown,
  status = 204,
): Route =>
  route(method, path, async (exchange) => {
    await work(exchange);
    sendEmpty(exchange, status);
  });

/** A route that answers with what `work` makes. */
export const answers = <T>(
  method: Method,
  path: string,
  work: (exchange: Exchange) => T | Promise<T>,
  status = 200,
): Route => route(method, path, async (exchange) => sendJson<T>(exchange, status, await work(exchange)));

/** What a client is told is not forgotten: the answer leaves when all that was commanded before it is on the disk. */
const whenWritten = (exchange: Exchange, send: () => void): void => {
  const waiting = exchange.engine.written();
  if (waiting === undefined) send();
  else
    void waiting
      .then(send, (cause: unknown) => refuse(exchange, internal('could not write to the disk', cause)))
      // A handler that failed behind its own answer has answered already.
      .catch(() => exchange.response.destroy());
};

const refuse = (exchange: Exchange, failure: Error): void => {
  exchange.logger.error({ err: failure, url: exchange.request.url }, failure.message);
  const { status, message } = describeFailure(failure);
  exchange.response
    .writeHead(status, { 'Content-Type': 'application/json' })
    .end(JSON.stringify({ message }));
};

const hungUp = ({ gone, request, response }: Exchange): boolean =>
  gone.aborted || response.destroyed || (request.destroyed && !request.complete);

/** Sends `{"message": …}`; where the answer has begun, all that is left is to break it off. */
export const sendFailure = (exchange: Exchange, failure: unknown): void => {
  const { status, message } = describeFailure(failure);
  if (isFault(failure)) {
    // Who hangs up breaks what was under way for it: that is the client's business, not a fault of the daemon's.
    const level = hungUp(exchange) ? 'debug' : 'error';
    exchange.logger[level](
      { err: failure, method: exchange.request.method, url: exchange.request.url },
      message,
    );
  }
  if (exchange.response.headersSent) exchange.response.destroy();
  else if (status === 304) sendEmpty(exchange, 304);
  else sendJson<Answer<'ErrorResponse'>>(exchange, status, { message });
};

/** Opens a streamed answer: the client has the headers before the first byte of the body exists. */
export const openStream = (exchange: Exchange, contentType: string): void => {
  exchange.response.writeHead(200, { 'Content-Type': contentType });
  exchange.response.flushHeaders();
};

/** Resolves when the client can take more, or is gone. */
export const writeChunk = async (exchange: Exchange, chunk: string | Uint8Array): Promise<void> => {
  const { response, gone } = exchange;
  if (gone.aborted || response.destroyed) return;
  response.write(chunk);
  await drained(exchange);
};

/** Resolves when what was written is on its way, or the client is gone; at once where little waits. */
export const drained = async ({ response, gone }: Exchange): Promise<void> => {
  if (!response.writableNeedDrain || gone.aborted) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      response.off('drain', go);
      gone.removeEventListener('abort', go);
      resolve();
    };
    response.once('drain', go);
    gone.addEventListener('abort', go, { once: true });
  });
};

/** Many small pieces for the client, in few writes and at its pace. */
export const batches = (exchange: Exchange): Batches => createBatches((batch) => writeChunk(exchange, batch));

/** Bytes of progress a client may lag behind before it counts as gone: lines cannot wait, and must not fill our memory. */
const MOST_LAG = 64 * 1024 * 1024;

/** Docker's progress stream: JSON lines; a failure before the first line is an ordinary error. */
export const sendProgress = async (
  exchange: Exchange,
  work: (progress: (line: Readonly<Record<string, unknown>>) => void) => Promise<void>,
): Promise<void> => {
  const { response } = exchange;
  const progress = (line: Readonly<Record<string, unknown>>): void => {
    if (!response.headersSent) openStream(exchange, 'application/json');
    if (response.destroyed || response.writableEnded) return;
    response.write(`${JSON.stringify(line)}\r\n`);
    if (response.writableLength > MOST_LAG) response.destroy();
  };
  try {
    await work(progress);
  } catch (failure) {
    if (!response.headersSent) throw failure;
    const { message } = describeFailure(failure);
    // A failed RUN of a build ends the client with the command's own exit code.
    const code = failure instanceof BuildError ? { code: failure.exitCode } : {};
    progress({ errorDetail: { ...code, message }, error: message });
  }
  if (!response.headersSent) openStream(exchange, 'application/json');
  response.end();
};
