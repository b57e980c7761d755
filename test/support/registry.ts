/** A real registry (Debian's docker-registry), taken from its package; the package itself is not installed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_OUT, packagesIn } from '../../scripts/images/build-test-images.js';
import { unpack } from '../../scripts/images/packages.js';

export interface RegistryPlace {
  /** its program, configuration and data are below it */
  readonly directory: string;
  readonly port: number;
  /** wants user `me` with password `secret` */
  readonly login?: boolean;
  /** command that enters the namespaces it is to live in */
  readonly enter?: readonly string[];
}

const programIn = (directory: string): string => {
  const packages = packagesIn(DEFAULT_OUT);
  if (!readdirSync(packages).some((file) => file.startsWith('docker-registry_')))
    throw new Error('run first: npx tsx scripts/images/build-test-images.ts --fetch docker-registry');
  unpack(packages, ['docker-registry'], join(directory, 'registry'));
  return join(directory, 'registry/usr/bin/docker-registry');
};

/** htpasswd's line for the user `me` with the password `secret` (bcrypt, cost 4). */
const HTPASSWD = 'me:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n';

/** On the loopback; it answers a moment later. */
export const spawnRegistry = ({ directory, port, login, enter = [] }: RegistryPlace): ChildProcess => {
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, `${port}-${name}`);
  writeFileSync(at('htpasswd'), HTPASSWD);
  const lines = [
    'version: 0.1',
    'log: {level: error}',
    `storage: {filesystem: {rootdirectory: ${at('data')}}}`,
    `http: {addr: "127.0.0.1:${port}"}`,
    ...(login ? [`auth: {htpasswd: {realm: r, path: ${at('htpasswd')}}}`] : []),
  ];
  writeFileSync(at('config.yml'), `${lines.join('\n')}\n`);
  const [command = '', ...args] = [...enter, programIn(directory), 'serve', at('config.yml')];
  return spawn(command, args, { stdio: 'ignore' });
};
