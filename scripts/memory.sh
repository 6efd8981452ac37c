#!/usr/bin/env bash
# Imports made-up benefits with the release binary into a new SQLite database, and says how much memory that took at
# most, and how long.
#
#   scripts/memory.sh            1,000,000 rows
#   scripts/memory.sh 10000      so many
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${1:-1000000}
limit=200 # MiB
bin=$PWD/target/release/waas-comuni
cargo build --release --locked --quiet

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/waas-comuni.toml" <<TOML
[database]
url = "sqlite://$folder/waas-comuni.db"
[[eservice]]
name = "prova"
base_path = "/waas/v1"
environment = "locale"
issuer = "locale.example.it"
jwks_url = "file:$folder/jwks.json"
audience = ["SIUSS"]
[[eservice.ente]]
codice = "H501"
denominazione = "Comune di Roma"
sede = "H501"
cf_operatore = "RSSMRA80A01H501U"
TOML
awk -v rows="$rows" -f scripts/benefits.awk >"$folder/benefits.csv"

started=$(date +%s%N)
(cd "$folder" && exec "$bin" import benefits.csv --ente H501 --json >summary.json) &
import=$!
# The kernel keeps the peak for as long as the process lives: the last look is at most a tenth of a second too early.
peak=0
while look=$(awk '/^VmHWM/ { print $2 }' "/proc/$import/status" 2>/dev/null) && [[ -n $look ]]; do
    peak=$look
    sleep 0.1
done
wait "$import"
milliseconds=$((($(date +%s%N) - started) / 1000000))

grep -q "\"records\":$rows,\"new\":$rows," "$folder/summary.json" || {
    echo "the import did not publish every row: $(cat "$folder/summary.json")" >&2
    exit 1
}
echo "Import of $rows rows ($(($(stat -c %s "$folder/benefits.csv") / 1048576)) MiB) on SQLite: peak memory" \
    "$((peak / 1024)) MiB of $limit, $((rows * 1000 / milliseconds)) rows/s, $(((milliseconds + 500) / 1000)) s"
((peak < limit * 1024))
