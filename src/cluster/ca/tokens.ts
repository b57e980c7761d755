/** Join tokens and unlock keys in Docker's form, as people copy them from one machine to another. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { invalid } from '../../errors.js';
import { parseAll } from './certificate.js';
import type { JoinToken } from './contract.js';

/** Numbers in base 36 of always the same length: the longest that so many bytes need. */
const DIGITS = { digest: 50, secret: 25 } as const;
const BYTES = { digest: 32, secret: 16 } as const;

const toBase36 = (hex: string, part: keyof typeof DIGITS): string =>
  BigInt(`0x${hex}`).toString(36).padStart(DIGITS[part], '0');

const fromBase36 = (text: string, part: keyof typeof DIGITS): string => {
  let value = 0n;
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  const hex = value.toString(16).padStart(2 * BYTES[part], '0');
  if (hex.length > 2 * BYTES[part]) throw invalid('invalid join token');
  return hex;
};

export const formatToken = ({ digest, secret }: JoinToken): string =>
  `SWMTKN-1-${toBase36(digest, 'digest')}-${toBase36(secret, 'secret')}`;

const TOKEN = /^SWMTKN-1-([0-9a-z]{50})-([0-9a-z]{25})$/;

/** Throws invalid, in moby's words. */
export const parseToken = (text: string): JoinToken => {
  const [, digest, secret] = TOKEN.exec(text.trim()) ?? [];
  if (!digest || !secret) throw invalid('invalid join token');
  return { digest: fromBase36(digest, 'digest'), secret: fromBase36(secret, 'secret') };
};

/** Of all authorities in a PEM text, however it is broken into lines. Throws invalid. */
export const trustDigest = (trust: string): string => {
  const hash = createHash('sha256');
  for (const certificate of parseAll(trust)) hash.update(certificate.toString());
  return hash.digest('hex');
};

export const newSecret = (): string => randomBytes(BYTES.secret).toString('hex');

/** In the same time wherever they differ. */
export const sameSecret = (a: string, b: string): boolean => {
  const [left, right] = [a, b].map((each) => createHash('sha256').update(each).digest());
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
};

/** 32 bytes for `seal`. */
export const newUnlockKey = (): Buffer => randomBytes(32);

/** Base 64 without its padding, as Docker writes it. */
export const formatUnlockKey = (key: Buffer): string =>
  `SWMKEY-1-${key.toString('base64').replace(/=+$/, '')}`;

const UNLOCK_KEY = /^SWMKEY-1-([A-Za-z0-9+/]{43})=?$/;

/** Throws invalid, in moby's words. */
export const parseUnlockKey = (text: string): Buffer => {
  const [, digits] = UNLOCK_KEY.exec(text.trim()) ?? [];
  if (!digits) throw invalid('invalid key string');
  return Buffer.from(digits, 'base64');
};
