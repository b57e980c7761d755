/**
 * This host's key for encrypted networks: made at first use, in a file that only root reads, and never told. Others are told its public
 * half.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { replaceFile, textIfThere } from '../small-files.js';

export interface TunnelKey {
  /** 32 bytes in base64, as `wg` writes it. Throws what keeps the file from being read or written. */
  publicKey(): string;
  /** 32 bytes */
  privateKey(): Buffer;
}

/** PKCS #8 in front of the 32 bytes of an X25519 key (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const KEY_BYTES = 32;

const bytesOf = (key: KeyObject): Buffer =>
  key.export({ type: 'pkcs8', format: 'der' }).subarray(PKCS8.length);

const publicOf = (privateKey: Buffer): string => {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8, privateKey]),
    format: 'der',
    type: 'pkcs8',
  });
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('base64');
};

/** `path`: one line as `wg genkey` writes it. Where there is none, as behind a power cut, a new one is made, and others are told. */
export const tunnelKey = (path: string): TunnelKey => {
  let known: { readonly text: string; readonly bytes: Buffer } | undefined;
  const read = (): { readonly text: string; readonly bytes: Buffer } => {
    const kept = Buffer.from(textIfThere(path)?.trim() ?? '', 'base64');
    const isKey = kept.length === KEY_BYTES;
    const bytes = isKey ? kept : bytesOf(generateKeyPairSync('x25519').privateKey);
    if (!isKey) replaceFile(path, `${bytes.toString('base64')}\n`);
    known = { bytes, text: publicOf(bytes) };
    return known;
  };
  return {
    publicKey: () => (known ?? read()).text,
    privateKey: () => (known ?? read()).bytes,
  };
};
