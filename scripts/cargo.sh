#!/bin/sh
# Runs cargo for the host (tools and tests): rustup's if there is one, else the distribution's.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/toolchain.sh"
cd "$root"

case ${1-} in
fmt | clippy) program=cargo-$1 ;;
*) program=cargo ;;
esac
if ! pick_host "$program"; then
    echo "no $program of Rust $minimum_rust or newer: \`make setup\` installs one, \`make doctor\` explains" >&2
    exit 1
fi

# Cargo is quiet while it builds the tools.
case ${1-} in xtask | test | clippy | qemu)
    [ -e "${CARGO_TARGET_DIR:-target}/debug" ] ||
        echo "The first build takes two to five minutes (a checkout's tools, core, the kernel); later ones take seconds." >&2
    ;;
esac

# rustup with a target in rust-toolchain.toml and no connection would fail every call.
export RUSTUP_AUTO_INSTALL=0
export CARGO="$host_bin/cargo" RUSTC="$host_bin/rustc" RUSTDOC="$host_bin/rustdoc" RUSTFMT="$host_bin/rustfmt"
unset CARGO_BUILD_TARGET
# Emulators that scripts/setup.sh has unpacked, behind those of the system.
export PATH="$PATH:${CARGO_TARGET_DIR:-$root/target}/tools/bin"
exec "$host_bin/$program" "$@"
