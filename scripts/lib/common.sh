# What the scripts share. To be sourced, from anywhere, after `set -euo pipefail`.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export root
cd "$root" || exit 1

# One line that stands out, on a terminal in bold.
say()
{
    if [ -t 1 ]; then
        printf '\033[1m%s\033[0m\n' "$*"
    else
        printf '%s\n' "$*"
    fi
}

die()
{
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Configures a preset once, then only when its options change, and builds the targets (none = all).
#     build_preset release "-DHEDDLE_TESTS=ON" heddle-relay heddle-edge
# Like everything here it returns what went wrong: `set -e` does not reach into conditions.
build_preset()
{
    local preset=$1 options=$2
    shift 2
    local targets=() log
    [ $# -eq 0 ] || targets=(--target "$@")
    log=$(mktemp)
    # shellcheck disable=SC2086 # several options, or none
    if ! cmake --preset "$preset" $options >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        echo "cmake --preset $preset failed" >&2
        return 1
    fi
    rm -f "$log"
    cmake --build --preset "$preset" "${targets[@]}"
}

# The client libraries, when package-lock.json has changed since they were installed.
install_clients()
{
    local lock=tests/clients/package-lock.json mark=tests/clients/node_modules/.installed
    cmp -s "$lock" "$mark" && return 0
    (cd tests/clients && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) &&
        cp "$lock" "$mark"
}
