/**
 * What a registry says of an image, asked by skopeo: its manifest, and without taking any of its layers the platforms that it is
 * for.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { internal, invalid, notFound, unauthorized, unavailable } from '../errors.js';
import { ChildError } from './child.js';
import type { RegistryAuth, RemoteImage } from './contract.js';
import {
  familiarName,
  familiarText,
  fullText,
  parseReference,
  type Reference,
  registryOf,
  withDefaultTag,
} from './reference.js';
import { inScratch } from './spool.js';
import type { Storage } from './storage.js';
import { complaint, skopeoConfig, skopeoManifest } from './tools.js';

/** containers-auth.json(5), in a file that only root reads: credentials never stand on a command line. */
export const authFile = (directory: string, registry: string, auth: RegistryAuth | undefined): string => {
  const file = join(directory, 'auth.json');
  const { username = '', password = '', identitytoken } = auth ?? {};
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  const entry = identitytoken
    ? { auth: Buffer.from('<token>:').toString('base64'), identitytoken }
    : { auth: basic };
  const auths = identitytoken || username ? { [registry]: entry } : {};
  writeFileSync(file, JSON.stringify({ auths }), { mode: 0o600 });
  return file;
};

/** Docker speaks plain HTTP with registries on the loopback without being told. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/;
export const tlsOptions = (reference: Reference, prefix: string): readonly string[] =>
  LOOPBACK.test(registryOf(reference)) ? [`--${prefix}tls-verify=false`] : [];

/** The registry's answer, read from the tool's words for want of anything better, as one of Docker's. */
export const registryFailure = (reference: Reference, error: unknown): unknown => {
  if (!(error instanceof ChildError)) return error;
  const text = complaint(error.stderr);
  const repository = familiarName(reference.name);
  if (/manifest unknown/i.test(text))
    return notFound(
      `manifest for ${familiarText(reference)} not found: manifest unknown: manifest unknown`,
      error,
    );
  if (/name unknown|denied|authentication required|unauthorized/i.test(text))
    return /incorrect username or password|invalid username/i.test(text)
      ? unauthorized('unauthorized: incorrect username or password', error)
      : notFound(
          `pull access denied for ${repository}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied`,
          error,
        );
  if (/no such host|connection refused|i\/o timeout|network is unreachable|server gave HTTP/i.test(text))
    return unavailable(text.replace(/^.*?(?=Get "|Head ")/, ''), error);
  return internal(text || error.message, error);
};

export interface Session {
  readonly storage: Storage;
  readonly reference: Reference;
  readonly auth: string;
  readonly signal: AbortSignal;
}

/** The manifest's (or list's) exact bytes, from the registry or its mirror. */
export const remoteManifest = ({ storage, reference, auth, signal }: Session): Promise<Buffer> => {
  const options = ['--authfile', auth, ...tlsOptions(reference, '')];
  return skopeoManifest(storage, `docker://${fullText(bare(reference))}`, options, { signal });
};

/** skopeo refuses tag and digest together; the digest decides. */
export const bare = (reference: Reference): Reference =>
  reference.digest ? { ...reference, tag: '' } : reference;

const platform = z.object({
  architecture: z.string(),
  os: z.string(),
  'os.version': z.string().exactOptional(),
  'os.features': z.array(z.string()).exactOptional(),
  variant: z.string().exactOptional(),
});

/** A list of images, one image, or (schema 1) neither. */
const manifest = z.object({
  schemaVersion: z.number(),
  mediaType: z.string().exactOptional(),
  manifests: z.array(z.object({ platform: platform.exactOptional() })).exactOptional(),
  config: z.object({}).exactOptional(),
});

const OCI = 'application/vnd.oci.image';

/** OCI's manifests need not say what they are. */
const mediaTypeOf = ({ mediaType, manifests }: z.infer<typeof manifest>): string =>
  mediaType ?? (manifests ? `${OCI}.index.v1+json` : `${OCI}.manifest.v1+json`);

const configPlatform = async (session: Session): Promise<RemoteImage['platforms']> => {
  const { storage, reference, auth, signal } = session;
  const options = ['--authfile', auth, ...tlsOptions(reference, '')];
  const config = await skopeoConfig(storage, `docker://${fullText(reference)}`, options, { signal });
  const read = platform.safeParse(JSON.parse(config.toString('utf8')));
  return read.success ? [read.data] : [];
};

const describe = async (session: Session): Promise<RemoteImage> => {
  const bytes = await remoteManifest(session);
  const read = manifest.safeParse(JSON.parse(bytes.toString('utf8')));
  const { reference } = session;
  if (!read.success || !(read.data.manifests ?? read.data.config))
    throw invalid(
      `the manifest of ${familiarText(reference)} is of a form that is not supported (schema 1, or none of an image)`,
    );
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const platforms =
    read.data.manifests?.flatMap(({ platform: each }) => (each ? [each] : [])) ??
    (await configPlatform({ ...session, reference: { ...reference, tag: '', digest } }));
  return { mediaType: mediaTypeOf(read.data), digest, size: bytes.length, platforms };
};

/** Throws not-found, unauthorized, unavailable as a pull does. */
export const inspectRemote = async (
  storage: Storage,
  text: string,
  auth: RegistryAuth | undefined,
  signal: AbortSignal,
): Promise<RemoteImage> => {
  const reference = withDefaultTag(parseReference(text));
  return inScratch(storage, (directory) =>
    describe({ storage, reference, signal, auth: authFile(directory, registryOf(reference), auth) }),
  ).catch((error: unknown) => {
    throw registryFailure(reference, error);
  });
};
