#!/bin/sh
# Runs tests, on machines whose speed is anybody's guess: a file in which something failed runs once more, whole, because its
# tests build upon each other, and on a machine anew. What fails twice has failed; both are told in the file VERDICTS, which
# test.sh counts. More than two such files hide a fault, and are not run again; nor is a race, which is lost where it is lost once.
# Usage: sh scripts/twice.sh [vitest's flags] -- [files]
flags=
while [ "$1" != -- ]; do
  flags="$flags $1"
  shift
done
shift
all=${VERDICTS:-/dev/null}
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2086  # words are wanted
vitest() { VERDICTS="$here/$1" && shift && export VERDICTS && : >"$VERDICTS" && node node_modules/vitest/vitest.mjs run $flags "$@"; }

vitest first "$@" && exit 0
status=$?
files=$(sed -n 's/^    FAILED  [a-z0-9]* \([^ :]*\):.*/\1/p' "$here/first" | sort -u)
wholly=$(grep '^    FAILED ' "$here/first" | grep -vc '^    FAILED  [a-z0-9]* [^ :]*:')
if [ "$wholly" -ne 0 ] || [ -z "$files" ] || [ "$(echo "$files" | wc -l)" -gt 2 ] || echo "$files" | grep -q -e '-race\.test'; then
  cat "$here/first" >>"$all"
  exit "$status"
fi
printf '\n    Once more: %s\n\n' "$(echo "$files" | tr '\n' ' ')"
sed 's/^    FAILED /    again  /' "$here/first" >>"$all"
# shellcheck disable=SC2086  # words are wanted
vitest second $files
status=$?
cat "$here/second" >>"$all"
exit "$status"
