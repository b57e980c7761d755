#!/bin/sh
# Bundles the two programs: one file each starts in half the time of two hundred. Types are checked by `npm run check`.
# Usage: sh scripts/build.sh [DIRECTORY]; packages with native parts stay outside the bundle.
set -eu
cd "$(dirname "$0")/.."
out=${1:-dist}
rm -rf "$out"
exec npx --no-install esbuild main=src/main.ts cli/main=src/cli/main.ts \
  --bundle --platform=node --format=esm --target=node20 --outdir="$out" \
  --sourcemap --minify-whitespace --log-level=warning \
  --external:koffi --external:lmdb --external:netlink --external:pino --external:tar-stream --external:commander
