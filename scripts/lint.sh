#!/usr/bin/env bash
# Format, lints, dependencies, shell scripts, the files of a deployment: what `make lint` checks.
set -euo pipefail
cd "$(dirname "$0")/.."

deny_version=0.20.2

cargo fmt --all --check
cargo clippy --locked --all-targets -- -D warnings
# The fuzz targets are a workspace of their own, whose lock file no other build looks at.
cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

deny=$(command -v cargo-deny || echo target/tools/bin/cargo-deny)
if ! [[ -x $deny ]]; then
    echo "Building cargo-deny $deny_version into target/tools (once, about a minute)."
    # Its debug build takes a third of the time of the optimised one, and checks this tree in a second.
    cargo install --quiet --locked --debug --root target/tools "cargo-deny@$deny_version"
fi
checks=(licenses bans sources)
# The database of advisories is a git repository of its own: it is consulted where it can be fetched.
if timeout 60 "$deny" fetch db >/dev/null 2>&1; then
    checks+=(advisories)
else
    echo "The advisory database cannot be fetched from here: advisories are not checked."
fi
"$deny" --locked check "${checks[@]}"

git ls-files -z | xargs -0 grep -lZE '^#!.*\b(ba)?sh' | xargs -0 shellcheck
scripts/deploy-check.sh
echo "lint: clean"
