#!/bin/sh
# Every test: sets itself up, then the rootless checks, the kernel tests, the end-to-end tests and those of
# another kernel in QEMU. Within 45 minutes.
. "$(dirname "$0")/say.sh"
. scripts/packages.sh
. scripts/prepare.sh
need_root test
need_debian test
need_node test
say "Viaduct's tests: packages, build, images; then rootless checks, kernel tests, end-to-end tests, tests on Debian's kernel"
note "Everything runs in network namespaces of its own; the host's interfaces and firewall are not touched."
# shellcheck disable=SC2086
install_packages $run_packages $test_packages $plugin_packages $(client_package)
install_node_packages
build
npx --no-install tsx scripts/images/build-test-images.ts --fetch docker-registry || refuse "The test images could not be made; see above."

results=
failed=
# Each run of vitest adds what failed, and what passed only when tried again.
mkdir -p .cache
export VERDICTS="$PWD/.cache/verdicts"
: >"$VERDICTS"
stage() {
  name=$1
  shift
  say "$name"
  began=$(date +%s)
  if "$@"; then verdict=passed; else verdict=FAILED; failed="$failed $name"; fi
  results="$results$(printf '%-12s %-7s %4d s' "$name" "$verdict" $(($(date +%s) - began)))
"
}
stage check sh scripts/check.sh
stage kernel npx --no-install vitest run --project kernel
stage e2e npx --no-install vitest run --project e2e
stage vm sh scripts/test-vm.sh

say "Summary"
printf '%s' "$results" | sed 's/^/    /'
cat "$VERDICTS"
[ -z "$failed" ] || refuse "" "test: failed:$failed"
say "test: all green"
