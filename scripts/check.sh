#!/bin/sh
# Everything that needs no root, in about a minute: types, lint and format, unit, golden and property tests.
. "$(dirname "$0")/say.sh"
need_node check
[ -d node_modules ] || refuse "No node_modules yet: run \`npm ci\` (or \`npm start\`) first."
failed=
step() {
  name=$1
  shift
  say "$name"
  "$@" || failed="$failed $name"
}
step types npx --no-install tsc -p tsconfig.json
step lint npx --no-install biome check .
step unused npx --no-install knip
# S3: simulated clusters, each of a seed
step tests env SIM_RUNS=1000 npx --no-install vitest run --project unit --project golden --project property
[ -z "$failed" ] || refuse "" "check: failed:$failed"
say "check: all green"
