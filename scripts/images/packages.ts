/**
 * Debian packages as a source of files: downloaded by apt's own client, unpacked, never installed, so that no service
 * of theirs starts on the user's machine. Programs are taken out with exactly the libraries they are linked with.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const output = (command: string, args: readonly string[], cwd?: string): string =>
  execFileSync(command, [...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const DEPENDS = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances', 'pre-depends'];

/** Direct dependencies that are libraries; the others (debconf, dpkg, perl…) only serve installation. */
const libraryDependencies = (packages: readonly string[]): readonly string[] =>
  output('apt-cache', ['depends', ...DEPENDS.map((d) => `--no-${d}`), ...packages])
    .split('\n')
    .flatMap((line) => /^\s+\|?Depends: ([a-z0-9][a-z0-9+.-]*)$/.exec(line)?.[1] ?? [])
    .filter((dependency) => /^z?lib/.test(dependency));

/** The packages and every library package below them, sorted. One call of apt-cache (over a second) per level. */
export const libraryClosure = (packages: readonly string[]): readonly string[] => {
  const all = new Set(packages);
  for (let level = [...all]; level.length > 0; ) {
    level = [...new Set(libraryDependencies(level))].filter((name) => !all.has(name));
    for (const name of level) all.add(name);
  }
  return [...all].sort();
};

const isDownloaded = (directory: string, name: string): boolean =>
  readdirSync(directory).some((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));

/** Fetches what is missing into `directory`; refreshes apt's lists once where they are absent or outdated. */
export const download = (directory: string, packages: readonly string[]): void => {
  mkdirSync(directory, { recursive: true });
  const missing = packages.filter((name) => !isDownloaded(directory, name));
  if (missing.length === 0) return;
  const fetch = () =>
    output('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', ...missing], directory);
  try {
    fetch();
  } catch {
    output('apt-get', ['update', '-q']);
    fetch();
  }
};

/** Unpacks the packages into one tree; its top-level `lib`, `bin`, `sbin` are links into `usr`, as on a merged Debian. */
export const unpack = (directory: string, packages: readonly string[], tree: string): void => {
  for (const name of packages) {
    const file = readdirSync(directory).find((f) => f.startsWith(`${name}_`) && f.endsWith('.deb'));
    if (!file) throw new Error(`${name} was not downloaded`);
    output('dpkg-deb', ['-x', join(directory, file), tree]);
  }
};

const children = (directory: string, pattern: RegExp): readonly string[] =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => pattern.test(name))
        .map((name) => join(directory, name))
    : [];

/** The multiarch directories, which Debian's loader searches without any cache. */
const libraryPath = (tree: string): string =>
  ['lib', 'usr/lib'].flatMap((top) => children(join(tree, top), /-linux-gnu/)).join(':');

/** The loader that the packages themselves brought, so the answer does not depend on this machine's libraries. */
const loader = (tree: string): string => {
  const places = ['lib64', 'usr/lib64', 'lib', 'usr/lib'];
  const [first] = places.flatMap((place) => children(join(tree, place), /^ld-linux.*\.so\.\d+$/));
  if (!first) throw new Error('libc6 was not unpacked: no ld-linux');
  return first;
};

/** Shared objects the program needs, as paths in `tree`, and the loader. Empty for a static program. */
const libraries = (tree: string, program: string): readonly string[] => {
  const ld = loader(tree);
  const list = output(ld, ['--inhibit-cache', '--library-path', libraryPath(tree), '--list', program]);
  if (list.includes('not found')) throw new Error(`${program} misses a library:\n${list}`);
  return [ld, ...list.split('\n').flatMap((line) => /=> (\/\S+) \(0x/.exec(line)?.[1] ?? [])];
};

/** Runs a program of the tree with the tree's own libraries. */
export const runUnpacked = (tree: string, program: string, args: readonly string[]): string =>
  output(loader(tree), ['--library-path', libraryPath(tree), join(tree, program), ...args]);

/** Copies a library by its name into `usr/lib/<its own place>` of `root`, as a plain file. */
const placeLibrary = (tree: string, library: string, root: string): void => {
  const relative = library.slice(tree.length + 1).replace(/^usr\//, '');
  const target = join(root, 'usr', relative);
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  cpSync(realpathSync(library), target);
};

/** Puts programs (paths in the tree, e.g. `usr/sbin/nginx`) and their libraries into `root`. */
export const placePrograms = (tree: string, programs: readonly string[], root: string): void => {
  for (const program of programs) {
    const source = join(tree, program);
    const directory = basename(dirname(program)) === 'sbin' ? 'usr/sbin' : 'usr/bin';
    mkdirSync(join(root, directory), { recursive: true });
    cpSync(realpathSync(source), join(root, directory, basename(program)));
    for (const library of libraries(tree, source)) placeLibrary(tree, library, root);
  }
};
