/**
 * Finds emitters that nobody hears: an 'error' event without a listener ends the daemon. Read from the syntax tree of a
 * source, so it is a rule of writing and not a proof: whoever makes a stream, socket, server, watcher or child hears its
 * errors there and then.
 *
 * Heard is: `.on('error', …)` behind the expression that makes it, or on the name it is given in the same top-level
 * statement; or being handed to `pipeline` or `finished`. `once` is not enough: a second error finds nobody. Of a child,
 * each of its streams that is named is asked for as well; of a server, the connections that it hands out.
 */
import { parseSync } from 'vite';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';

const STREAMS = ['Readable', 'Writable', 'PassThrough', 'Transform', 'Duplex'];
const SERVERS = ['createServer', 'Server'];

/** What makes an emitter, by the module it comes from; `Readable.from` is `from` of `Readable`. */
const MAKERS: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['Socket', 'connect', 'createConnection', ...SERVERS],
  'node:tls': ['TLSSocket', 'connect', ...SERVERS],
  'node:tty': ['ReadStream', 'WriteStream'],
  'node:stream': STREAMS,
  'node:fs': ['createReadStream', 'createWriteStream', 'watch'],
  'node:dgram': ['createSocket'],
  'node:child_process': ['spawn', 'fork'],
  'node:http': ['request', 'get', ...SERVERS],
  'node:https': ['request', 'get', ...SERVERS],
  'node:worker_threads': ['Worker'],
  'node:zlib': [
    'createGunzip',
    'createGzip',
    'createInflate',
    'createDeflate',
    'createUnzip',
    'createBrotliDecompress',
  ],
  'tar-stream': ['pack', 'extract'],
};

/** Takes care of the errors of what it is given. */
const CARERS = ['pipeline', 'finished'];
/** Events that hand out a socket, and which argument that is. */
const HANDED: Readonly<Record<string, number>> = { connection: 0, secureConnection: 0, upgrade: 1 };

const unwrapped = (node: unknown): Node | undefined => {
  if (!isNode(node)) return undefined;
  return /^(ChainExpression|TS\w+Expression|AwaitExpression|ParenthesizedExpression)$/.test(node.type)
    ? unwrapped(node.expression ?? node.argument)
    : node;
};

/** `socket`, `this.#socket`, `child.stdin`; empty for what has no name. */
const nameOf = (node: unknown): string => {
  const inner = unwrapped(node);
  if (inner?.type === 'Identifier') return String(inner.name);
  if (inner?.type === 'PrivateIdentifier') return `#${inner.name}`;
  if (inner?.type === 'ThisExpression') return 'this';
  if (inner?.type !== 'MemberExpression') return '';
  const [object, property] = [nameOf(inner.object), nameOf(inner.property)];
  return object === '' || property === '' ? '' : `${object}.${property}`;
};

/** `a ?? b` and `x ? a : b` are each of the two. */
const choices = (node: unknown): readonly Node[] => {
  const value = unwrapped(node);
  if (!value) return [];
  if (value.type === 'ConditionalExpression') return [value.consequent, value.alternate].flatMap(choices);
  if (value.type === 'LogicalExpression') return [value.left, value.right].flatMap(choices);
  return [value];
};

const nodesBelow = (node: unknown, found: Node[] = []): Node[] => {
  if (Array.isArray(node)) for (const child of node) nodesBelow(child, found);
  else if (isNode(node)) {
    found.push(node);
    for (const child of Object.values(node)) if (typeof child === 'object') nodesBelow(child, found);
  }
  return found;
};

const list = (value: unknown): readonly Node[] => (Array.isArray(value) ? value.filter(isNode) : []);
const text = (node: Node | undefined): unknown => (node?.type === 'Literal' ? node.value : undefined);

/** Local names of makers: `spawn` → `spawn`, and `net.connect` for a whole module under the name `net`. */
const makersOf = (program: readonly Node[]): ReadonlyMap<string, string> => {
  const makers = new Map<string, string>();
  for (const statement of program) {
    if (statement.type !== 'ImportDeclaration' || statement.importKind === 'type') continue;
    const known = MAKERS[String(text(statement.source as Node))] ?? [];
    for (const specifier of list(statement.specifiers)) {
      const local = nameOf(specifier.local);
      const imported = nameOf(specifier.imported);
      if (known.includes(imported)) makers.set(local, imported);
      if (imported === 'Readable') makers.set(`${local}.from`, 'Readable.from');
      if (specifier.type !== 'ImportSpecifier')
        for (const each of known) makers.set(`${local}.${each}`, each);
    }
  }
  return makers;
};

/** What stands before `.on(…).once(…)…`, and whether one of them hears errors. */
const rootOf = (call: Node): { readonly root: Node; readonly hears: boolean } => {
  const callee = unwrapped(call.callee);
  const method = callee?.type === 'MemberExpression' ? nameOf(callee.property) : '';
  if (
    call.type !== 'CallExpression' ||
    !['on', 'once', 'off', 'addListener', 'unref', 'resume'].includes(method) ||
    !callee
  )
    return { root: call, hears: false };
  const before = unwrapped(callee.object) ?? call;
  const { root, hears } = rootOf(before);
  const here = ['on', 'addListener'].includes(method) && text(list(call.arguments)[0]) === 'error';
  return { root, hears: hears || here };
};

