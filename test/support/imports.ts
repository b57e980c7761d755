/**
 * Reads what a TypeScript source imports, from its syntax tree: value and type imports, re-exports, `import()` as a
 * call and as a type, and `require()`. Comments and look-alike strings are no imports; nothing is guessed from text.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { parseSync } from 'vite';

export interface Import {
  /** importing file, relative to src, e.g. `engine/volumes.ts` */
  readonly from: string;
  /** file relative to src (`model/ids.ts`), or a package or builtin as written (`koffi`, `node:fs`) */
  readonly to: string;
}

const SOURCE_NODES = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
]);

interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';

const literal = (value: unknown): string | undefined =>
  isNode(value) && value.type === 'Literal' && typeof value.value === 'string' ? value.value : undefined;

/** `require('x')` and `createRequire(…)('x')`: any call with one literal that names the package counts. */
const required = (node: Node): string | undefined => {
  if (node.type !== 'CallExpression' || !Array.isArray(node.arguments)) return undefined;
  const callee = node.callee;
  const name = isNode(callee) && callee.type === 'Identifier' ? callee.name : undefined;
  const made =
    isNode(callee) &&
    callee.type === 'CallExpression' &&
    isNode(callee.callee) &&
    callee.callee.name === 'createRequire';
  return name === 'require' || made ? literal(node.arguments[0]) : undefined;
};

const specifiers = (node: unknown, found: string[]): string[] => {
  if (Array.isArray(node)) {
    for (const child of node) specifiers(child, found);
  } else if (isNode(node)) {
    const target = SOURCE_NODES.has(node.type) ? literal(node.source) : required(node);
    if (target !== undefined) found.push(target);
    for (const child of Object.values(node)) if (typeof child === 'object') specifiers(child, found);
  }
  return found;
};

/** Every import of one source; relative ones resolved to `.ts` paths below src. */
export const importsOf = (path: string, text: string): readonly Import[] => {
  const parsed = parseSync(path, text);
  const first = parsed.errors[0];
  if (first) throw new Error(`${path}: ${first.message}`);
  return specifiers(parsed.program, []).map((to) => ({
    from: path,
    to: to.startsWith('.') ? posix.join(posix.dirname(path), to).replace(/\.js$/, '.ts') : to,
  }));
};

/** Paths of all TypeScript sources below a directory, relative to it. */
export const sourcesBelow = (root: string): readonly string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();

export const importsBelow = (root: string): readonly Import[] =>
  sourcesBelow(root).flatMap((path) => importsOf(path, readFileSync(join(root, path), 'utf8')));
