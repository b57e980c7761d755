#!/bin/sh
# Every test: sets itself up, then the rootless checks, the kernel tests, the end-to-end tests; beside the latter two
# those of another kernel in QEMU, which keep one processor busy for as long as the others mostly wait. Within 45 minutes.
. "$(dirname "$0")/say.sh"
. scripts/packages.sh
. scripts/prepare.sh
. scripts/trixie/root.sh
need_root test
need_debian test
need_node test
say "Viaduct's tests: packages, build, images; then rootless checks, kernel tests, end-to-end tests, Debian 13, tests on Debian's kernel"
note "Everything runs in network namespaces of its own; the host's interfaces and firewall are not touched."
# shellcheck disable=SC2086
install_packages $run_packages $test_packages $plugin_packages $trixie_maker_packages $vm_packages $(client_package)
install_node_packages
build
npx --no-install tsx scripts/images/build-test-images.ts --fetch docker-registry || refuse "The test images could not be made; see above."

results=
failed=
second_tries=2
# Each run of vitest adds what failed, and what passed only when tried again.
mkdir -p .cache
export VERDICTS="$PWD/.cache/verdicts"
: >"$VERDICTS"
: >"$VERDICTS.vm"
stage() {
  name=$1
  shift
  say "$name"
  began=$(date +%s)
  if "$@"; then verdict=passed; else verdict=FAILED; failed="$failed $name"; fi
  results="$results$(printf '%-12s %-7s %4d s' "$name" "$verdict" $(($(date +%s) - began)))
"
}

# Mostly waiting for the archive: beside the checks and the kernel tests.
trixie_output="$PWD/.cache/trixie-root.log"
(make_trixie_root) >"$trixie_output" 2>&1 &
trixie_root=$!
of_trixie() {
  wait "$trixie_root" || { cat "$trixie_output"; return 1; }
  sh scripts/test-trixie.sh
}

stage check sh scripts/check.sh
# What a machine without root finds in two minutes is told then, not behind half an hour of the rest.
[ -z "$failed" ] || refuse "" "test: failed:$failed (the other stages were not begun)"

# The guest shares nothing with the other tests but the processors, and of those it has less than they: it computes all the
# time, they mostly wait, and would wait for it. Its output is shown when it is done. Seconds: it may take nearly all of the run.
vm_output="$PWD/.cache/vm-lane.log"
note "The tests on Debian's kernel begin in the background: tail -f $vm_output"
VERDICTS="$VERDICTS.vm" VM_TESTS_LIMIT=3200 setsid sh -c 'echo 5 >/proc/self/autogroup; exec sh scripts/test-vm.sh' >"$vm_output" 2>&1 &
vm_lane=$!
trap 'kill "$vm_lane" 2>/dev/null' EXIT
trap 'exit 130' INT TERM
of_vm_lane() {
  wait "$vm_lane"
  status=$?
  trap - EXIT INT TERM
  cat "$vm_output"
  cat "$VERDICTS.vm" >>"$VERDICTS"
  return "$status"
}

stage kernel sh scripts/twice.sh --project kernel --
stage e2e sh scripts/twice.sh --project e2e --
stage trixie of_trixie
stage vm of_vm_lane

say "Summary"
printf '%s' "$results" | sed 's/^/    /'
cat "$VERDICTS"
# A file may have met a bad moment of the machine; more second tries hide a fault.
again=$(sed -n 's/^    again   [a-z0-9]* \([^ :]*\):.*/\1/p' "$VERDICTS" | sort -u | wc -l)
[ "$again" -le "$second_tries" ] || failed="$failed second-tries($again)"
[ -z "$failed" ] || refuse "" "test: failed:$failed"
say "test: all green"
