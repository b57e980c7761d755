/**
 * The JSON body of a request, read and refused as moby's httputils does. Bounded in size and time; keys named
 * `__proto__` never reach an object.
 */
import type { Readable } from 'node:stream';
import { invalid, messageOf } from '../../errors.js';
import { nestsDeeper, TOO_DEEP } from '../../nesting.js';
import type { Exchange } from './exchange.js';

/** Ten thousand published ports take about 1 MiB. */
const LARGEST_JSON = 16 * 1024 * 1024;
const SLOWEST_JSON_MS = 60_000;

/** The parsed body, or undefined where there is none (which is not an error). */
export const readJson = async (exchange: Exchange): Promise<unknown> => {
  const { headers } = exchange.request;
  const empty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
  checkContentType(headers['content-type'], empty);
  return empty ? undefined : parse(await readBody(exchange));
};

const checkContentType = (contentType: string | undefined, empty: boolean): void => {
  if (contentType === undefined && empty) return;
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!/^[a-z0-9!#$%&'*+.^_`|~/-]{1,127}$/.test(type)) {
    throw invalid(
      `malformed Content-Type header (${(contentType ?? '').slice(0, 100)}): mime: no media type`,
    );
  }
  if (type !== 'application/json') {
    throw invalid(
      `unsupported Content-Type header (${(contentType ?? '').slice(0, 100)}): must be 'application/json'`,
    );
  }
};

const parse = (body: Buffer): unknown => {
  if (nestsDeeper(body)) throw invalid(`invalid JSON: ${TOO_DEEP}`);
  const text = body.toString('utf8').trim();
  if (text === '') throw invalid('invalid JSON: got EOF while reading request body');
  try {
    // Only a text that may spell the one dangerous key pays for a reviver.
    return text.includes('__proto__') || text.includes('\\u')
      ? JSON.parse(text, dropPrototype)
      : JSON.parse(text);
  } catch (cause) {
    const message = messageOf(cause);
    if (/after JSON/.test(message)) throw invalid('unexpected content after JSON', cause);
    throw invalid(`invalid JSON: ${message.slice(0, 200)}`, cause);
  }
};

const dropPrototype = (key: string, value: unknown): unknown => (key === '__proto__' ? undefined : value);

/** The whole body. Throws invalid when it is too large or too slow. */
const readBody = async (exchange: Exchange): Promise<Buffer> => {
  const declared = Number(exchange.request.headers['content-length'] ?? 0);
  if (declared > LARGEST_JSON) throw tooLarge(exchange);
  const { upgrade } = exchange;
  if (upgrade === undefined) return collect(exchange, exchange.request, Number.POSITIVE_INFINITY, []);
  // Node hands an upgrade's body over unparsed: the first Content-Length bytes of the socket.
  const body = upgrade.head.subarray(0, declared);
  return body.length === declared ? body : collect(exchange, upgrade.socket, declared, [body]);
};

const collect = (exchange: Exchange, source: Readable, wanted: number, chunks: Buffer[]): Promise<Buffer> => {
  let size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return new Promise<Buffer>((resolve, reject) => {
    const settle = (failure?: Error): void => {
      clearTimeout(timer);
      source.off('data', onData).off('end', onEnd).off('error', settle).off('close', onClose);
      if (failure === undefined) resolve(Buffer.concat(chunks));
      else reject(failure);
    };
    const timer = setTimeout(() => {
      exchange.response.shouldKeepAlive = false;
      settle(invalid('the request body did not arrive in time'));
    }, SLOWEST_JSON_MS);
    const onData = (chunk: Buffer): void => {
      const room = wanted - size;
      size += chunk.length;
      if (size > LARGEST_JSON && wanted === Number.POSITIVE_INFINITY) {
        settle(tooLarge(exchange));
        return;
      }
      chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
      if (size < wanted) return;
      source.pause();
      if (chunk.length > room) source.unshift(chunk.subarray(room));
      settle();
    };
    const onEnd = (): void => settle();
    const onClose = (): void => settle(invalid('the request body was cut off'));
    source.on('data', onData).on('end', onEnd).on('error', settle).on('close', onClose);
  });
};

const tooLarge = (exchange: Exchange): Error => {
  exchange.response.shouldKeepAlive = false;
  return invalid(`the request body is larger than ${LARGEST_JSON / 1024 / 1024} MiB`);
};
