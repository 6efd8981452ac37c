#!/usr/bin/env bash
# Measures: one table of ratios on both databases, then the memory of a large import. Takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo bench --locked --quiet --features measure-log --no-run
echo "$(date -u +%F), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(nproc) cores:" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1), load $(cut -d' ' -f1 /proc/loadavg)"
echo
echo "| | rate (lowest–highest) | ratio to the first (lowest–highest) |"
echo "|---|---|---|"
scripts/with-postgres.sh cargo bench --locked --quiet --features measure-log --bench ratios --bench voucher
echo
echo "| a page of a search in the call log | entries found | time, the median of five |"
echo "|---|---|---|"
scripts/with-postgres.sh cargo bench --locked --quiet --features measure-log --bench search
echo
scripts/memory.sh
