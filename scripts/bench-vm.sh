#!/bin/sh
# The benchmark's figure `drivers` on Debian's own kernel in QEMU, which has the drivers that this machine's kernel may lack
# (ipvlan, Open vSwitch's kernel datapath): Viaduct alone, beside the same networks made by hand. The guest hands the
# results back into bench/results/drivers-vm.md and drivers-vm.json. With KVM where it is usable, else in pure emulation.
# Usage: sh scripts/bench-vm.sh [flags of `npm run bench --`], such as `--drivers ipvlan,ovs`.
. "$(dirname "$0")/say.sh"
. scripts/vm/lane.sh

# What the guest handed back, also where some of it could not be measured.
keep_results() {
  for kind in md json; do
    [ ! -e "$files/latest.$kind" ] || mv "$files/latest.$kind" "bench/results/$name.$kind"
  done
}

name=drivers-vm
more_parts=
if [ "${1:-}" = swarm ]; then
  name=swarm-vm
  more_parts=docker
fi
ready_for 'run bench:vm'
files=$vm/files
after_guest=keep_results
instruction_clock=yes
make_guest env "BENCH_COMMIT=$(git describe --always --dirty 2>/dev/null)" sh scripts/vm/bench.sh "$@"
boot_program
