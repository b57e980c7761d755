# Inside the guest: the benchmark of the drivers without a dockerd, of the build that the host made. Its processor may be
# an emulated one: TEST_PATIENCE is the factor on time limits.
export TEST_PATIENCE=5 VIADUCT_DIST=dist
grep -q '^model name.*QEMU TCG' /proc/cpuinfo || TEST_PATIENCE=1
exec node --import tsx bench/main.ts --engine viaduct --only drivers --out /run/files "$@"
