/**
 * The first message of a TLS connection (ClientHello), read without answering it: by the protocols it asks for (ALPN) a
 * connection finds its tenant. Pure, total, and bounded whatever bytes come (RFC 8446 4.1.2, RFC 7301).
 */

export type Hello =
  /** at least so many bytes in all are needed to say more */
  | { readonly kind: 'incomplete'; readonly need: number }
  /** in the client's order of preference; none: it asks for no protocol */
  | { readonly kind: 'hello'; readonly protocols: readonly string[] }
  /** it does not speak TLS, or not as anybody does */
  | { readonly kind: 'stranger' };

/** With key shares of all kinds a hello has some 2 kB; it may be split over records, which nobody does into many. */
const LONGEST = 16_384;
const MOST_RECORDS = 8;

const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const [HANDSHAKE, CLIENT_HELLO, ALPN] = [0x16, 1, 16];
/** version and random */
const FIXED = 2 + 32;

const STRANGER = { kind: 'stranger' } as const;
const incomplete = (need: number): Hello => ({ kind: 'incomplete', need });

/** Reads forward in a message that is all there; undefined for what is not in it, from then on. */
const readerOf = (bytes: Buffer) => {
  let at = 0;
  const take = (length: number): Buffer | undefined => {
    if (at + length > bytes.length) {
      at = bytes.length + 1;
      return undefined;
    }
    at += length;
    return bytes.subarray(at - length, at);
  };
  const number = (size: 1 | 2): number | undefined => take(size)?.readUIntBE(0, size);
  /** with its length in so many bytes before it */
  const vector = (size: 1 | 2): Buffer | undefined => {
    const length = number(size);
    return length === undefined ? undefined : take(length);
  };
  return { take, number, vector, done: () => at === bytes.length };
};

/** undefined: not in form */
const protocolsIn = (extension: Buffer): readonly string[] | undefined => {
  const outer = readerOf(extension);
  const list = outer.vector(2);
  if (!list || list.length === 0 || !outer.done()) return undefined;
  const names: string[] = [];
  for (const inner = readerOf(list); !inner.done(); ) {
    const name = inner.vector(1);
    if (!name || name.length === 0) return undefined;
    names.push(name.toString('latin1'));
  }
  return names;
};

const helloIn = (message: Buffer): Hello => {
  const reader = readerOf(message);
  const opening = [reader.take(FIXED), reader.vector(1), reader.vector(2), reader.vector(1)];
  if (opening.includes(undefined)) return STRANGER;
  // Before TLS 1.3 there may be no extensions at all.
  if (reader.done()) return { kind: 'hello', protocols: [] };
  const extensions = reader.vector(2);
  if (!extensions || !reader.done()) return STRANGER;
  let protocols: readonly string[] | undefined;
  for (const each = readerOf(extensions); !each.done(); ) {
    const [type, value] = [each.number(2), each.vector(2)];
    if (type === undefined || !value) return STRANGER;
    if (type !== ALPN) continue;
    const found = protocols ? undefined : protocolsIn(value);
    if (!found) return STRANGER;
    protocols = found;
  }
  return { kind: 'hello', protocols: protocols ?? [] };
};

/** Of all bytes that have come so far. */
export const readHello = (bytes: Buffer): Hello => {
  let message = Buffer.alloc(0);
  let at = 0;
  for (let records = 0; records < MOST_RECORDS; records += 1) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE) return STRANGER;
    if (bytes.length > at + 1 && bytes[at + 1] !== 3) return STRANGER;
    if (bytes.length < at + RECORD_HEADER) return incomplete(at + RECORD_HEADER);
    const length = bytes.readUInt16BE(at + 3);
    const end = at + RECORD_HEADER + length;
    if (length === 0 || end > LONGEST) return STRANGER;
    message = Buffer.concat([message, bytes.subarray(at + RECORD_HEADER, end)]);
    if (message.length > 0 && message[0] !== CLIENT_HELLO) return STRANGER;
    if (message.length >= MESSAGE_HEADER) {
      const whole = MESSAGE_HEADER + message.readUIntBE(1, 3);
      if (whole > LONGEST) return STRANGER;
      if (message.length >= whole) return helloIn(message.subarray(MESSAGE_HEADER, whole));
    }
    if (bytes.length < end) return incomplete(end);
    at = end;
  }
  return STRANGER;
};
