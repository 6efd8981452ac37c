#!/usr/bin/env bash
# Fetches Bootstrap Italia (the look of the console) and axe-core (which judges its pages in the tests) with npm, as
# assets/package-lock.json pins them, and puts what the binary embeds into assets/vendor.
#
#   scripts/assets.sh                 fetch them, unless they are there
#   scripts/assets.sh --if-possible   the same, but without npm or network say so and go on: the build does without
set -euo pipefail
cd "$(dirname "$0")/.."

# What is fetched stands in a folder named after what was asked for: another lock file, another folder.
npm=target/npm-$(cat assets/package-lock.json scripts/assets.sh | cksum | cut -d' ' -f1)

fetch() {
    if ! command -v npm >/dev/null; then
        echo "npm is missing: apt-get install -y npm" >&2
        return 1
    fi
    rm -rf "$npm" target/npm
    mkdir -p "$npm"
    cp assets/package.json assets/package-lock.json "$npm"
    # No package may run code of its own here. npm wants a path without links: target may be one.
    npm ci --prefix "$(realpath "$npm")" --ignore-scripts --no-audit --no-fund --loglevel=error || return 1
    local dist=$npm/node_modules/bootstrap-italia
    rm -rf assets/vendor
    mkdir -p assets/vendor
    cp "$dist/dist/css/bootstrap-italia.min.css" "$dist/dist/svg/sprites.svg" assets/vendor/
    local weight
    for weight in regular italic 600 700; do
        cp "$dist/dist/fonts/Titillium_Web/titillium-web-v10-latin-ext_latin-$weight.woff2" \
            "assets/vendor/titillium-web-$weight.woff2"
    done
    cp "$dist/dist/fonts/Roboto_Mono/roboto-mono-v13-latin-ext_latin-regular.woff2" assets/vendor/roboto-mono.woff2
    {
        printf 'Bootstrap Italia\n\n' && cat "$dist/LICENSE"
        printf '\n\nTitillium Web\n\n' && cat "$dist/dist/fonts/Titillium_Web/OFL.txt"
        printf '\n\nRoboto Mono\n\n' && cat "$dist/dist/fonts/Roboto_Mono/LICENSE.txt"
    } >assets/vendor/licenze.txt
    # The tests look for axe-core here.
    ln -s "$(basename "$npm")" target/npm
    touch "$npm/complete"
}

if [[ -e $npm/complete && -e assets/vendor/licenze.txt ]]; then
    exit 0
fi
if fetch; then
    exit 0
fi
echo "The look of the console (Bootstrap Italia) cannot be fetched: its pages are plain until scripts/assets.sh works." >&2
[[ ${1:-} == --if-possible ]]
