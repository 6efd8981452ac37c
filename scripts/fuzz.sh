#!/usr/bin/env bash
# Runs the fuzz targets under libFuzzer, one after the other, for as long as you say.
#
#   scripts/fuzz.sh                  every target, 300 seconds each
#   scripts/fuzz.sh 60 csv json      those two, a minute each
#
# What a run learns stays in fuzz/corpus, and the next one begins with it. An input that fails is in fuzz/artifacts: with
# the repair it goes into fuzz/seeds, where every `make test` tries it again.
set -euo pipefail
cd "$(dirname "$0")/.."

lacks() {
    echo "make fuzz needs $1" >&2
    exit 1
}
command -v cargo-fuzz >/dev/null || lacks "cargo-fuzz: cargo install --locked cargo-fuzz"
command -v c++ >/dev/null || lacks "a C++ compiler, for libFuzzer: apt-get install -y g++"

# The sanitizer is an unstable option of the compiler, which a stable one has too, behind this switch.
export RUSTC_BOOTSTRAP=1

seconds=${1:-300}
shift || true
targets=("$@")
if ! ((${#targets[@]})); then
    mapfile -t targets < <(cargo fuzz list)
fi
failed=()
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    # A reader that needs more than this for 64 KiB of input has no bound.
    cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- -max_total_time="$seconds" -max_len=65536 \
        -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=64 -print_final_stats=1 || failed+=("$target")
done
if ((${#failed[@]})); then
    echo "FAILED: ${failed[*]}: the inputs are in fuzz/artifacts" >&2
    exit 1
fi
