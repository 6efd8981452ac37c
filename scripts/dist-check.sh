#!/usr/bin/env bash
# Builds the release archive of HEAD twice, in fresh copies of the repository at two paths, and compares the sums.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# What dist.sh builds for itself, it need not build again.
PATH=$PWD/target/tools/bin:$PATH
for copy in first/with/a/longer/path second; do
    git clone --quiet --shared . "$scratch/$copy"
    "$scratch/$copy/scripts/dist.sh"
    mv "$scratch/$copy/target/dist" "$scratch/$(basename "$copy").dist"
    rm -rf "${scratch:?}/${copy%%/*}"
done
cmp "$scratch/path.dist/SHA256SUMS" "$scratch/second.dist/SHA256SUMS" || {
    for dist in "$scratch"/*.dist; do
        tar --extract --gzip --directory "$dist" --file "$dist"/*.tar.gz
    done
    diff --recursive --brief "$scratch"/*.dist >&2 || true
    echo "dist-check: the same commit gave different bytes" >&2
    exit 1
}
echo "dist-check: the same commit gave the same bytes twice"
