#!/bin/sh
# Bundles the two programs: one file each, of CommonJS, starts in a third of the time of two hundred modules; a source map
# would be read at each start, so the lines stay as they are. Types are checked by `npm run check`.
# Usage: sh scripts/build.sh [DIRECTORY]; koffi has native parts and stays outside the bundle.
set -eu
cd "$(dirname "$0")/.."
out=${1:-dist}
rm -rf "$out"
npx --no-install esbuild viaductd=src/main.ts main=src/start.ts cli/main=src/cli/main.ts \
  --bundle --platform=node --format=cjs --target=node20 --outdir="$out" --log-level=warning \
  --define:import.meta.url=__url --banner:js='const __url = require("node:url").pathToFileURL(__filename).href;' \
  --external:koffi
echo '{ "type": "commonjs" }' >"$out/package.json"
node scripts/compile.cjs "$out"
