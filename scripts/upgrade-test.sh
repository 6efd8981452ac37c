#!/usr/bin/env bash
# Upgrades a database that an earlier version filled, goes back, and upgrades again, on both databases. After each step
# the feed is pulled: every flow that was ever served must be there with the same bytes in the same order, what is
# imported again must publish nothing, and the register of calls must verify against the checkpoints outside the database.
#
#   scripts/with-postgres.sh scripts/upgrade-test.sh [COMMIT]
#
# COMMIT is the earlier version: by default the one before the last that added a migration. Without the history of the
# repository (a shallow clone) there is none to build, and nothing is tested.
set -euo pipefail
cd "$(dirname "$0")/.."

commit=${1:-$(git log -1 --diff-filter=A --format=%H -- migrations)^}
if ! commit=$(git rev-parse --quiet --verify --short "$commit^{commit}"); then
    echo "SKIPPED: this copy of the repository is without the history of which an earlier version would be built." >&2
    exit
fi

folder=$PWD/target/upgrade
sources=$folder/$commit
if ! [[ -e $sources.complete ]]; then
    rm -rf "$folder"
    mkdir -p "$sources"
    # Files as new as this copy: cargo believes what it built of older ones.
    git archive "$commit" | tar --extract --touch --directory "$sources"
    CARGO_TARGET_DIR=$PWD/target cargo build --quiet --locked --manifest-path "$sources/Cargo.toml"
    mv target/debug/waas-comuni "$folder/old"
    # Cargo tells the two versions apart by nothing, and would take what it built of the earlier one for this one's.
    cargo clean --quiet --locked --package waas-comuni
    touch "$sources.complete"
fi
cargo build --quiet --locked
cp target/debug/waas-comuni "$folder/new"
if cmp --silent "$folder/old" "$folder/new"; then
    echo "upgrade-test.sh: the earlier version and this one are the same program" >&2
    exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
    echo "upgrade-test.sh: $*" >&2
    exit 1
}

# run VERSION ARGUMENT...: the program of that version, in the deployment's folder.
run() { (cd "$place" && "$folder/$1" "${@:2}"); }

# rows FIRST LAST CENTS: benefits with these numbers, whose threshold of ISEE has these cents.
rows() {
    awk -v rows="$2" -f scripts/benefits.awk | sed -n "1p;$(($1 + 1)),$(($2 + 1))p" | sed "s/,00;2$/,$3;2/"
}

# import VERSION FILE: prints how many benefits were new or changed.
import() {
    run "$1" import "$2" --ente H501 --json >"$place/summary"
    python3 -c 'import json, sys; s = json.load(sys.stdin); print(s["new"] + s["changed"])' <"$place/summary"
}

