/**
 * What the resolver knows by itself: names, addresses and services of the sandbox's networks. Pure look-ups; undefined
 * means that others must be asked.
 */
import { addressBytes } from '../model/address-bytes.js';
import type { Names } from './contract.js';
import { type AnswerRecord, CLASS, nameBytes, type Query, setU16, TYPE } from './message.js';
import { reversedAddress } from './reverse.js';

/** Seconds; dockerd's. */
const TTL = 600;

export interface LocalAnswer {
  /** seconds */
  readonly ttl: number;
  readonly answers: readonly AnswerRecord[];
  /** whole records, for the additional section */
  readonly additional: readonly Uint8Array[];
}

/** Encoded addresses are kept, as the same few are asked for again and again. */
const encoded = new Map<string, AnswerRecord>();
const KEPT = 8192;

const addressRecord = (address: string): AnswerRecord | undefined => {
  const kept = encoded.get(address);
  if (kept !== undefined) return kept;
  const data = addressBytes(address);
  if (data === undefined) return undefined;
  const record = { type: data.length === 4 ? TYPE.A : TYPE.AAAA, data };
  if (encoded.size >= KEPT) encoded.clear();
  encoded.set(address, record);
  return record;
};

/** Fisher–Yates: clients take the first address, so each must be first equally often. */
const shuffle = (records: AnswerRecord[]): AnswerRecord[] => {
  for (let i = records.length - 1; i > 0; i -= 1) {
    const j = Math.floor(Math.random() * (i + 1));
    const [a, b] = [records[i], records[j]];
    if (a && b) [records[i], records[j]] = [b, a];
  }
  return records;
};

const addressRecords = (addresses: readonly string[]): AnswerRecord[] => {
  const records: AnswerRecord[] = [];
  for (const address of addresses) {
    const record = addressRecord(address);
    if (record) records.push(record);
  }
  return shuffle(records);
};

const pointer = (names: Names, sandboxId: string, name: string): LocalAnswer | undefined => {
  const address = reversedAddress(name);
  const host = address === undefined ? undefined : names.reverse(sandboxId, address);
  const data = host === undefined ? undefined : nameBytes(host);
  return data && { ttl: TTL, answers: [{ type: TYPE.PTR, data }], additional: [] };
};

const targetRecord = (target: Uint8Array, address: string): Uint8Array | undefined => {
  const record = addressRecord(address);
  if (record === undefined) return undefined;
  const fixed = new Uint8Array(10);
  setU16(fixed, 0, record.type);
  setU16(fixed, 2, CLASS.IN);
  setU16(fixed, 6, TTL);
  setU16(fixed, 8, record.data.length);
  return Buffer.concat([target, fixed, record.data]);
};

/** Priority and weight are 0, as dockerd's are. */
const service = (names: Names, sandboxId: string, name: string): LocalAnswer | undefined => {
  const answers: AnswerRecord[] = [];
  const additional: Uint8Array[] = [];
  for (const offer of names.service?.(sandboxId, name) ?? []) {
    const target = nameBytes(offer.target);
    if (target === undefined) continue;
    const data = new Uint8Array(6 + target.length);
    setU16(data, 4, offer.port);
    data.set(target, 6);
    answers.push({ type: TYPE.SRV, data });
    const glue = targetRecord(target, offer.address);
    if (glue) additional.push(glue);
  }
  return answers.length > 0 ? { ttl: TTL, answers, additional } : undefined;
};

const asked = (
  { ipv4, ipv6 }: NonNullable<ReturnType<Names['resolve']>>,
  type: number,
): readonly string[] => {
  switch (type) {
    case TYPE.A:
      return ipv4;
    case TYPE.AAAA:
      return ipv6;
    case TYPE.ANY:
      return [...ipv4, ...ipv6];
    default:
      return [];
  }
};

/** A name that exists answers every type, most of them with no record (NOERROR): nobody else knows it better. */
export const answerLocally = (names: Names, sandboxId: string, query: Query): LocalAnswer | undefined => {
  if (query.class !== CLASS.IN && query.class !== CLASS.ANY) return undefined;
  if (query.type === TYPE.PTR) {
    const found = pointer(names, sandboxId, query.name);
    if (found) return found;
  }
  if (query.type === TYPE.SRV) {
    const found = service(names, sandboxId, query.name);
    if (found) return found;
  }
  if (query.name === '') return undefined;
  const found = names.resolve(sandboxId, query.name);
  if (found === undefined) return undefined;
  return { ttl: found.ttl ?? TTL, answers: addressRecords(asked(found, query.type)), additional: [] };
};
