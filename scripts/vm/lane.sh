# Sourced: everything with which a guest is made and booted, for the tests (scripts/test-vm.sh) and the benchmark
# (scripts/bench-vm.sh).
. scripts/packages.sh
. scripts/prepare.sh
. scripts/vm/images.sh
. scripts/vm/boot.sh

# ready_for COMMAND: what the guest is made from is installed and built; COMMAND is npm's, for who must be refused.
ready_for() {
  need_root "$1"
  need_debian "$1"
  need_node "$1"
  [ "$(dpkg --print-architecture)" = amd64 ] || refuse "The VM lane is made for amd64; this is $(dpkg --print-architecture)."
  # shellcheck disable=SC2086  # words are wanted
  install_packages $run_packages $test_packages $vm_packages $(client_package)
  install_node_packages
  build
  npx --no-install tsx scripts/images/build-test-images.ts >/dev/null || refuse "The test images could not be made; see above."
}
