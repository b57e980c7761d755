/** What `repository@sha256:…` is known of which image: learned by pulls and pushes, kept in one small file, replaced whole. */
import { replaceFile, textIfThere } from '../small-files.js';
import type { Storage } from './storage.js';

/** `registry/name@sha256:…` → image id; ours, since containers-storage does not tell pulled digests from computed ones. */
export type Digests = Readonly<Record<string, string>>;

export const readDigests = ({ digests }: Storage): Digests =>
  JSON.parse(textIfThere(digests) ?? '{}') as Digests; // written below

const write = (storage: Storage, digests: Digests): void =>
  replaceFile(storage.digests, JSON.stringify(digests));

export const learnDigest = (storage: Storage, name: string, imageId: string): void =>
  write(storage, { ...readDigests(storage), [name]: imageId });

export const forgetDigests = (storage: Storage, names: readonly string[]): void => {
  if (names.length === 0) return;
  const kept = Object.entries(readDigests(storage)).filter(([name]) => !names.includes(name));
  write(storage, Object.fromEntries(kept));
};