interface Heard {
  readonly names: ReadonlySet<string>;
  readonly made: ReadonlySet<Node>;
}

const heardIn = (nodes: readonly Node[]): Heard => {
  const names = new Set<string>();
  const made = new Set<Node>();
  const add = (node: Node): void => {
    made.add(node);
    const name = nameOf(node);
    if (name !== '') names.add(name);
  };
  for (const node of nodes) {
    if (node.type !== 'CallExpression') continue;
    const { root, hears } = rootOf(node);
    if (hears) add(root);
    if (CARERS.includes(nameOf(node.callee)))
      for (const each of list(node.arguments).flatMap(choices)) add(each);
  }
  return { names, made };
};

/** The name that what is made gets: of a constant, or of the field it is assigned to. `const x = make().once(…)` too. */
const namesGiven = (nodes: readonly Node[]): ReadonlyMap<Node, string> => {
  const given = new Map<Node, string>();
  for (const node of nodes) {
    const [left, right] =
      node.type === 'VariableDeclarator'
        ? [node.id, node.init]
        : node.type === 'AssignmentExpression'
          ? [node.left, node.right]
          : [undefined, undefined];
    for (const made of choices(right)) given.set(rootOf(made).root, nameOf(left));
  }
  return given;
};

const parameters = (node: Node | undefined, nodes: readonly Node[]): readonly Node[] => {
  if (node?.type === 'Identifier') {
    const found = nodes.find((each) => each.type === 'VariableDeclarator' && nameOf(each.id) === node.name);
    return found ? parameters(unwrapped(found.init), nodes) : [];
  }
  return list(node?.params);
};

/** The sockets that servers hand out, by the name of the parameter that takes them. */
const handedOut = (nodes: readonly Node[], makers: ReadonlyMap<string, string>): readonly string[] =>
  nodes.flatMap((node) => {
    if (node.type !== 'CallExpression') return [];
    const given = list(node.arguments);
    const { callee } = node;
    const method = nameOf(unwrapped(unwrapped(callee)?.property));
    const event = ['on', 'once'].includes(method) ? HANDED[String(text(given[0]))] : undefined;
    const accepts = makers.get(nameOf(callee)) === 'createServer';
    if (event === undefined && !accepts) return [];
    const taker = given.at(-1);
    // The last argument of createServer may be its settings.
    const name = nameOf(parameters(taker, nodes)[event ?? 0]);
    return name === '' ? [] : [name];
  });

/** With something to write to: `ffi.pipe()` is another thing. */
const isPipe = (call: Node): boolean =>
  nameOf(unwrapped(unwrapped(call.callee)?.property)) === 'pipe' && list(call.arguments).length > 0;

const lineOf = (source: string, offset: number): number => source.slice(0, offset).split('\n').length;

/** One sentence for each emitter of the source that nobody hears. */
export const unheard = (path: string, source: string): readonly string[] => {
  const parsed = parseSync(path, source);
  const first = parsed.errors[0];
  if (first) throw new Error(`${path}: ${first.message}`);
  const program = list(parsed.program.body as unknown);
  const makers = makersOf(program);
  const everywhere = nodesBelow(program);
  const heardAnywhere = heardIn(everywhere);
  // What a module does at its top may hear what it makes there.
  const atTop = nodesBelow(program.filter(({ type }) => type === 'ExpressionStatement'));
  const found: string[] = [];
  const say = (node: Node, what: string): void => {
    found.push(`${path}:${lineOf(source, node.start)}: nobody hears errors of ${what}`);
  };
  for (const statement of program) {
    const nodes = nodesBelow(statement);
    const heard = heardIn([...nodes, ...atTop]);
    const given = namesGiven(nodes);
    for (const node of nodes) {
      const callee = nameOf(node.callee);
      const maker = /^(New|Call)Expression$/.test(node.type) ? makers.get(callee) : undefined;
      if (maker === undefined) continue;
      const name = given.get(node) ?? '';
      if (!heard.made.has(node) && !heard.names.has(name)) say(node, name === '' ? callee : name);
      if (maker !== 'spawn') continue;
      for (const stream of ['stdin', 'stdout', 'stderr'].map((each) => `${name}.${each}`))
        if ([...nodes, ...atTop].some((each) => nameOf(each) === stream) && !heard.names.has(stream))
          say(node, stream);
    }
    for (const node of nodes)
      if (node.type === 'CallExpression' && isPipe(node))
        found.push(`${path}:${lineOf(source, node.start)}: pipe() passes no error on, pipeline() does`);
  }
  for (const name of handedOut(everywhere, makers))
    if (!heardAnywhere.names.has(name))
      found.push(`${path}: nobody hears errors of ${name}, which a server hands out`);
  return found;
};
