#!/bin/sh
# Installs what `make $1` needs and this machine lacks: by rustup where it may, by apt without asking on Debian
# and Ubuntu; elsewhere it prints the command to run and fails. Says nothing when nothing is missing.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/toolchain.sh"
. "$root/scripts/tools.sh"

verb=${1:-all}
if ! wanted=$(needs "$verb"); then
    echo "usage: scripts/setup.sh [image|qemu|debug|console|ptmap|lab|grade|strict|test|test-mmu|test-ptmap|check|doc|book|bench|bench-host|fuzz|mutants|planted|sdcard|flash|all]" >&2
    exit 2
fi

main() {
    check_names
    look
    [ -n "$missing" ] || return 0
    ask_rustup
    [ -n "$missing" ] || return 0
    build_mdbook
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
    if ! wrong=$(wrong_name QEMU || wrong_name GDB || wrong_name CHROMIUM || wrong_folder FIRMWARE); then return 0; fi
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

# mdBook from its sources, in target/tools/bin: distributions have none, or an old one. Without the server that shows
# a book while it is written.
build_mdbook() {
    if ! is_missing mdbook || ! pick_host; then return 0; fi
    echo "setup: cargo builds mdbook $mdbook_version in target/tools, which takes some minutes"
    if (
        clear_cargo_environment
        PATH="$host_bin:$PATH" cargo install --quiet --root "$tools" --version "$mdbook_version" \
            --locked --no-default-features --features search mdbook
    ); then
        look
    else
        echo "setup: cargo could not build mdbook" >&2
    fi
}

use_apt() {
    as_root apt-get update -q || echo "setup: apt-get update failed; trying with the lists that are here" >&2
    # shellcheck disable=SC2046  # a list of package names
    set -- $(missing_packages)
    if ! apt_installs "$@"; then
        unpack_emulators
        surveyed=
        look
        # shellcheck disable=SC2046  # a list of package names
        set -- $(missing_packages)
        [ $# = 0 ] || apt_installs "$@" || explain_apt "$@"
    fi
    surveyed=
}

# Never at the price of a package that is there.
apt_installs() {
    echo "setup: apt installs $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
        install -q -y --no-install-recommends --no-remove "$@"
}

# Emulators for which apt would have to remove something, as the `qemu-utils` of another release: they run from
# any folder, so they are unpacked in target/tools, and the system stays as it is.
unpack_emulators() {
    # shellcheck disable=SC2046  # a list of package names
    set -- $(for tool in $missing; do
        case $tool in qemu | qemu-*) packages_for "$tool" "$manager" ;; esac
    done | sort -u)
    [ $# -gt 0 ] || return 0
    plan=$(apt-get -s install --no-install-recommends "$@" 2>/dev/null) || return 0
    in_the_way=$(echo "$plan" | sed -n 's/^Remv \([^ ]*\).*/\1/p' | tr '\n' ' ')
    packages=$(echo "$plan" | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
    if [ -n "$in_the_way" ] && [ -n "$packages" ]; then
        echo "setup: apt would have to remove ${in_the_way% } for $*: unpacked in target/tools instead"
        # shellcheck disable=SC2086  # a list of package names
        unpack $packages || echo "setup: $* could not be unpacked" >&2
    fi
}

# Unpacks packages in target/tools/root, and makes programs in target/tools/bin of the emulators there.
unpack() (
    mkdir -p "$tools/packages" "$tools/root" "$tools/bin"
    cd "$tools/packages"
    apt-get download -q -o APT::Sandbox::User=root "$@" || return 1
    for package in *.deb; do
        dpkg -x "$package" "$tools/root" || return 1
    done
    # A program that is started in a folder that is gone complains of it.
    cd "$tools"
    rm -r "$tools/packages"
    for program in "$tools"/root/usr/bin/qemu-system-*; do
        name=${program##*/}
        cat >"$tools/bin/$name" <<END
#!/bin/sh
# Made by scripts/setup.sh: an emulator that was unpacked, with its libraries, modules and ROMs.
root=\$(CDPATH='' cd -- "\$(dirname -- "\$0")/../root" && pwd)
libraries=\$(echo "\$root"/usr/lib/*-linux-gnu)
early_libraries=\$(echo "\$root"/lib/*-linux-gnu)
export LD_LIBRARY_PATH="\$libraries:\$early_libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export QEMU_MODULE_DIR="\$libraries/qemu"
exec "\$root/usr/bin/$name" -L "\$root/usr/share/qemu" -L "\$root/usr/share/seabios" "\$@"
END
        chmod +x "$tools/bin/$name"
        # One that does not start would be found, and fail each verb in turn.
        "$tools/bin/$name" --version >/dev/null || rm "$tools/bin/$name"
    done
)

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
