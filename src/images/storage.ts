/**
 * The containers-storage under the data root: where its files are, and the three configuration files that make skopeo
 * and buildah use it and nothing of the host's. Invariant: no path holds a character that overlayfs's options split at.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../errors.js';

export interface Storage {
  /** whose leaving ends the programs that are run for it */
  readonly client?: AbortSignal | undefined;
  /** containers-storage's graph root */
  readonly graph: string;
  readonly run: string;
  /** spooled archives, build contexts; emptied at start */
  readonly temporary: string;
  /** our own: one directory per container with its writable layer */
  readonly writable: string;
  /** mount points of the containers' roots; on /run, where making one costs a twentieth of what a disk takes */
  readonly roots: string;
  /** our own: what steps of builds made */
  readonly buildCache: string;
  /** our own: what `name@digest` is known of each image */
  readonly digests: string;
  readonly policy: string;
  readonly registries: string;
  /** for the children */
  readonly env: Readonly<Record<string, string>>;
}

export interface RegistrySettings {
  /** `host[:port]` served over plain HTTP or with an unknown certificate; CIDRs are left to the loopback rule */
  readonly insecureRegistries: readonly string[];
  /** URLs tried before docker.io */
  readonly registryMirrors: readonly string[];
}

/** TOML basic strings take JSON's escapes. */
const toml = (text: string): string => JSON.stringify(text);

const HOST = /^[A-Za-z0-9.[\]:-]+$/;

const mirror = (url: string): string => {
  const { protocol, host, pathname } = new URL(url);
  const location = `${host}${pathname.replace(/\/+$/, '')}`;
  return `[[registry.mirror]]\nlocation = ${toml(location)}\ninsecure = ${protocol === 'http:'}\n`;
};

/** A prefix goes for every port. */
const LOOPBACK = ['localhost', '127.0.0.1'];

/** containers-registries.conf(5). Loopback registries may be plain, as Docker has it. */
export const registriesConf = ({ insecureRegistries, registryMirrors }: RegistrySettings): string => {
  const hub = `[[registry]]\nlocation = "docker.io"\n${registryMirrors.map(mirror).join('')}`;
  const insecure = [...LOOPBACK, ...insecureRegistries.filter((host) => HOST.test(host))];
  const tables = [...new Set(insecure)].map(
    (host) => `[[registry]]\nlocation = ${toml(host)}\ninsecure = true\n`,
  );
  const head = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n';
  return [head, hub, ...tables].join('\n');
};

/** containers-storage.conf(5). Without `skip_mount_home` every first use would leave a bind mount on the host. */
const storageConf = (graph: string, run: string): string =>
  [
    '[storage]',
    'driver = "overlay"',
    `graphroot = ${toml(graph)}`,
    `runroot = ${toml(run)}`,
    '[storage.options.overlay]',
    'skip_mount_home = "true"',
    '',
  ].join('\n');

/** Docker verifies digests, not signatures. */
const POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}\n';

const refuseUnmountable = (path: string): void => {
  if (/[:,\\\s"]/.test(path))
    throw invalid(`data root ${path}: overlayfs cannot take colons, commas, backslashes, quotes or spaces`);
};

/** Makes the directories and configuration files; answers where everything is. */
export const openStorage = (dataRoot: string, execRoot: string, registries: RegistrySettings): Storage => {
  refuseUnmountable(dataRoot);
  const at = (name: string) => join(dataRoot, 'images', name);
  const storage = {
    graph: at('storage'),
    run: join(execRoot, 'images'),
    temporary: at('tmp'),
    writable: join(dataRoot, 'writable'),
    roots: join(execRoot, 'roots'),
    buildCache: at('build-cache'),
    digests: at('digests.json'),
    policy: at('policy.json'),
    registries: at('registries.conf'),
  };
  for (const path of [storage.graph, storage.run, storage.temporary, storage.writable, storage.roots])
    mkdirSync(path, { recursive: true, mode: 0o711 });
  writeFileSync(at('storage.conf'), storageConf(storage.graph, storage.run));
  writeFileSync(storage.registries, registriesConf(registries));
  writeFileSync(storage.policy, POLICY);
  const env = {
    CONTAINERS_STORAGE_CONF: at('storage.conf'),
    CONTAINERS_REGISTRIES_CONF: storage.registries,
    // a file that is never there: the host's own logins must not be used for somebody else's request
    REGISTRY_AUTH_FILE: at('no-auth.json'),
    TMPDIR: storage.temporary,
    LC_ALL: 'C',
  };
  return { ...storage, env };
};
