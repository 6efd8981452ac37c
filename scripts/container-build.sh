#!/usr/bin/env bash
# Builds the Dockerfile where neither a container engine runs nor an image registry can be reached: with buildah in
# chroot isolation, on base images made here by debootstrap under the names that the Dockerfile asks for. Where Docker
# or Podman works, `docker build .` is all it takes.
#
#   scripts/container-build.sh            as root; needs buildah, debootstrap and this machine's Rust
#
# The image is localhost/waas-comuni, in a store of its own under target/containers.
set -euo pipefail
cd "$(dirname "$0")/.."

for program in buildah debootstrap rustc; do
    if ! command -v "$program" >/dev/null; then
        echo "container-build.sh: $program is missing: apt-get install -y buildah debootstrap" >&2
        exit 1
    fi
done

store=$PWD/target/containers
b() { buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs "$@"; }
mapfile -t bases < <(sed -n 's/^FROM \([^ ]*\).*/\1/p' Dockerfile)

suite=bookworm
rootfs=$store/$suite
if ! [[ -e $rootfs.complete ]]; then
    rm -rf "$rootfs"
    mkdir -p "$rootfs"
    debootstrap --variant=minbase "$suite" "$rootfs" http://deb.debian.org/debian
    touch "$rootfs.complete"
fi

# base NAME: makes the image NAME from the root file system, with this machine's Rust if it is Rust's.
base() {
    local name=$1 container
    b inspect --type image "$name" >/dev/null 2>&1 && return
    container=$(b from scratch)
    b add --quiet "$container" "$rootfs" / >/dev/null
    if [[ $name == */rust:* ]]; then
        b copy --quiet "$container" "$(rustc --print sysroot)" /usr/local/rust >/dev/null
        b config --env PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/usr/local/cargo "$container"
    fi
    b commit --quiet --rm "$container" "$name" >/dev/null
}
for name in "${bases[@]}"; do
    base "$name"
done

# The crates that this machine has fetched already are used as they are.
cargo fetch --locked --quiet
b bud --isolation chroot --pull-never --format docker --tag localhost/waas-comuni \
    --volume "${CARGO_HOME:-$HOME/.cargo}/registry:/usr/local/cargo/registry" .
b images
