/** skopeo and buildah over our storage: the argument vectors, and their complaints made readable. */
import { statfsSync } from 'node:fs';
import { internal, invalid, type ViaductError } from '../errors.js';
import { ChildError, type ChildRequest, runChild } from './child.js';
import type { Storage } from './storage.js';

type Watch = Pick<ChildRequest, 'onLine' | 'signal'>;

const clientOf = ({ client }: Storage): Watch => (client ? { signal: client } : {});

/** skopeo 1.9 takes the registries' file by this flag only, not from the environment. */
const skopeo = (storage: Storage, args: readonly string[], watch: Watch): Promise<Buffer> => {
  const own = [
    '--policy',
    storage.policy,
    '--registries-conf',
    storage.registries,
    '--tmpdir',
    storage.temporary,
  ];
  return runChild({
    command: 'skopeo',
    args: [...own, ...args],
    env: storage.env,
    ...clientOf(storage),
    ...watch,
  });
};

/** Both ends are transport-prefixed (`docker://…`), so neither can be taken for an option. */
export const skopeoCopy = (
  storage: Storage,
  source: string,
  destination: string,
  options: readonly string[] = [],
  watch: Watch = {},
): Promise<Buffer> => skopeo(storage, ['copy', ...options, '--', source, destination], watch);

/** The manifest's (or list's) exact bytes. */
export const skopeoManifest = (
  storage: Storage,
  source: string,
  options: readonly string[],
  watch: Watch,
): Promise<Buffer> => skopeo(storage, ['inspect', '--raw', ...options, '--', source], watch);

/** The configuration of the image at the source, which must be one image and no list. */
export const skopeoConfig = (
  storage: Storage,
  source: string,
  options: readonly string[],
  watch: Watch,
): Promise<Buffer> => skopeo(storage, ['inspect', '--config', '--raw', ...options, '--', source], watch);

export const buildah = (storage: Storage, args: readonly string[], watch: Watch = {}): Promise<Buffer> =>
  runChild({ command: 'buildah', args, env: storage.env, ...clientOf(storage), ...watch });

/** The storage's own name for an image by id. */
export const stored = (storeId: string): string => `containers-storage:@${storeId}`;

/** `time="…" level=fatal msg="…"` → the message; `Error: …` → what follows; the last such line counts. */
export const complaint = (stderr: string): string => {
  const lines = stderr.split('\n').flatMap((line) => {
    const logged = /^time="[^"]*" level=(?:fatal|error) msg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
    if (logged) return String(JSON.parse(logged.replace(/\\[^"\\nrt]/g, '')));
    return /^Error: (.*)$/.exec(line)?.[1] ?? [];
  });
  return lines.at(-1) ?? stderr.trim();
};

/** For failures that have no better reading. */
export const toolFailure = (doing: string, error: unknown): ViaductError | unknown =>
  error instanceof ChildError
    ? internal(`${doing}: ${complaint(error.stderr) || error.message}`, error)
    : error;

/**
 * Where a client's tar of `bytes` could not be unpacked: the tar's fault, which the client is told as such, unless there was
 * no room for it.
 */
export const contentFailure = (storage: Storage, doing: string, bytes: number, error: unknown) => {
  const { bavail, bsize } = statfsSync(storage.temporary);
  return error instanceof ChildError && bavail * bsize > bytes
    ? invalid(`${doing}: ${complaint(error.stderr) || error.message}`, error)
    : toolFailure(doing, error);
};
