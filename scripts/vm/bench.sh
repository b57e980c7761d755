# Inside the guest: the benchmark of the drivers without a dockerd, or (`swarm`) of several hosts with one, of the build that
# the host made. Its processor may be an emulated one: TEST_PATIENCE is the factor on time limits.
export TEST_PATIENCE=5 VIADUCT_DIST=dist
grep -q '^model name.*QEMU TCG' /proc/cpuinfo || TEST_PATIENCE=1
if [ "${1:-}" = swarm ]; then
  shift
  case " $* " in *" --only "*) ;; *) set -- --only reach services mesh "$@" ;; esac
else
  set -- --engine viaduct --only drivers "$@"
fi
exec node --import tsx bench/main.ts --out /run/files "$@"
