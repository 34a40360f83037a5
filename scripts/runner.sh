#!/bin/sh
# Cargo's runner for the kernel's target (.cargo/config.toml): boots the ELF file $1 in QEMU.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
elf=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)/$(basename -- "$1")
# The outer cargo's settings for the kernel's target must not reach the build of the host tool.
. "$root/scripts/toolchain.sh"
clear_cargo_environment
exec "$root/scripts/cargo.sh" xtask qemu --elf "$elf"
