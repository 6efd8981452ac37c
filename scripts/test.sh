#!/usr/bin/env bash
# Every test of the crate, with a throw-away PostgreSQL.
set -euo pipefail
cd "$(dirname "$0")/.."

if command -v cargo-nextest >/dev/null; then
    cargo test --locked --doc
    scripts/with-postgres.sh cargo nextest run --locked --no-fail-fast
else
    scripts/with-postgres.sh cargo test --locked --no-fail-fast
fi
