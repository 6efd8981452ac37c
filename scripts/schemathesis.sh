#!/usr/bin/env bash
# Runs schemathesis against a server that is already up.
#
#   scripts/schemathesis.sh BASE_URL CONTRACT TOKEN [OPTION…]
#
# BASE_URL is the e-service's base path as a URL, CONTRACT an OpenAPI file, TOKEN a voucher that the server accepts.
# What is checked, and how hard, stands in schemathesis.toml beside this script.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

if (($# < 3)); then
    sed -n 's/^# \{0,1\}//; 4p' "$0" >&2
    exit 2
fi
base_url=$1 contract=$2 token=$3
shift 3

# The virtual environment is named after what it must hold: other requirements, another environment.
venv=$PWD/target/schemathesis-$(cksum <"$here/requirements.txt" | cut -d' ' -f1)
if ! [[ -e $venv/complete ]]; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements.txt"
    touch "$venv/complete"
fi

SCHEMATHESIS_TOKEN=$token exec "$venv/bin/st" --config-file "$here/schemathesis.toml" \
    run "$contract" --url "$base_url" "$@"
