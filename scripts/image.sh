#!/usr/bin/env bash
# Builds the Dockerfile where neither a container engine runs nor an image registry can be reached: with buildah in
# chroot isolation, on bases made here by debootstrap from this machine's Debian mirror, with this machine's Rust and the
# crates that it has fetched. Where Docker or Podman works, `docker build .` is all it takes.
#
#   scripts/image.sh            as root
#
# The image is localhost/waas-comuni, in a store of its own under target/image. `scripts/image.sh buildah ...` runs
# buildah on that store.
set -euo pipefail
cd "$(dirname "$0")/.."

store=$PWD/target/image
b() { buildah --root "$store/store" --runroot "$store/run" --storage-driver vfs "$@"; }
if [[ ${1:-} == buildah ]]; then
    b "${@:2}"
    exit
fi

suite=bookworm
rootfs=$store/$suite
if ! [[ -e $rootfs.complete ]]; then
    # shellcheck disable=SC2016 # apt-get fills in what stands after the dollar
    mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
        sed -n "s/^$suite //p" | head -n 1)
    rm -rf "$rootfs"
    mkdir -p "$rootfs"
    debootstrap --variant=minbase "$suite" "$rootfs" "${mirror:?this machine knows no mirror of $suite}"
    rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/*
    touch "$rootfs.complete"
fi
if ! b inspect --type image localhost/base >/dev/null 2>&1; then
    container=$(b from scratch)
    b add --quiet "$container" "$rootfs" / >/dev/null
    b commit --quiet --rm "$container" localhost/base >/dev/null
    container=$(b from --pull-never localhost/base)
    b config --env PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/usr/local/cargo "$container"
    # Where this machine has authorities of its own, cargo needs them to reach the registry.
    b copy --quiet "$container" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ >/dev/null
    b commit --quiet --rm "$container" localhost/base-rust >/dev/null
fi

# Its build would fetch it with a npm that Debian brings: this machine's is at hand.
scripts/assets.sh --if-possible
# What is mounted enters no image: Rust, the crates, and what an earlier build left for the next one.
cargo fetch --locked --quiet
mkdir -p "$store/build"
b bud --isolation chroot --pull-never --format docker --tag localhost/waas-comuni \
    --build-arg BUILD_BASE=localhost/base-rust --build-arg RUN_BASE=localhost/base \
    --volume "$(rustc --print sysroot):/usr/local/rust:ro" \
    --volume "${CARGO_HOME:-$HOME/.cargo}/registry:/usr/local/cargo/registry" \
    --volume "$store/build:/build/target" .
b images
