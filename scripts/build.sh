#!/bin/sh
# Bundles the two programs. The client is one file of CommonJS: it starts in a third of the time of two hundred modules. The daemon
# is some files, cut where it loads only when asked (`import()`): whoever is in no cluster does not pay for the cluster's code. esbuild
# cuts only ECMAScript modules, so it makes those first, and CommonJS of each part then. A source map would be read at each
# start, so the lines stay as they are. Types are checked by `npm run check`.
# Usage: sh scripts/build.sh [DIRECTORY]; koffi has native parts and stays outside the bundle.
set -eu
cd "$(dirname "$0")/.."
out=${1:-dist}
rm -rf "$out"
build() { npx --no-install esbuild "$@" --platform=node --target=node20 --log-level=warning; }
commonjs() {
  build "$@" --format=cjs --define:import.meta.url=__url \
    --banner:js='const __url = require("node:url").pathToFileURL(__filename).href;'
}
build viaductd=src/main.ts --bundle --external:koffi --format=esm --splitting --chunk-names=part-[hash] --outdir="$out/modules"
commonjs "$out"/modules/*.js --supported:dynamic-import=false --outdir="$out"
commonjs main=src/start.ts cli/main=src/cli/main.ts --bundle --external:koffi --outdir="$out"
rm -r "$out/modules"
echo '{ "type": "commonjs" }' >"$out/package.json"
node scripts/compile.cjs "$out"/viaductd.js "$out"/part-*.js
