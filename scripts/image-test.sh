#!/usr/bin/env bash
# Builds the image (scripts/image.sh) and runs it as a container engine is asked to: what it says of itself is obeyed
# (user, environment, entrypoint, health check), its root is read-only, nothing is writable but /data and /tmp, there
# are no capabilities, and no network but its own loopback. There INPS pulls, and the service is stopped.
#
#   scripts/image-test.sh       as root
set -euo pipefail
cd "$(dirname "$0")/.."

# The most that the image may weigh beyond its base, in MB.
limit=60

fail() {
    echo "image-test.sh: $*" >&2
    exit 1
}

if [[ ${1:-} != --inside ]]; then
    scripts/image.sh
    scratch=$(mktemp -d)
    container=$(scripts/image.sh buildah from --pull-never localhost/waas-comuni)
    trap 'scripts/image.sh buildah rm "$container" >/dev/null; rm -rf "$scratch"' EXIT
    root=$(scripts/image.sh buildah mount "$container")
    scripts/image.sh buildah inspect --type image localhost/waas-comuni >"$scratch/image.json"

    size=$((($(du -sx --block-size=1 "$root" | cut -f1) - $(du -sx --block-size=1 target/image/bookworm | cut -f1)) / 1000000))
    echo "The image is $size MB larger than its base ($limit allowed)."
    ((size <= limit)) || fail "the image is too large"
    SECONDS=0
    unshare --mount --mount-proc --net --ipc --uts --pid --fork --kill-child "$0" --inside "$root" "$scratch"
    echo "image-test: passed in $SECONDS s"
    exit
fi

root=$2
scratch=$3
config() { jq --raw-output "$1" "$scratch/image.json"; }
user=$(config .Docker.config.User)
[[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || fail "the image's user is '$user', which is not known not to be root"
mapfile -t environment < <(config '.Docker.config.Env[]')
mapfile -t main < <(config '.Docker.config | (.Entrypoint + .Cmd)[]')
mapfile -t health < <(config '.Docker.config.Healthcheck.Test[1:][]')

ip link set lo up
mkdir "$scratch/data"
chown "$user" "$scratch/data"
mount --bind "$root" "$root"
mount --bind "$scratch/data" "$root/data"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for device in null random urandom zero; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"

as_user=(chroot "$root" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --bounding-set=-all
    --no-new-privs env --ignore-environment "--chdir=$(config .Docker.config.WorkingDir)" "${environment[@]}")
run() { "${as_user[@]}" "$@"; }

[[ $(run id -u) == "${user%:*}" ]] || fail "it runs as somebody else"
for file in /x /etc/x /usr/local/bin/x; do
    if run touch "$file" 2>/dev/null; then fail "$file can be written"; fi
done
version=$(config '.Docker.config.Labels["org.opencontainers.image.version"]')
[[ $(run waas-comuni --version) == "waas-comuni $version" ]] || fail "the image's label says version $version"
sbom=$root/usr/share/doc/waas-comuni/sbom.cdx.json
[[ $(jq -r .metadata.component.version "$sbom") == "$version" ]] || fail "the bill of materials is another version's"
echo "The bill of materials names $(jq '.components | length' "$sbom") crates."

# The way of docs/installazione.md, whose benefit it is.
run waas-comuni voucher keygen --dir keys/local
run waas-comuni calls keygen keys/checkpoint.pem
run waas-comuni config init --environment locale --codice H501 --denominazione "Comune di Roma" \
    --cf-operatore RSSMRA80A01H501U --checkpoint-key keys/checkpoint.pem
sed -n "/<<'CSV'/,/^CSV/p" docs/installazione.md | sed '1d;$d' | run tee prestazioni.csv >/dev/null
run waas-comuni import prestazioni.csv --ente H501

# As its first process, which no signal stops unless it asks for it.
unshare --pid --fork --kill-child "${as_user[@]}" "${main[@]}" >"$scratch/log" 2>&1 &
service=$!
trap 'cat "$scratch/log" >&2' ERR
until run "${health[@]}" 2>/dev/null; do
    ((SECONDS < 30)) || fail "it is not healthy after $SECONDS s: $(cat "$scratch/log")"
    sleep 0.1
done
echo "healthy"
run waas-comuni inps --url http://127.0.0.1:8080/waas/v1 --issuer-key keys/local/private.pem \
    --issuer-config keys/local/issuer.toml
kill -TERM "$(pgrep --parent "$service")"
wait "$service" || fail "stopped by SIGTERM, it ended with exit code $?"
if run "${health[@]}" 2>/dev/null; then fail "the health check is satisfied by a service that is stopped"; fi
run waas-comuni calls verify
