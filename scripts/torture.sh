#!/usr/bin/env bash
# Crashes everything while INPS pulls: the test of tests/torture, at length. docs/reliability.md says what it checks.
#
#   scripts/torture.sh                                   half an hour on each database, one after the other
#   MINUTES=5 SEED=7 DATABASE=sqlite scripts/torture.sh  five minutes on one, with the choices of that seed
#   scripts/torture.sh --without-sequencer               a build without the sequencer, which must lose a flow in a minute
#
# The report is printed, and written as JSON to target/.
set -euo pipefail
cd "$(dirname "$0")/.."

features=()
run=(--minutes "${MINUTES:-30}" --report "target/torture-${DATABASE:-both}.json")
if [[ ${1:-} == --without-sequencer ]]; then
    features=(--features without-sequencer)
    run=(--minutes 1 --expect-violation)
fi
[[ -z ${SEED:-} ]] || run+=(--seed "$SEED")
[[ -z ${DATABASE:-} ]] || run+=(--database "$DATABASE")

echo "$(date -u +%F), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(nproc) cores:" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1)"
exec cargo test --locked --quiet --test torture "${features[@]}" -- run "${run[@]}"
