#!/usr/bin/env bash
# Makes this folder's files again: a throw-away authority, a server certificate for localhost, and the keys of a
# local issuer of vouchers. For trying things out on one's own machine, never for a deployment: the private keys
# are public.
set -euo pipefail
cd "$(dirname "$0")"
umask 077

days=3650
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The authority's key is thrown away with $work, so that nobody can sign another certificate with it.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$days" \
    -subj "/O=waas-comuni example, not for deployment/CN=Throw-away example CA" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$work/ca.key" -out ca.pem

openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj "/O=waas-comuni example, not for deployment/CN=localhost" \
    -keyout server.key.pem -out "$work/server.csr"
openssl x509 -req -in "$work/server.csr" -CA ca.pem -CAkey "$work/ca.key" -days "$days" \
    -set_serial "0x$(openssl rand -hex 16)" \
    -extfile <(printf '%s\n' \
        "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" \
        "basicConstraints=critical,CA:FALSE" \
        "keyUsage=critical,digitalSignature" \
        "extendedKeyUsage=serverAuth") \
    -out server.pem

rm -rf issuer
cargo run --quiet --locked -- voucher keygen --dir issuer >/dev/null
chmod 755 issuer
chmod 644 ca.pem server.pem issuer/jwks.json issuer/issuer.toml

openssl verify -CAfile ca.pem -verify_hostname localhost server.pem