# pull VERSION NAME: serves with that version, lets INPS pull and answer, and keeps the feed under this name.
pull() {
    : >"$place/log"
    (cd "$place" && exec "$folder/$1" serve 2>log) &
    server=$!
    until url=$(sed -n 's/.*serving api=\([^ ]*\).*/http:\/\/\1\/waas\/v1/p' "$place/log") && [[ $url ]]; do
        kill -0 "$server" 2>/dev/null || fail "$1 does not serve: $(cat "$place/log")"
        sleep 0.1
    done
    run "$1" inps --url "$url" --issuer-key keys/local/private.pem --issuer-config keys/local/issuer.toml \
        >"$place/inps" || fail "INPS cannot pull from $1: $(cat "$place/inps")"
    run "$1" voucher issue --key keys/local/private.pem --issuer-config keys/local/issuer.toml >"$place/voucher"
    python3 - "$url" "$place/voucher" >"$place/$2" <<'PYTHON'
import json, sys, urllib.request
from datetime import datetime, timezone
url, voucher = sys.argv[1], open(sys.argv[2]).read().strip()
since = 0
while True:
    request = urllib.request.Request(f"{url}/flussi?since={since}&limit=100", headers={"Authorization": f"Bearer {voucher}"})
    page = json.load(urllib.request.urlopen(request))["elenco_flussi"]
    if not page:
        break
    for flow in page:
        print(json.dumps(flow, sort_keys=True))
    last = datetime.strptime(page[-1]["ts_flusso"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    since = round(last.timestamp() * 1000)
PYTHON
    kill "$server"
    wait "$server" || fail "$1 ended with exit code $?"
    server=
    run "$1" calls verify >"$place/verdict" || fail "the register does not verify: $(cat "$place/verdict")"
}

# same NAME NAME: both feeds are the same. begins NAME NAME: the first feed is the beginning of the second, which is longer.
same() { cmp "$place/$1" "$place/$2" || fail "feed $2 is not feed $1"; }
begins() {
    cmp --bytes="$(stat -c %s "$place/$1")" "$place/$1" "$place/$2" || fail "feed $2 does not begin as feed $1 was"
    (($(wc -l <"$place/$1") < $(wc -l <"$place/$2"))) || fail "feed $2 is no longer than feed $1"
}

# In a shell of its own, whose environment ends with it.
try() (
    server=
    trap '[[ -z $server ]] || kill "$server"' EXIT
    place=$scratch/$1
    mkdir "$place"
    export WAAS__DATABASE__URL=$2 WAAS__API__BIND=127.0.0.1:0 WAAS__BACK_OFFICE__BIND=127.0.0.1:0
    export WAAS__CALL_LOG__CHECKPOINT_FILE=checkpoints.txt
    rows 1 600 00 >"$place/first.csv"
    rows 401 700 10 >"$place/second.csv"
    rows 601 800 20 >"$place/third.csv"

    run old voucher keygen --dir keys/local >/dev/null
    run old calls keygen keys/checkpoint.pem >/dev/null 2>&1
    run old config init --environment locale --codice H501 --denominazione "Comune di Roma" \
        --cf-operatore RSSMRA80A01H501U --checkpoint-key keys/checkpoint.pem >/dev/null
    export WAAS__ESERVICE__0__DAILY_CALLS_PER_CONSUMER=100000 WAAS__ESERVICE__0__DAILY_CALLS_TOTAL=100000
    [[ $(import old first.csv) == 600 ]] || fail "the earlier version does not import: $(cat "$place/summary")"
    pull old filled
    version=$(run old db status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["schema"]["applied"][-1])')

    pull new upgraded
    same filled upgraded
    [[ $(import new first.csv) == 0 ]] || fail "upgraded, benefits are not recognised: $(cat "$place/summary")"
    [[ $(import new second.csv) == 300 ]] || fail "upgraded, it does not import: $(cat "$place/summary")"
    pull new grown
    begins upgraded grown

    if [[ $(run new db status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["schema"]["applied"][-1])') != "$version" ]]
    then
        code=0
        run old serve 2>/dev/null || code=$?
        ((code == 4)) || fail "the earlier version does not refuse a newer database: exit code $code"
    fi
    run new db migrate --to "$version" >"$place/back" 2>&1 || {
        echo "  going back on $1 loses, once that is accepted: $(cat "$place/back")"
        run new db migrate --to "$version" --accept-loss >/dev/null
    }
    pull old back
    same grown back
    [[ $(import old second.csv) == 0 ]] || fail "gone back, benefits are not recognised: $(cat "$place/summary")"
    [[ $(import old third.csv) == 200 ]] || fail "gone back, it does not import: $(cat "$place/summary")"
    pull old lived
    begins back lived

    pull new again
    same lived again
    echo "$1: $(wc -l <"$place/again") flows from $commit (migration $version), upgraded, back, and upgraded again"
    tail -n 2 "$place/verdict"
)

try sqlite "sqlite://waas-comuni.db"
try postgres "${WAAS_TEST_POSTGRES:?run this under scripts/with-postgres.sh}"
