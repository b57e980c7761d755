/**
 * Makes V8's code of each part of the daemon, all of it, for `src/start.ts`: what a start has not to compile it has not to wait
 * for. A part gets the function around it here that a module is called through: put around it at each start, its
 * 1.6 MB would be copied. Usage: node scripts/compile.cjs FILE…
 */
const { readFileSync, writeFileSync } = require('node:fs');
const { wrap } = require('node:module');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

// esbuild leaves comments and regular expressions as they are; of ASCII a byte is a character, and a string takes half the room.
const ascii = (text) =>
  text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const compile = (file) => {
  const source = wrap(ascii(readFileSync(file, 'utf8')));
  writeFileSync(file, source);
  // V8 refuses code made under other flags than its own, and looks at them when the code is written, not when it is made.
  setFlagsFromString('--no-lazy');
  const script = new Script(source, { filename: file });
  setFlagsFromString('--lazy');
  writeFileSync(`${file}.cache`, script.createCachedData());
};

for (const file of process.argv.slice(2)) compile(file);
