/**
 * What the database has of a record: a checksum of key and value, then the value as JSON. And one sum over all of them, so
 * that a record that is missing, or an older one in its place, shows as well as a changed one does.
 */
import { createHash } from 'node:crypto';

/** 16 hexadecimal digits. Against damage, not against a forger. */
export const checksum = (...parts: readonly string[]): string => {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
};

/** As versions without a checksum on each record summed up a line of the tail. */
export const formerChecksum = (text: string): string =>
  createHash('sha1').update(text).digest('hex').slice(0, 16);

/** The key under which the sum over all others lies. */
export const SUM = 'setting/sum';

const SEALED = /^([0-9a-f]{16}) (.*)$/s;

export const seal = (key: string, json: string): string => `${checksum(key, json)} ${json}`;

/** Order does not matter, and taking away is adding again. */
export const sumOf = (seals: Iterable<string>): bigint => {
  let sum = 0n;
  for (const sealed of seals) sum ^= BigInt(`0x${sealed.slice(0, 16)}`);
  return sum;
};

export interface Values {
  /** JSON by key, without the sum */
  readonly values: ReadonlyMap<string, string>;
  /** written by a version that knew no checksums */
  readonly unsealed: boolean;
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** What was sealed under the key. Throws a sentence about what is wrong. */
export const opened = (key: string, text: string): string => {
  const [, sum, json = ''] = SEALED.exec(text) ?? [];
  if (sum !== checksum(key, json))
    throw new Error(`the record ${JSON.stringify(key)} is not as it was written`);
  return json;
};

/** Of a database's entries; a string says what is wrong with them. */
export const unseal = (entries: readonly (readonly [string, string])[]): Values | string => {
  const unsealed = entries.every(([, text]) => !SEALED.test(text));
  if (unsealed) {
    const damaged = entries.find(([, text]) => !isJson(text));
    return damaged
      ? `the record ${JSON.stringify(damaged[0])} cannot be read`
      : { values: new Map(entries), unsealed };
  }
  try {
    const values = new Map(entries.map(([key, text]) => [key, opened(key, text)]));
    const sum = BigInt(`0x${values.get(SUM) ?? '0'}`);
    values.delete(SUM);
    const seals = entries.flatMap(([key, text]) => (key === SUM ? [] : [text]));
    return sumOf(seals) === sum ? { values, unsealed } : 'a record is missing, or older than the others';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};
