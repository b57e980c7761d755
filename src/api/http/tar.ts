/** Answers that are tar archives of a container's or an image's files, streamed to the client. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Exchange } from './exchange.js';

/** Sends a tar; a failure on the way breaks the connection, so that nobody takes half of it for the whole. */
export const sendTar = async (
  exchange: Exchange,
  tar: Readable,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> => {
  exchange.gone.addEventListener('abort', () => tar.destroy(), { once: true });
  exchange.response.writeHead(200, { ...headers, 'Content-Type': 'application/x-tar' });
  try {
    await pipeline(tar, exchange.response);
  } catch (failure) {
    exchange.logger.warn({ err: failure, url: exchange.request.url }, 'a stream of files was cut off');
    exchange.response.destroy();
  }
};
