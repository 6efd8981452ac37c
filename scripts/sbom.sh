#!/usr/bin/env bash
# Writes the bill of materials of the program (CycloneDX 1.5, JSON): every crate in it with version, licence and digest.
#
#   scripts/sbom.sh FILE
#
# With SOURCE_DATE_EPOCH set, the same sources give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.5.9
out=$1

tool=$(command -v cargo-cyclonedx || echo target/tools/bin/cargo-cyclonedx)
if ! [[ -x $tool ]]; then
    echo "Building cargo-cyclonedx $version into target/tools (once, about a minute)."
    RUSTFLAGS='' cargo install --quiet --locked --debug --root target/tools "cargo-cyclonedx@$version"
fi
"$tool" cyclonedx --format json --spec-version 1.5 --override-filename sbom >/dev/null
mkdir -p "$(dirname "$out")"
# The crate is named after its folder, which is nobody's business and differs from machine to machine.
sed "s|path+file://$PWD|path+file:///src|g" sbom.json >"$out"
rm sbom.json
