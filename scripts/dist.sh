#!/usr/bin/env bash
# Makes the release archive of this version in target/dist: the program, what a deployment needs, a bill of materials
# and checksums. The same commit, built with the same Rust, gives the same bytes: docs/build.md says why.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
platform=$(rustc -vV | sed -n 's/^host: //p')
name=waas-comuni-$version-$platform
dist=target/dist
# Nothing in an archive is newer than the commit that it is made of.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# Where the sources and the dependencies lie on this machine is nobody's business, and would differ from another's.
export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=/src --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
scripts/assets.sh
cargo build --release --locked

rm -rf "$dist"
mkdir -p "$dist/$name"
scripts/sbom.sh "$dist/$name/sbom.cdx.json"
cp target/release/waas-comuni "$dist/$name/"
cp -r README.md README.it.md CHANGELOG.md SECURITY.md LICENSE config deploy docs "$dist/$name/"

tar --directory "$dist" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --format=gnu --create "$name" | gzip --no-name --best >"$dist/$name.tar.gz"
cp "$dist/$name/sbom.cdx.json" "$dist/$name.cdx.json"
rm -rf "${dist:?}/$name"
(cd "$dist" && sha256sum ./*.tar.gz ./*.json >SHA256SUMS)
ls -l "$dist"
cat "$dist/SHA256SUMS"
