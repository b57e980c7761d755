/**
 * Framing of JSON-RPC 1.0 as OVSDB speaks it (RFC 7047, 4): JSON objects one after the other on a stream, with nothing
 * between them but white space. Pure. Invariant: whatever the pieces in which bytes arrive, the same texts come out.
 */
import { unavailable } from '../errors.js';
import { isRecord } from './values.js';

/** The largest message taken: a database of ten thousand ports is some 10 MB. */
const LARGEST = 64 << 20;
const BYTE = { quote: 0x22, backslash: 0x5c, open: 0x7b, close: 0x7d } as const;
const WHITE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

export class JsonSplitter {
  #kept: Buffer = Buffer.alloc(0);
  /** bytes of `#kept` that were looked at */
  #seen = 0;
  #depth = 0;
  #inText = false;
  #escaped = false;

  /** The objects that these bytes complete, as texts. Throws unavailable for what is no JSON object. */
  push(bytes: Buffer): string[] {
    this.#kept = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    const found: string[] = [];
    for (let end = this.#next(); end >= 0; end = this.#next()) {
      found.push(this.#kept.toString('utf8', 0, end));
      this.#kept = this.#kept.subarray(end);
      this.#seen = 0;
    }
    if (this.#kept.length > LARGEST) throw unavailable('Open vSwitch sent a message beyond all bounds');
    return found;
  }

  /** Where the first object ends; -1: not yet. */
  #next(): number {
    for (; this.#seen < this.#kept.length; this.#seen += 1) {
      if (this.#ends(this.#kept[this.#seen] ?? 0)) {
        this.#seen += 1;
        return this.#seen;
      }
    }
    return -1;
  }

  #ends(byte: number): boolean {
    if (this.#inText) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BYTE.backslash) this.#escaped = true;
      else if (byte === BYTE.quote) this.#inText = false;
      return false;
    }
    if (byte === BYTE.quote) this.#inText = true;
    else if (byte === BYTE.open) this.#depth += 1;
    else if (byte === BYTE.close) {
      this.#depth -= 1;
      return this.#depth === 0;
    }
    if (this.#depth <= 0 && !WHITE.has(byte)) throw unavailable('Open vSwitch sent what is no JSON-RPC');
    return false;
  }
}

export const request = (id: number, method: string, params: readonly unknown[]): Buffer =>
  Buffer.from(JSON.stringify({ id, method, params }));

/** A server asks from time to time whether its client lives; it gets its own words back. */
export const echoReply = (id: unknown, params: unknown): Buffer =>
  Buffer.from(JSON.stringify({ id, result: params, error: null }));

export interface Message {
  readonly id: unknown;
  /** of a request or notification; absent in an answer */
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Throws unavailable for a text that is no message. */
export const parseMessage = (text: string): Message => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unavailable('Open vSwitch sent what is no JSON-RPC', cause);
  }
  if (!isRecord(value)) throw unavailable('Open vSwitch sent what is no JSON-RPC');
  const { id, method, params, result, error } = value;
  return { id, ...(typeof method === 'string' ? { method } : {}), params, result, error };
};
