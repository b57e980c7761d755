/**
 * Starts the daemon's bundle, `viaductd.js` beside this file, with the code that V8 made of it when it was built
 * (`viaductd.cache`, by `scripts/compile.cjs`): to make that anew is a tenth of a daemon's start. V8 refuses the code of
 * another version of itself, and then makes it as ever.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const here = dirname(fileURLToPath(import.meta.url));
const bundle = join(here, 'viaductd.js');
const cache = join(here, 'viaductd.cache');

// It is ASCII, so a byte is a character.
const script = new Script(readFileSync(bundle, 'latin1'), {
  filename: bundle,
  ...(existsSync(cache) ? { cachedData: readFileSync(cache) } : {}),
});

const module = { exports: {} };
script.runInThisContext()(module.exports, createRequire(bundle), module, bundle, here);
