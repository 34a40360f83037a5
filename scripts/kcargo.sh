#!/bin/sh
# Runs cargo for the kernel: scripts/kcargo.sh build --release, scripts/kcargo.sh clippy -- -D warnings.
# Its files go to target/kernel, apart from those of the host's toolchain; KERNEL_TARGET_DIR changes that.
# KERNEL_TARGET names another target, for the programs in tests/mmu; KERNEL_RUSTFLAGS takes the place of all flags
# in .cargo/config.toml, for the program in benches/peers.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/toolchain.sh"
cd "$root"

if [ $# -eq 0 ]; then
    echo "usage: scripts/kcargo.sh VERB [ARGUMENT...]: a cargo verb that takes --target" >&2
    exit 2
fi
if ! pick_kernel || [ "$kernel_linker" = missing ]; then
    echo "no Rust for $target, or no linker for it: \`make setup\` installs one, \`make doctor\` explains" >&2
    exit 1
fi

verb=$1
shift
KERNEL_TARGET_DIR=${KERNEL_TARGET_DIR:-${CARGO_TARGET_DIR:-target}/kernel}
[ -e "$KERNEL_TARGET_DIR/$target" ] ||
    echo "The first build for $target takes half a minute to two minutes; later ones take seconds." >&2
clear_cargo_environment
export CARGO="$kernel_bin/cargo" RUSTC="$kernel_bin/rustc" RUSTDOC="$kernel_bin/rustdoc"
export CARGO_TARGET_DIR="$KERNEL_TARGET_DIR"
if [ -n "${KERNEL_RUSTFLAGS-}" ]; then
    export RUSTFLAGS="$KERNEL_RUSTFLAGS"
fi
if [ -n "$kernel_linker" ]; then
    export "CARGO_TARGET_$(echo "$target" | tr a-z- A-Z_)_LINKER=$kernel_linker"
fi
if [ "$kernel_kind" = sources ]; then
    export RUSTC_BOOTSTRAP=1
    set -- --config "$root/scripts/kernel-toolchain.toml" "$@"
fi
# Panics name their place in the source. Without this the image would hold the user's home in the names of
# dependencies' files, and two people's images would differ. Arrays of several configurations are joined.
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
set -- --config "target.$target.rustflags=[\"--remap-path-prefix=$sources=registry\"]" "$@"
set -- "$verb" --target "$target" "$@"
# `cargo clippy` would look for cargo-clippy on the PATH, which may be another toolchain's.
case $verb in
clippy) exec "$kernel_bin/cargo-clippy" "$@" ;;
*) exec "$kernel_bin/cargo" "$@" ;;
esac
