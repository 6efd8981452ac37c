#!/usr/bin/env bash
# Holds the server against its contracts: publishes made-up benefits, serves them, mints a voucher, and runs
# schemathesis with the project's own contract and, where it is at hand, with the official one.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/target/debug/waas-comuni
issuer=$PWD/certs-example/issuer
folder=target/contract
rm -rf "$folder"
mkdir -p "$folder"

free_port() { python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'; }
port=$(free_port)

# The thresholds are past what the run needs, and at the most that the contract can announce.
cat >"$folder/waas-comuni.toml" <<TOML
[database]
url = "sqlite://$folder/waas-comuni.db"
[api]
bind = "127.0.0.1:$port"
public_url = "http://127.0.0.1:$port"
[back_office]
bind = "127.0.0.1:$(free_port)"
[[eservice]]
name = "prova"
base_path = "/waas/v1"
environment = "locale"
issuer = "locale.example.it"
jwks_url = "file:$issuer/jwks.json"
audience = ["SIUSS"]
daily_calls_per_consumer = 100000
daily_calls_total = 100000
contact_email = "waas@comune.example.it"
terms_url = "https://www.comune.example.it/waas/condizioni"
[[eservice.ente]]
codice = "H501"
denominazione = "Comune di Roma"
sede = "H501"
cf_operatore = "RSSMRA80A01H501U"
TOML

cat >"$folder/prestazioni.csv" <<'CSV'
CodiceFiscale;Cognome;Nome;AnnoNascita;LuogoNascita;Genere;CodiceCittadinanza;CodiceRegione;CodiceComune;CodiceNazione;PresenzaProvaMezzi;CaratterePrestazione;CodicePrestazione;DenominazionePrestazione;ProtocolloDomanda;DataEvento;DataErogazionePrestazione;ImportoPrestazione;PeriodoErogazione;PresaCarico
RSSMRA80A01H501U;Rossi;Mario;1980;H501;1;380;08;058091;380;4;2;A1.19;Borse di studio;2025/000031;2025-11-20;2025-12-15;601.04;1;2
CSV
cat >"$folder/minori.csv" <<'CSV'
IDBeneficiario;MinoreStranieroNoAcc;CondizioneMinore;LuogoVita;ScuolaFrequentata;CondizioneLavoro;Disabilita;DataPrimaSegnalazione;FonteSegnalazione;ValutazioneMinore;ValutazioneFamigliaMinore;SegnalazioneAutoritaGiudiziaria;ProvvedimentoGiudiziario;FasciaEtaBeneficiario;AnnoNascita;CodiceRegioneResidenza;CodiceNazioneResidenza;Prestazioni;ComposizioneFamiglia
MIN-0001;2;1;1;5;1;2;03/2024;13;2;2;2;2;4;2014;08;380;A2.02|A2.11;1|2
CSV

"$bin" --config "$folder/waas-comuni.toml" import --ente H501 "$folder/prestazioni.csv" "$folder/minori.csv"
"$bin" --config "$folder/waas-comuni.toml" serve >"$folder/serve.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true' EXIT
until (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    if ! kill -0 "$server" 2>/dev/null; then
        cat "$folder/serve.log" >&2
        exit 1
    fi
    sleep 0.1
done
token=$("$bin" voucher issue --key "$issuer/private.pem" --issuer-config "$issuer/issuer.toml" --expires-in 3600)

contracts=(specs/openapi.yaml)
official=../shared/official/api-comuni.yaml
if [[ -e $official ]]; then
    contracts+=("$official")
fi
code=0
for contract in "${contracts[@]}"; do
    scripts/schemathesis.sh "http://127.0.0.1:$port/waas/v1" "$contract" "$token" || code=$?
done
exit "$code"
