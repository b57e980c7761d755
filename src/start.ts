/**
 * Starts the daemon: runs `viaductd.js` beside this file, and its other parts when they are asked for, each with the code
 * that V8 made of it when it was built (`.cache`, by `scripts/compile.cjs`): to make that anew is a tenth of a daemon's start. V8
 * refuses the code of another version of itself, and then makes it as ever.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const here = dirname(fileURLToPath(import.meta.url));
const outside = createRequire(import.meta.url);
const loaded = new Map<string, { exports: unknown }>();

/** `name`: `./viaductd.js`, as parts name each other; all else is a package or Node's own. */
const load = (name: string): unknown => {
  if (!name.startsWith('./')) return outside(name);
  const known = loaded.get(name);
  if (known) return known.exports;
  const module = { exports: {} };
  loaded.set(name, module);
  const filename = join(here, name);
  const cache = `${filename}.cache`;
  // It is ASCII, so a byte is a character.
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    ...(existsSync(cache) ? { cachedData: readFileSync(cache) } : {}),
  });
  script.runInThisContext()(module.exports, load, module, filename, here);
  // What it exports is complete: values are read by the other parts faster than by the getters that the bundler made.
  module.exports = { ...module.exports };
  return module.exports;
};

// One of libuv's threads waits for the kernel's notifications as long as the daemon lives; four are left for files.
process.env.UV_THREADPOOL_SIZE ??= '5';
load('./viaductd.js');
