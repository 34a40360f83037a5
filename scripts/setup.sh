#!/bin/sh
# Installs what `make $1` needs and this machine lacks: by rustup where it may, by apt without asking on Debian
# and Ubuntu; elsewhere it prints the command to run and fails. Says nothing when nothing is missing.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/toolchain.sh"
. "$root/scripts/tools.sh"

verb=${1:-all}
if ! wanted=$(needs "$verb"); then
    echo "usage: scripts/setup.sh [image|qemu|debug|console|test|test-mmu|check|doc|bench|bench-host|fuzz|mutants|planted|sdcard|flash|all]" >&2
    exit 2
fi

main() {
    check_names
    look
    [ -n "$missing" ] || return 0
    ask_rustup
    [ -n "$missing" ] || return 0
    manager=$(package_manager)
    if [ "$manager" = apt ]; then
        use_apt
        look
    fi
    [ -z "$missing" ] || give_up
}

# What the caller names must be there, whichever verb it is for: nothing that is installed could take its place.
check_names() {
    if ! wrong=$(wrong_name QEMU || wrong_name GDB || wrong_folder FIRMWARE); then return 0; fi
    echo "error: $wrong" >&2
    exit 1
}

# Sets `missing` to the tools that are wanted and not there.
look() {
    survey
    missing=
    for tool in $wanted; do
        find_tool "$tool" >/dev/null || missing="$missing $tool"
    done
}

is_missing() { case "$missing " in *" $1 "*) ;; *) return 1 ;; esac; }

# A few megabytes for the target, against the distribution's whole compiler and its sources.
ask_rustup() {
    if [ "${RUSTUP_AUTO_INSTALL-1}" = 0 ] || ! command -v rustup >/dev/null; then return 0; fi
    this_targets=$target
    if is_missing targets; then
        this_targets="$target $mmu_targets"
    elif ! is_missing host && ! is_missing kernel && ! is_missing lints; then
        return 0
    fi
    echo "setup: rustup adds the target $this_targets, clippy and rustfmt to the stable toolchain"
    # rust-toolchain.toml names most of these; the calls after the first one are for a rustup that had a part.
    # shellcheck disable=SC2086  # a list of targets
    if (cd "$root" && rustup target add $this_targets && rustup component add clippy rustfmt); then
        surveyed=
        look
    else
        echo "setup: rustup could not; trying the system's packages" >&2
    fi
}

use_apt() {
    as_root apt-get update -q || echo "setup: apt-get update failed; trying with the lists that are here" >&2
    # shellcheck disable=SC2046  # a list of package names
    set -- $(missing_packages)
    echo "setup: apt installs $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
        install -q -y --no-install-recommends --no-remove "$@" || explain_apt "$@"
    surveyed=
}

# Why apt did not install "$@": usually because another package would have to go, which is for its owner to decide.
explain_apt() {
    removed=$(apt-get -s install --no-install-recommends "$@" 2>/dev/null | sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ')
    if [ -n "$removed" ]; then
        echo "setup: apt would have to remove ${removed% }; that is for you to decide, and nothing was changed" >&2
    else
        echo "setup: apt could not install them all" >&2
    fi
}

missing_packages() {
    for tool in $missing; do
        packages_for "$tool" "$manager"
    done | tr ' ' '\n' | sort -u
}

# Runs "$@" as root: directly, by a sudo that asks nothing, or by one that asks at a terminal.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        sudo "$@"
    else
        return 1
    fi
}

give_up() {
    {
        echo "\`make $verb\` needs what is not here:"
        for tool in $missing; do
            echo "  - $(label "$tool")"
        done
        [ -z "$passed_over" ] || printf '%s' "$passed_over" | sed 's/^/    passed over: /'
        echo "Run this, then try again:"
        # shellcheck disable=SC2046  # a list of package names
        install_command "$manager" $(missing_packages) | sed 's/^/  /'
    } >&2
    exit 1
}

main
