#!/usr/bin/env bash
# Every test: the contract under schemathesis, then the crate's own with a throw-away PostgreSQL. The test runner
# comes last, so that its summary is what one reads at the end; a failure of either fails the whole.
set -euo pipefail
cd "$(dirname "$0")/.."

# Without them the pages are plain, and the tests of the console say what is missing.
scripts/assets.sh --if-possible

contract=0
if scripts/require.sh contract >/dev/null 2>&1; then
    cargo build --locked
    scripts/contract-test.sh || contract=$?
elif [[ ${CI:-} == true ]]; then
    scripts/require.sh contract
else
    echo "SKIPPED: the contract under schemathesis. $(scripts/require.sh contract 2>&1 | tail -n1)" >&2
fi

if command -v cargo-nextest >/dev/null; then
    cargo test --locked --doc
    scripts/with-postgres.sh cargo nextest run --locked --no-fail-fast
else
    scripts/with-postgres.sh cargo test --locked --no-fail-fast
fi

if ((contract)); then
    echo "FAILED: the server does not keep the contract: see schemathesis's report above" >&2
fi
exit "$contract"
