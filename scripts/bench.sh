#!/usr/bin/env bash
# Measures: one table of ratios, on SQLite and on a PostgreSQL of its own.
#
#   scripts/bench.sh                         everything, most of an hour; benches/ratios.toml is written again
#   scripts/bench.sh postgresql pages drain  these groups on this database (an unknown name lists all there are)
#   scripts/bench.sh --check [GROUP…]        the same, held against benches/ratios.toml instead: exit 1 if it is worse
#   FLOWS=10000000 scripts/bench.sh …        feeds of another length than 1,000,000; nothing is written
#
# WAAS_TEST_POSTGRES may name a server that is there already; feeds that it has are used again, and so are those in
# target/bench. ROUNDS (5) and SECONDS_EACH (5) make it shorter. Rust, wrk and pgbench must be there:
# `scripts/require.sh bench` says what is not.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${1:-} == --check ]]; then
    shift
    export BENCH_CHECK=1
fi
bench=(cargo bench --locked --quiet --features measure-log --bench ratios)
"${bench[@]}" --no-run
echo "$(date -u +%F), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(nproc) cores:" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1)," \
    "$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg)"
echo
echo "| | measured (lowest–highest) | ratio to the first (lowest–highest) | target |"
echo "|---|---|---|---|"
if [[ -n ${WAAS_TEST_POSTGRES:-} ]]; then
    "${bench[@]}" -- "$@"
else
    # As much of the memory as a server of one's own would be given.
    WAAS_POSTGRES_BUFFERS=${WAAS_POSTGRES_BUFFERS:-4GB} scripts/with-postgres.sh "${bench[@]}" -- "$@"
fi
if (($#)) || [[ -n ${BENCH_CHECK:-} ]]; then
    exit
fi
echo
echo "| a page of the console, a million benefits and calls | its query alone | the page, the median of seven | ratio |"
echo "|---|---|---|---|"
scripts/with-postgres.sh cargo bench --locked --quiet --bench pages
