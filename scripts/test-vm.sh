#!/bin/sh
# The tests that this machine's kernel cannot run: boots Debian's own kernel in QEMU with the project inside, runs vitest
# there, shows its output as it comes and exits with its exit code. With KVM where it is usable, else in pure emulation.
# Usage: sh scripts/test-vm.sh [--shell] [vitest filters and flags]; `--shell` gives a shell in the guest instead.
# Without filters `scripts/vm/tests.sh` says what runs; filters choose among the files of all projects (`test/kernel/nftables`).
. "$(dirname "$0")/say.sh"
. scripts/vm/lane.sh

shell=
if [ "${1:-}" = --shell ]; then
  shell=yes
  shift
fi
ready_for 'run test:vm'
make_guest sh scripts/vm/tests.sh "$@"
if [ -n "$shell" ]; then boot_shell; else boot_program; fi
