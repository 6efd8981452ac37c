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
openssl x509 -req -in "$work/server.csr" -CA ca.pem -CAkey "$work/ca.key" -days "$days" -set_serial "0x$(openssl rand -hex 16)" \
    -extfile <(printf '%s\n' \
        "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" \
        "basicConstraints=critical,CA:FALSE" \
        "keyUsage=critical,digitalSignature" \
        "extendedKeyUsage=serverAuth") \
    -out server.pem

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out issuer.key.pem
base64url() { basenc --base64url -w0 | tr -d =; }
modulus=$(openssl rsa -in issuer.key.pem -noout -modulus | cut -d= -f2 | basenc --base16 -d | base64url)
# The thumbprint of RFC 7638 over the three members in this order; 65537 is AQAB.
kid=$(printf '{"e":"AQAB","kty":"RSA","n":"%s"}' "$modulus" | openssl dgst -sha256 -binary | base64url)
cat >jwks.json <<JSON
{
  "keys": [
    {
      "kty": "RSA",
      "use": "sig",
      "alg": "RS256",
      "kid": "$kid",
      "e": "AQAB",
      "n": "$modulus"
    }
  ]
}
JSON
chmod 644 ca.pem server.pem jwks.json

openssl verify -CAfile ca.pem -verify_hostname localhost server.pem
