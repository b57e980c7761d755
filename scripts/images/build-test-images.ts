/**
 * Makes the small images that tests and the tour use, as `docker load`-able tars: `npx tsx
 * scripts/images/build-test-images.ts [--out .cache/images] [--force] [--fetch package]… [name…]`. `--fetch` also puts a
 * package beside them, for tests that run one of its programs where there is no network. A second run costs nothing while the
 * recipes are unchanged. Needs Debian's apt and tar; installs nothing.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeDockerArchive } from './archive.js';
import { download, libraryClosure, unpack } from './packages.js';
import { RECIPES, type Recipe } from './recipes.js';
import { layRoot } from './root.js';

const HERE = dirname(fileURLToPath(import.meta.url));
export const DEFAULT_OUT = resolve(HERE, '../../.cache/images');
const SOURCES = ['archive.ts', 'packages.ts', 'recipes.ts', 'root.ts'];

/** Changes when anything that decides an image's content changes. */
const fingerprint = (): string => {
  const hash = createHash('sha256');
  for (const source of SOURCES) hash.update(readFileSync(join(HERE, source)));
  return hash.digest('hex');
};

/** Where downloaded packages are kept. */
export const packagesIn = (out: string): string => join(out, 'packages');

const build = (name: string, recipe: Recipe, out: string): void => {
  const [debs, work] = [packagesIn(out), join(out, `work-${name}-${process.pid}`)];
  try {
    const packages = libraryClosure(recipe.packages);
    download(debs, packages);
    const [tree, root] = [join(work, 'tree'), join(work, 'root')];
    mkdirSync(tree, { recursive: true });
    unpack(debs, packages, tree);
    layRoot(recipe, tree, root, out);
    const createdBy = `scripts/images: ${recipe.packages.join(' ')}`;
    const { names, config } = recipe;
    writeDockerArchive({
      root,
      work: join(work, 'archive'),
      file: archive(out, name),
      names,
      config,
      createdBy,
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
};

const archive = (out: string, name: string): string => join(out, `${name}.tar`);

/** Makes what is missing or outdated; answers the archives' paths by image name. */
export const buildTestImages = (request: {
  readonly out?: string;
  readonly only?: readonly string[];
  readonly force?: boolean;
  readonly say?: (line: string) => void;
}): Readonly<Record<string, string>> => {
  const out = request.out ?? DEFAULT_OUT;
  const say = request.say ?? (() => {});
  mkdirSync(out, { recursive: true });
  const mark = fingerprint();
  const made: Record<string, string> = {};
  for (const name of request.only?.length ? request.only : Object.keys(RECIPES)) {
    const recipe = RECIPES[name];
    if (!recipe) throw new Error(`no recipe called ${name}; there are ${Object.keys(RECIPES).join(', ')}`);
    const [file, stamp] = [archive(out, name), `${archive(out, name)}.stamp`];
    made[name] = file;
    const current = existsSync(file) && existsSync(stamp) && readFileSync(stamp, 'utf8') === mark;
    if (current && !request.force) continue;
    build(name, recipe, out);
    writeFileSync(stamp, mark);
    say(`${name}: ${file} (${(statSync(file).size / 1e6).toFixed(1)} MB)`);
  }
  return made;
};

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: {
      out: { type: 'string' },
      force: { type: 'boolean' },
      fetch: { type: 'string', multiple: true },
    },
    allowPositionals: true,
  });
  const out = resolve(values.out ?? DEFAULT_OUT);
  const made = buildTestImages({
    out,
    only: positionals,
    force: values.force ?? false,
    say: console.log,
  });
  download(packagesIn(out), values.fetch ?? []);
  console.log(
    `Test images are in place; load each with: docker load -i FILE\n${Object.values(made).join('\n')}`,
  );
}
