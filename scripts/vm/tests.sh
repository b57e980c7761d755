# Inside the guest: vitest over what was asked for. Emulation is some ten times slower than the machine itself:
# TEST_PATIENCE is the factor on time limits.
export E2E_SKIP_BUILD=1 TEST_PATIENCE=5 VERDICTS=/run/verdicts
[ $# -gt 0 ] || set -- --project vm
exec node node_modules/vitest/vitest.mjs run --reporter=verbose --reporter=./test/support/verdicts.ts "$@"
