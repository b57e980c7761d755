# Inside the guest: vitest over what was asked for. Emulation is some ten times slower than the machine itself:
# TEST_PATIENCE is the factor on time limits. With nothing asked for: the lane's own tests, and the firewall as it is on a
# kernel whose tables cannot be owned (ADR 3). How long an event loop stands there says nothing.
export E2E_SKIP_BUILD=1 TEST_PATIENCE=5 TEST_LOOP_LIMIT=0 VERDICTS=/run/verdicts
[ $# -gt 0 ] || set -- test/vm/ test/kernel/firewall.test test/kernel/firewall-spoofing.test test/kernel/firewall-spoofing-fastpath.test test/kernel/fastpath.test test/kernel/nftables.test test/kernel/nftables-ports.test test/kernel/mesh.test
exec sh scripts/twice.sh --reporter=verbose --reporter=./test/support/verdicts.ts -- "$@"
