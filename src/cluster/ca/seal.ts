/**
 * Texts sealed by a key of 32 bytes (AES-256-GCM): nobody without it reads them, and nobody changes them or puts them in
 * another's place, as the place is sealed with them. The nonce is drawn by chance: one key serves for four thousand million texts.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const [NONCE, TAG] = [12, 16];
const FORM = '1.';

/** `place`: where it will lie, such as its key in etcd. */
export const seal = (key: Buffer, plain: string, place: string): string => {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place));
  const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
  return FORM + Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64');
};

/** Undefined: by another key, for another place, or damaged. */
export const unseal = (key: Buffer, sealed: string, place: string): string | undefined => {
  if (!sealed.startsWith(FORM)) return undefined;
  const bytes = Buffer.from(sealed.slice(FORM.length), 'base64');
  if (bytes.length < NONCE + TAG) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE))
    .setAAD(Buffer.from(place))
    .setAuthTag(bytes.subarray(-TAG));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
};
