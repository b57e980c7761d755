/**
 * Starts the daemon's bundle, `viaductd.js` beside this file, with the code that V8 made of it when it was built
 * (`viaductd.cache`, by `scripts/build.sh`): to make that anew is a tenth of a daemon's start. V8 refuses the code of
 * another version of itself, and then makes it as ever.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire, wrap } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const here = dirname(fileURLToPath(import.meta.url));
const bundle = join(here, 'viaductd.js');
const cache = join(here, 'viaductd.cache');

// esbuild writes ASCII, so a byte is a character.
const script = new Script(wrap(readFileSync(bundle, 'latin1')), {
  filename: bundle,
  ...(existsSync(cache) ? { cachedData: readFileSync(cache) } : {}),
});
/** When the program has run, V8 knows what of it is needed at a start. */
if (process.env.VIADUCT_CODE_CACHE === 'write')
  process.on('exit', () => writeFileSync(cache, script.createCachedData()));

const module = { exports: {} };
script.runInThisContext()(module.exports, createRequire(bundle), module, bundle, here);
