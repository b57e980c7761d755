/** Checksums of the lines and records on the disk: against damage, not against a forger. */
import { createHash } from 'node:crypto';

/** 16 hexadecimal digits. */
export const checksum = (...parts: readonly string[]): string => {
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
};

const SEALED = /^([0-9a-f]{16}) (.*)$/s;

export const seal = (key: string, json: string): string => `${checksum(key, json)} ${json}`;

/** What was sealed under the key. Throws a sentence about what is wrong. */
export const opened = (key: string, text: string): string => {
  const [, sum, json = ''] = SEALED.exec(text) ?? [];
  if (sum !== checksum(key, json))
    throw new Error(`the record ${JSON.stringify(key)} is not as it was written`);
  return json;
};
