#!/bin/sh
# README's tour and containers' whole life on Debian 13: its root in .cache (made once), in mount, process and network namespaces of its own, with its
# node, crun, conmon, skopeo and docker client. Usage: sh scripts/test-trixie.sh [--shell] [vitest filters and flags]
. "$(dirname "$0")/say.sh"
. scripts/packages.sh
. scripts/prepare.sh
. scripts/trixie/root.sh
need_root run test:trixie
need_debian run test:trixie
need_node run test:trixie
install_node_packages
build
make_trixie_root
npx --no-install tsx scripts/images/build-test-images.ts >/dev/null || refuse "The test images could not be made; see above."

# As on a Debian 13 that was installed, /tmp is a tmpfs and nothing of a daemon's lies on it.
enter() {
  unshare --mount --propagation private --pid --net --fork --kill-child \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" \
    E2E_SKIP_BUILD=1 E2E_SKIP_IMAGES=1 TEST_BASE=/var/tmp VERDICTS="${VERDICTS:-}" TEST_PATIENCE="${TEST_PATIENCE:-1}" \
    sh scripts/trixie/inside.sh .cache/trixie/root "$@"
}
if [ "${1:-}" = --shell ]; then
  enter bash
  exit
fi
[ $# -gt 0 ] || set -- test/e2e/readme.test.ts test/e2e/containers.test.ts
enter sh scripts/twice.sh --project e2e -- "$@"
