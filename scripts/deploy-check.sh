#!/usr/bin/env bash
# Judges the files with which the service is deployed: the Dockerfile, the systemd unit, the Kubernetes manifests, compose.yaml,
# nginx's configuration, publiccode.yml.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The most that `systemd-analyze security` may find exposed, in tenths; nothing confined is 96.
most_exposed=13

# What the Dockerfile claims; `make image-test` tries it out.
claims() {
    grep --quiet --extended-regexp "$2" Dockerfile || {
        echo "deploy-check.sh: the Dockerfile has no $1" >&2
        exit 1
    }
}
pinned='=docker\.io/library/[a-z]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}$'
for base in BUILD_BASE RUN_BASE; do
    claims "$base that is pinned by digest" "^ARG $base$pinned"
done
if grep '^FROM' Dockerfile | grep --invert-match --extended-regexp '^FROM \$\{(BUILD|RUN)_BASE\}( AS build)?$'; then
    echo "deploy-check.sh: the Dockerfile has a base that is not pinned" >&2
    exit 1
fi
claims "user by number" '^USER [1-9][0-9]*:[1-9][0-9]*$'
claims "health check" '^HEALTHCHECK .* CMD \['
claims "bill of materials" 'scripts/sbom\.sh /out/'
for label in title description licenses documentation source; do
    claims "label $label" "org\.opencontainers\.image\.$label=\"[^\"]+\""
done

# One version everywhere.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
for place in "Dockerfile image.version=\"$version\"" "deploy/kubernetes/waas-comuni.yaml waas-comuni:$version" \
    "publiccode.yml softwareVersion: $version"; do
    grep --quiet --fixed-strings "${place#* }" "${place%% *}" || {
        echo "deploy-check.sh: ${place%% *} is not of version $version" >&2
        exit 1
    }
done

# systemd looks for the programs that a unit names: any program will do.
sed 's|/usr/local/bin/waas-comuni|/bin/true|' deploy/systemd/waas-comuni.service >"$scratch/waas-comuni.service"
systemd-analyze verify "$scratch/waas-comuni.service"
systemd-analyze security --no-pager --offline=true --threshold=$most_exposed \
    "$scratch/waas-comuni.service" >"$scratch/exposure" || {
    tail -n 1 "$scratch/exposure" >&2
    exit 1
}

# The virtual environment is named after what it must hold: other requirements, another environment.
venv=$PWD/target/deploy-check-$(cksum <"$here/requirements-deploy.txt" | cut -d' ' -f1)
if ! [[ -e $venv/complete ]]; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements-deploy.txt"
    touch "$venv/complete"
fi
"$venv/bin/kubernetes-validate" --strict --quiet deploy/kubernetes/*.yaml
"$venv/bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml

"$venv/bin/check-jsonschema" --schemafile scripts/publiccode.schema.json publiccode.yml

# nginx reads the certificates that its configuration names.
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=waas.comune.example.it \
    -keyout "$scratch/key.pem" -out "$scratch/fullchain.pem" 2>/dev/null
sed -e "s|/etc/nginx/certs/[a-z]*\.|$scratch/|" deploy/nginx/waas-comuni.conf >"$scratch/site.conf"
cat >"$scratch/nginx.conf" <<NGINX
pid $scratch/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path $scratch; proxy_temp_path $scratch; fastcgi_temp_path $scratch;
    uwsgi_temp_path $scratch; scgi_temp_path $scratch;
    include $scratch/site.conf;
}
NGINX
"$(command -v nginx || echo /usr/sbin/nginx)" -q -t -c "$scratch/nginx.conf"
