/**
 * Calls of one plugin: tries again while nobody takes the connection, and turns what comes back into data or an error in
 * moby's words. Invariant: what a plugin sent reaches a message only short and printable.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type * as z from 'zod';
import { attempt, internal, unavailable, ViaductError } from '../errors.js';
import { shown } from '../model/address.js';
import { type Location, locationText } from './discovery.js';
import { type Answer, type Limits, post, TransportError } from './transport.js';

/** The plugin answered with a status that is not 200. */
export class StatusError extends ViaductError {
  override readonly name = 'StatusError';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super('internal', message);
  }
}

export interface Client {
  /** Throws unavailable, internal (`remote: …` where the plugin named an error) or StatusError. */
  call<T>(method: string, body: object | undefined, schema: z.ZodType<T>): Promise<T>;
  /** The same, once: a plugin that takes no connection is `unavailable` at once. */
  once<T>(method: string, body: object | undefined, schema: z.ZodType<T>): Promise<T>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `Err` of network drivers, `Error` of IPAM drivers; Go reads names in any case. */
const errorIn = (value: unknown): string => {
  if (!isRecord(value)) return '';
  const found = Object.entries(value).find(
    ([key, text]) => ['err', 'error'].includes(key.toLowerCase()) && typeof text === 'string' && text !== '',
  );
  return typeof found?.[1] === 'string' ? found[1] : '';
};

const parsed = (text: string): unknown => attempt(() => JSON.parse(text));

const LONGEST_MESSAGE = 1_000;
/** An error's text as the plugin wrote it, on one line, without control characters. */
const printable = (text: string): string =>
  text
    .slice(0, LONGEST_MESSAGE)
    .replace(/[^\x21-\x7e]+/g, ' ')
    .trim();

const read = <T>(name: string, method: string, { status, body }: Answer, schema: z.ZodType<T>): T => {
  const value = parsed(body);
  const error = errorIn(value);
  if (status !== 200) throw new StatusError(status, `${method}: ${printable(error || body)}`);
  if (error !== '') throw internal(`remote: ${printable(error)}`);
  if (value === undefined)
    throw internal(`plugin "${name}" answered ${method} with what is not JSON: ${shown(body)}`);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw internal(
    `plugin "${name}" answered ${method} wrongly: ${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`,
    result.error,
  );
};

export const createClient = (name: string, location: Location, limits: Limits): Client => {
  const failure = (method: string, error: TransportError): ViaductError =>
    unavailable(
      `plugin "${name}" at ${locationText(location)} ${error.connected ? `failed ${method}` : 'cannot be reached'}: ${error.message}`,
      error,
    );

  const once = async <T>(method: string, body: object | undefined, schema: z.ZodType<T>): Promise<T> => {
    try {
      const text = body === undefined ? '' : JSON.stringify(body);
      return read(name, method, await post(location, method, text, limits), schema);
    } catch (error) {
      throw error instanceof TransportError ? failure(method, error) : error;
    }
  };

  const call = async <T>(method: string, body: object | undefined, schema: z.ZodType<T>): Promise<T> => {
    const begun = performance.now();
    for (let pause = limits.firstPauseMs; ; pause *= 2) {
      try {
        return await once(method, body, schema);
      } catch (error) {
        const unseen =
          error instanceof ViaductError && error.cause instanceof TransportError && !error.cause.connected;
        if (!unseen || performance.now() - begun + pause >= limits.retryMs) throw error;
      }
      await sleep(pause);
    }
  };
  return { call, once };
};
