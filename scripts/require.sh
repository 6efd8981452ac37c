#!/usr/bin/env bash
# Says what this machine lacks, and the one line that installs it.
#
#   scripts/require.sh build            what a build needs
#   scripts/require.sh test contract    what the tests, the run of schemathesis and (lint) the checks need
#   scripts/require.sh image            what building and trying the container image needs
#   scripts/require.sh --packages test  the missing Debian packages only, for a script to install
#
# Exit 0 when nothing is missing, 1 otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

packages_only=false
if [[ ${1:-} == --packages ]]; then
    packages_only=true
    shift
fi

missing=()  # what, in words
packages=() # the Debian packages that bring it

has() { command -v "$1" >/dev/null 2>&1; }

lacks() {
    missing+=("$1")
    packages+=("$2")
}

# header MODULE NAME PACKAGE: a C library with its headers, as pkg-config knows it.
header() {
    if ! pkg-config --exists "$1" 2>/dev/null; then lacks "$2" "$3"; fi
}

postgres_programs() {
    # Debian keeps them out of PATH, one folder for each version.
    { has initdb && has postgres; } || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

check_build() {
    has cc || lacks "a C compiler (cc)" gcc
    has pkg-config || lacks "pkg-config" pkg-config
    header libpq "the headers of PostgreSQL's client library (libpq)" libpq-dev
    header openssl "the headers of OpenSSL (libssl)" libssl-dev
}

check_test() {
    check_build
    postgres_programs || lacks "PostgreSQL's server programs (initdb, postgres)" postgresql
    has curl || lacks "curl, with which the installation page asks whether the service is up" curl
    has xmllint || lacks "xmllint, the judge of the XML schemas" libxml2-utils
    has python3 || lacks "Python 3, for the verifier of docs/" python3
    has npm || lacks "npm, for the look of the console and the judge of its pages" npm
    has chromium || lacks "Chromium, for the tests of the console" chromium
    has chromedriver || lacks "Chromium's driver" chromium-driver
}

check_bench() {
    check_build
    postgres_programs || lacks "PostgreSQL's server programs (initdb, postgres)" postgresql
    has pgbench || lacks "pgbench, the database's own load generator" postgresql-client
    has wrk || lacks "wrk, which asks for pages" wrk
    has openssl || lacks "openssl, for a certificate" openssl
}

check_contract() {
    # Debian splits venv from python3: without ensurepip a virtual environment has no pip.
    python3 -c 'import ensurepip, venv' 2>/dev/null || lacks "Python 3 with venv" python3-venv
}

check_lint() {
    check_build
    has shellcheck || lacks "shellcheck" shellcheck
    check_contract
    has systemd-analyze || lacks "systemd-analyze, for the systemd unit" systemd
    has nginx || [[ -x /usr/sbin/nginx ]] || lacks "nginx, for its configuration" nginx-light
}

check_image() {
    has buildah || lacks "buildah" buildah
    has debootstrap || lacks "debootstrap" debootstrap
    has jq || lacks "jq" jq
    has ip || lacks "ip, for the loopback of the container" iproute2
    has npm || lacks "npm, for the look of the console" npm
}

for purpose in "$@"; do
    case $purpose in
        build) check_build ;;
        test) check_test ;;
        bench) check_bench ;;
        contract) check_contract ;;
        lint) check_lint ;;
        image) check_image ;;
        *)
            echo "require.sh: unknown purpose '$purpose' (build, test, bench, contract, lint, image)" >&2
            exit 2
            ;;
    esac
done

if ((${#packages[@]})); then
    mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
fi
if $packages_only; then
    echo "${packages[*]-}"
    exit 0
fi

# Rust is not a matter of apt: Debian's is older than the crate allows.
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
found=$(rustc --version 2>/dev/null | cut -d' ' -f2) || true
rust_ok=true
if ! has cargo || [[ -z $found ]] || [[ $(printf '%s\n' "$wanted" "$found" | sort -V | head -n1) != "$wanted" ]]; then
    rust_ok=false
fi

if $rust_ok && ! ((${#missing[@]})); then
    exit 0
fi
{
    echo "This machine lacks:"
    $rust_ok || echo "  - Rust $wanted or later (found: ${found:-none})"
    ((${#missing[@]})) && printf '%s\n' "${missing[@]}" | sort -u | sed 's/^/  - /'
    echo
    echo "To get it:"
    if ((${#packages[@]})); then
        sudo="sudo "
        ((EUID)) || sudo=""
        echo "  ${sudo}apt-get install -y ${packages[*]}"
    fi
    $rust_ok || echo "  install Rust as https://rustup.rs says"
} >&2
exit 1
