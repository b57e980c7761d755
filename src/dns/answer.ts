/**
 * From the bytes of one message to the bytes of its answer, or to the decision that it must be forwarded. Synchronous;
 * any bytes are taken.
 */
import type { SandboxDns } from '../model/endpoint.js';
import type { Names } from './contract.js';
import { answerLocally } from './local.js';
import { parseQuery, type Query, RCODE, TYPE, writeAnswer, writeRejection } from './message.js';

/** Extended code 16 (RFC 6891): an EDNS version we do not know. */
const BADVERS = 16;

/** `ndots` above 0 in the user's or the host's options: single labels are the client's business, never forwarded. */
const ndotsSet = (dns: SandboxDns | undefined): boolean =>
  dns?.options.some((option) => /^ndots:0*[1-9]\d*$/.test(option)) ?? false;

const bareName = (query: Query): boolean =>
  (query.type === TYPE.A || query.type === TYPE.AAAA) && !query.name.includes('.');

/** An answer without records. */
export const writeEmpty = (message: Uint8Array, query: Query, rcode: number, out: Uint8Array): number =>
  writeAnswer(message, query, rcode, 0, [], [], out, out.length);

/**
 * Bytes of the answer written into `out` (0: stay silent), or the query itself when others must be asked.
 * `overTcp`: the answer may fill `out`; otherwise it keeps to the size the client announced.
 */
export const answer = (
  names: Names,
  sandboxId: string,
  message: Uint8Array,
  end: number,
  out: Uint8Array,
  overTcp: boolean,
): number | Query => {
  const query = parseQuery(message, end);
  if (query === 'ignore') return 0;
  if (typeof query === 'number') return writeRejection(message, query, out);
  if (query.version > 0) return writeEmpty(message, query, BADVERS, out);
  const local = answerLocally(names, sandboxId, query);
  if (local === undefined) {
    const unqualified = bareName(query) && ndotsSet(names.dns(sandboxId));
    return unqualified ? writeEmpty(message, query, RCODE.NOERROR, out) : query;
  }
  const limit = overTcp ? out.length : Math.max(query.udpSize, 512);
  const { ttl, answers, additional } = local;
  return writeAnswer(message, query, RCODE.NOERROR, ttl, answers, additional, out, limit);
};
