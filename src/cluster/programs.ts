/** Where the programs of a swarm are on this machine, and what to say where they are not. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { unavailable } from '../errors.js';

/** Debian's packages of them; both are brought by `npm start`. */
const PACKAGES = { etcd: 'etcd-server', serf: 'serf' } as const;

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Paths of both. Throws unavailable, and says in one sentence what to install. */
export const findPrograms = (
  path = process.env.PATH ?? SYSTEM_PATH,
): Readonly<Record<keyof typeof PACKAGES, string>> => {
  const find = (name: string): string | undefined =>
    path
      .split(':')
      .filter((directory) => directory.startsWith('/'))
      .map((directory) => join(directory, name))
      .find(isProgram);
  const [etcd, serf] = [find('etcd'), find('serf')];
  if (etcd && serf) return { etcd, serf };
  const missing = [...(etcd ? [] : ['etcd' as const]), ...(serf ? [] : ['serf' as const])];
  throw unavailable(
    `a swarm needs ${missing.join(' and ')}, not found on this machine: install with "apt install ${missing.map((name) => PACKAGES[name]).join(' ')}"`,
  );
};
