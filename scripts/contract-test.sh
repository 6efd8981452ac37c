#!/usr/bin/env bash
# Holds the demonstration's server against its contracts: schemathesis with the project's own contract and, where it is
# at hand, with the official one.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/target/debug/waas-comuni
folder=target/contract
rm -rf "$folder"
mkdir -p "$folder"
# It is read before the server, which starts in the background, has made it.
: >"$folder/story"

"$bin" demo --dir "$folder/demo" >>"$folder/story" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true' EXIT
base_url=""
until [[ -n $base_url ]]; do
    if ! kill -0 "$server" 2>/dev/null; then
        cat "$folder/story" >&2
        exit 1
    fi
    base_url=$(sed -n 's|^ *public API *\(http.*\)/status.*|\1|p' "$folder/story")
    sleep 0.1
done
keys=$folder/demo/keys
token=$("$bin" voucher issue --key "$keys/private.pem" --issuer-config "$keys/issuer.toml" --expires-in 3600)

contracts=(specs/openapi.yaml)
official=../shared/official/api-comuni.yaml
if [[ -e $official ]]; then
    contracts+=("$official")
fi
code=0
for contract in "${contracts[@]}"; do
    scripts/schemathesis.sh "$base_url" "$contract" "$token" || code=$?
done

# Whatever was sent, the log names nobody and holds no token.
logged=$(grep -E '^[0-9-]+T[0-9:.]+Z ' "$folder/story")
if grep -E 'eyJ[A-Za-z0-9_-]{12}|[A-Z]{6}[0-9]{2}[A-Z][0-9]{2}[A-Z][0-9]{3}[A-Z]' <<<"$logged"; then
    echo "contract-test.sh: the log says what it must not, in the lines above" >&2
    code=1
fi
exit "$code"
