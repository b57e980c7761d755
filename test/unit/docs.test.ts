/**
 * The guide and the README say what is so: settings come from src/config/options.ts, packages from scripts/, links lead
 * somewhere. UPDATE_GUIDE=1 writes the tables of settings anew.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ALL_OPTIONS } from '../../src/config/options.js';
import { optionTables } from '../support/option-table.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const GUIDE = join(ROOT, 'docs/guide.md');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const BETWEEN = /(<!-- options -->\n)[\s\S]*?(<!-- \/options -->)/;

const PAGES = [
  'README.md',
  'docs/guide.md',
  'docs/architecture.md',
  'docs/drivers.md',
  ...readdirSync(join(ROOT, 'docs/adr')).map((name) => `docs/adr/${name}`),
];

const flags = new Set([
  'config-file',
  'validate',
  'version',
  'help',
  ...[...ALL_OPTIONS.values()].map((o) => o.flag),
]);
const keys = new Set([...ALL_OPTIONS.values()].map((o) => o.key));

describe('the guide', () => {
  test('documents every setting as src/config/options.ts has it', () => {
    const guide = readFileSync(GUIDE, 'utf8');
    const wanted = guide.replace(
      BETWEEN,
      (_, start: string, end: string) => `${start}\n${optionTables()}\n\n${end}`,
    );
    if (process.env.UPDATE_GUIDE === '1') writeFileSync(GUIDE, wanted);
    else expect(guide, 'UPDATE_GUIDE=1 npx vitest run test/unit/docs.test.ts writes it').toBe(wanted);
    for (const { flag, key } of ALL_OPTIONS.values())
      expect(wanted).toContain(flag === '' ? `"${key}"` : `--${flag}`);
  });

  test('has no flag of viaductd and no key of daemon.json that does not exist', () => {
    const guide = read('docs/guide.md');
    const commands = guide.split('\n').filter((line) => /^(ExecStart=)?\S*bin\/viaductd /.test(line));
    expect(commands.length).toBeGreaterThan(1);
    const used = commands.flatMap((line) =>
      [...line.replace(/#.*/, '').matchAll(/--([a-z0-9-]+)/g)].map((m) => m[1] ?? ''),
    );
    expect(used.filter((flag) => !flags.has(flag))).toEqual([]);
    const examples = [...guide.matchAll(/```json\n([\s\S]*?)```/g)].map(
      (m) => JSON.parse(m[1] ?? '') as object,
    ); // our own text
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.flatMap((example) => Object.keys(example)).filter((key) => !keys.has(key))).toEqual([]);
  });
});

describe('the README', () => {
  test('lists the packages that `npm start` installs', () => {
    const packages = /^run_packages='([^']*)'/m.exec(read('scripts/packages.sh'))?.[1]?.split(' ') ?? [];
    expect(packages.length).toBeGreaterThan(5);
    const readme = read('README.md');
    expect(packages.filter((name) => !readme.includes(name))).toEqual([]);
  });

  test('names only scripts that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }; // our own file
    for (const page of ['README.md', 'docs/guide.md']) {
      const used = [...read(page).matchAll(/npm (?:run )?(start|stop|test|check|bench|build)\b/g)].map(
        (m) => m[1] ?? '',
      );
      expect(used.filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
    }
  });
});

/** GitHub's anchor of a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s-]/gu, '')
    .trim()
    .replace(/\s/g, '-');

const anchorsOf = (page: string): readonly string[] =>
  [...read(page).matchAll(/^#+ (.*)$/gm)].map((m) => anchor(m[1] ?? ''));

test.each(PAGES)('links of %s lead somewhere', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
  for (const [, path = '', fragment] of links) {
    const target = path === '' ? page : join(dirname(page), path);
    expect(existsSync(join(ROOT, target)), `${page} → ${target}`).toBe(true);
    if (fragment !== undefined)
      expect(anchorsOf(target), `${page} → ${target}#${fragment}`).toContain(fragment);
  }
});
