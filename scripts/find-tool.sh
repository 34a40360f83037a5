#!/bin/sh
# Prints where a tool is, by its name in scripts/tools.sh; fails without a word if it is nowhere.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/toolchain.sh"
. "$root/scripts/tools.sh"

find_tool "$1"
