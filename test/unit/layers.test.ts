/** Holds the direction of imports of DESIGN.md; first shows on made-up sources that each rule can fail. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { importsBelow, importsOf, sourcesBelow } from '../support/imports.js';
import { brokenRules, circles, knowingPlans, LAYERS } from '../support/layers.js';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const tests = fileURLToPath(new URL('..', import.meta.url));
const broken = (...sources: [path: string, text: string][]): readonly string[] =>
  brokenRules(sources.flatMap(([path, text]) => importsOf(path, text)));

describe('what counts as an import', () => {
  test('every form that TypeScript knows, resolved below src', () => {
    const text = `
      import a from '../a.js'; import type { B } from './b.js'; export * from './c.js'; export { d } from './d.js';
      import './e.js'; const f: import('./f.js').F = await import('./g.js'); const h = require('h');
      const i = createRequire(import.meta.url)('i') as typeof import('j');`;
    expect(importsOf('x/y.ts', text).map(({ to }) => to)).toEqual([
      'a.ts',
      'x/b.ts',
      'x/c.ts',
      'x/d.ts',
      'x/e.ts',
      'x/f.ts',
      'x/g.ts',
      'h',
      'i',
      'j',
    ]);
  });
  test('not comments, strings or templates', () => {
    expect(
      importsOf(
        'x.ts',
        "// import './a.js'\n/* import './b.js' */ const s = `import './c.js'`; f('./d.js');",
      ),
    ).toEqual([]);
  });
});

describe('each rule can fail', () => {
  test.each<[string, string, string]>([
    ['model/x.ts', "import '../errors.js'", 'plain data'],
    ['drivers/x.ts', "import '../kernel/ffi.js'", 'pure function'],
    ['ipam/x.ts', "import type { P } from '../plan/plan.js'", 'property-tested'],
    ['engine/x.ts', "import '../kernel/rtnetlink.js'", 'injection'],
    ['api/x.ts', "import '../engine/networks.js'", 'one door'],
    ['runtime/x.ts', "import '../engine/contract.js'", 'not networks'],
    ['kernel/x.ts', "import '../drivers/index.js'", 'decides nothing'],
    ['kernel/x.ts', "import type { O } from '../ovs/index.js'", 'decides nothing'],
    ['ovs/x.ts', "import '../engine/index.js'", 'a back end of the kernel layer'],
    ['kernel/links.ts', "import koffi from 'koffi'", 'only kernel/ffi.ts'],
    ['kernel/links.ts', "const k = createRequire(import.meta.url)('koffi')", 'only kernel/ffi.ts'],
    ['plan/x.ts', "import { readFileSync } from 'node:fs'", 'pure'],
    ['engine/attach/x.ts', "import type { Ledger } from '../commit/ledger.js'", 'it decides'],
    ['engine/attach/x.ts', "import { fresh } from '../fresh.js'", 'it decides'],
    ['engine/networks/x.ts', "import type { Writing } from '../parts.js'", 'it decides'],
    ['engine/networks/x.ts', "import type { Kernel } from '../../kernel/contract.js'", 'it decides'],
    ['engine/decision.ts', "import { readFileSync } from 'node:fs'", 'it decides'],
    ['cluster/control/x.ts', "import '../etcd/client.js'", 'a function of the cluster’s records'],
    ['cluster/control/x.ts', "import { readFileSync } from 'node:fs'", 'a function of the cluster’s records'],
    ['attic/x.ts', "import '../model/ids.js'", 'no rule'],
  ])('%s: %s', (path, text, reason) => {
    expect(broken([path, text])).toEqual([expect.stringContaining(reason)]);
  });
  test('a driver that imports another', () => {
    const registry: [string, string] = [
      'drivers/index.ts',
      "import './bridge.js'; import './host/index.js'; import './contract.js'",
    ];
    expect(broken(registry, ['drivers/host/index.ts', "import '../bridge.js'"])).toHaveLength(1);
    expect(broken(registry, ['engine/x.ts', "import '../drivers/bridge.js'"])).toHaveLength(1);
    expect(
      broken(registry, [
        'drivers/host/x.ts',
        "import './index.js'; import '../shared.js'; import '../contract.js'",
      ]),
    ).toEqual([]);
  });
});

describe('I10-11 property tests and their oracles', () => {
  const told = (...sources: [path: string, text: string][]): readonly string[] => {
    const texts = new Map(sources);
    const properties = sources.flatMap(([path]) => (path.startsWith('property/') ? [path] : []));
    return knowingPlans(properties, (path) => importsOf(path, texts.get(path) ?? ''));
  };
  test('may not know how plans are made, by whatever way', () => {
    const plan = "import { diff } from '../../src/plan/diff.js'";
    const test = "import '../support/a.js'; import fc from 'fast-check'";
    expect(told(['property/x.test.ts', plan])).toHaveLength(1);
    expect(
      told(['property/x.test.ts', test], ['support/a.ts', "import './b.js'"], ['support/b.ts', plan]),
    ).toEqual([expect.stringContaining('support/b.ts imports ../src/plan/diff.ts')]);
    expect(told(['property/x.test.ts', test], ['support/b.ts', plan], ['unit/x.test.ts', plan])).toEqual([]);
  });
  test('do not', () => {
    const properties = sourcesBelow(`${tests}property`).map((path) => `property/${path}`);
    const read = (path: string) => importsOf(path, readFileSync(`${tests}${path}`, 'utf8'));
    expect(knowingPlans(properties, read)).toEqual([]);
  });
});

test('a circle, and not what leads there or away from it', () => {
  const ways = [
    ['to.ts', 'a.ts'],
    ['a.ts', 'b.ts'],
    ['b.ts', 'c.ts'],
    ['c.ts', 'a.ts'],
    ['b.ts', 'away.ts'],
    ['away.ts', 'node:fs'],
  ] as const;
  const imports = ways.map(([from, to]) => ({ from, to }));
  expect(circles(imports)).toEqual(['a.ts', 'b.ts', 'c.ts']);
  expect(circles(imports.filter(({ from }) => from !== 'c.ts'))).toEqual([]);
});

describe('the sources', () => {
  const imports = importsBelow(src);
  test('keep the direction of imports', () => {
    expect(brokenRules(imports)).toEqual([]);
  });
  test('have no circle of imports, of types neither', () => {
    expect(circles(imports)).toEqual([]);
  });
  test('are all there: every relative import leads to a file', () => {
    const files = new Set(sourcesBelow(src));
    expect(
      imports
        .filter(({ to }) => to.endsWith('.ts') && !files.has(to))
        .map(({ from, to }) => `${from} → ${to}`),
    ).toEqual([]);
  });
  test('have every room with a rule', () => {
    expect(
      Object.keys(LAYERS).filter((room) => !existsSync(`${src}/${room}`) && !existsSync(`${src}/${room}.ts`)),
    ).toEqual([]);
  });
});
