#!/bin/sh
# The tests that this machine's kernel cannot run: boots Debian's own kernel in QEMU with the project inside, runs vitest
# there, shows its output as it comes and exits with its exit code. With KVM where it is usable, else in pure emulation.
# Usage: sh scripts/test-vm.sh [--shell] [vitest filters and flags]; `--shell` gives a shell in the guest instead.
# Without filters `scripts/vm/tests.sh` says what runs; filters choose among the files of all projects (`test/kernel/nftables`).
. "$(dirname "$0")/say.sh"
. scripts/packages.sh
. scripts/prepare.sh
. scripts/vm/images.sh
. scripts/vm/boot.sh
need_root run\ test:vm
need_debian run\ test:vm
need_node run\ test:vm
[ "$(dpkg --print-architecture)" = amd64 ] || refuse "The VM lane is made for amd64; this is $(dpkg --print-architecture)."

shell=
if [ "${1:-}" = --shell ]; then
  shell=yes
  shift
fi
# shellcheck disable=SC2086  # words are wanted
install_packages $run_packages $test_packages $vm_packages $(client_package)
install_node_packages
build
npx --no-install tsx scripts/images/build-test-images.ts >/dev/null || refuse "The test images could not be made; see above."
make_guest "$@"
if [ -n "$shell" ]; then boot_shell; else boot_tests; fi
