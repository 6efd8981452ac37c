#!/usr/bin/env bash
# Judges the files with which the service is deployed: the systemd unit, the Kubernetes manifests, compose.yaml,
# nginx's configuration.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The most that `systemd-analyze security` may find exposed, in tenths; nothing confined is 96.
most_exposed=13

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
