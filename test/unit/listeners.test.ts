/** No stream, socket, server, watcher or child of the daemon is without a listener for its errors (M2 C1 C2 U1). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { sourcesBelow } from '../support/imports.js';
import { unheard } from '../support/listeners.js';

const src = fileURLToPath(new URL('../../src', import.meta.url));
const found = (text: string): readonly string[] => unheard('x.ts', text);

describe('finds on made-up sources', () => {
  test.each([
    ['a socket', "import { Socket } from 'node:net'; const s = new Socket({ fd: 1 }); s.on('data', f);", 's'],
    [
      'what is returned bare',
      "import { Socket } from 'node:net'; const f = () => new Socket({ fd: 1 });",
      'Socket',
    ],
    [
      'a listener that hears once',
      "import { connect } from 'node:net'; const s = connect('/x'); s.once('error', f);",
      's',
    ],
    [
      'another name’s listener',
      "import { PassThrough } from 'node:stream'; const a = new PassThrough(), b = new PassThrough(); a.on('error', f);",
      'b',
    ],
    [
      'another function’s listener',
      "import { connect } from 'node:net';\nconst f = () => { const s = connect('/x'); };\nconst g = (s) => { s.on('error', h); };",
      's',
    ],
    [
      'a field',
      "import { createSocket } from 'node:dgram'; class A { #s; constructor() { this.#s = createSocket('udp4'); } }",
      'this.#s',
    ],
    ['a whole module', "import net from 'node:net'; const s = net.connect('/x');", 's'],
    ['a renamed maker', "import { request as ask } from 'node:http'; const r = ask({}); r.end();", 'r'],
    [
      'Readable.from',
      "import { Readable } from 'node:stream'; const f = () => Readable.from([]);",
      'Readable.from',
    ],
    [
      'a chain that hears something else',
      "import { watch } from 'node:fs'; const w = watch('x').on('change', f).unref();",
      'w',
    ],
    ['a child', "import { spawn } from 'node:child_process'; const c = spawn('x'); c.once('close', f);", 'c'],
    [
      'a stream of a child',
      "import { spawn } from 'node:child_process'; const c = spawn('x'); c.on('error', f); c.stdout.on('data', f);",
      'c.stdout',
    ],
    [
      'what a server hands out',
      "import { createServer } from 'node:net'; const s = createServer((c) => c.end()); s.on('error', f);",
      'c, which a server hands out',
    ],
    [
      'what a named function takes',
      "import { createServer } from 'node:net'; const take = (c) => c.end(); createServer({}, take).on('error', f);",
      'c, which',
    ],
    ['an upgraded connection', "server.on('upgrade', (request, socket) => socket.end());", 'socket, which'],
    ['a pipe', 'a.pipe(b);', 'pipe() passes no error on'],
  ])('%s', (_, text, what) => {
    expect(found(text)).toEqual([expect.stringContaining(what)]);
  });
});

test.each([
  [
    'a chain',
    "import { Socket } from 'node:net'; const f = () => new Socket({}).on('data', g).unref().on('error', g).once('close', g);",
  ],
  [
    'a name',
    "import { Socket } from 'node:net'; const f = () => { const s = new Socket({}); s.on('error', g); return s; };",
  ],
  [
    'a field',
    "import { createSocket } from 'node:dgram'; class A { #s; constructor() { this.#s = createSocket('udp4'); this.#s.on('error', f); } }",
  ],
  [
    'either of two',
    "import { createServer } from 'node:http'; const f = () => { const s = x ? createServer(a) : createServer(b); s.on('error', g); };",
  ],
  [
    'pipeline',
    "import { createReadStream } from 'node:fs'; const f = () => pipeline(createReadStream('x'), hash);",
  ],
  [
    'an optional stream',
    "import { spawn } from 'node:child_process'; const c = spawn('x').on('error', f); c.stdout?.on('error', f).on('data', f);",
  ],
  [
    'a handed out socket',
    "import { createServer } from 'node:net'; createServer((c) => c.on('error', f)).on('error', f);",
  ],
  [
    'an own function of a maker’s name',
    "import { connect } from './x.js'; const s = connect('/x'); const { spawn } = y; spawn('z');",
  ],
  ['a pipe of another kind', 'const [reading, writing] = ffi.pipe();'],
])('is content with %s', (_, text) => {
  expect(found(text)).toEqual([]);
});

/** Heard, but in a way the rule does not see. */
const EXCEPT: Readonly<Record<string, string>> = {
  'ports/relay.ts':
    'each side has its listeners two lines above, and an end must pass on without closing both',
};

test('the sources: every emitter is heard', () => {
  const all = sourcesBelow(src).filter((path) => !(path in EXCEPT));
  expect(all.flatMap((path) => unheard(path, readFileSync(join(src, path), 'utf8')))).toEqual([]);
}, 120_000); // every source is parsed: a matter of seconds, or of many beside other work
