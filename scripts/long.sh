#!/bin/sh
# The long runs, which `make test` has no time for: scripts/long.sh fuzz [SECONDS] | mutants [ARGUMENT...].
# Their tools are cargo-fuzz and cargo-mutants; they take minutes to build and nothing else needs them.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"

need() {
    command -v "$1" >/dev/null && return 0
    echo "\`make ${1#cargo-}\` needs $1: cargo install $1" >&2
    exit 1
}

case ${1-} in
fuzz)
    need cargo-fuzz
    # Sanitizers are options of rustc that a stable one takes only so.
    RUSTC_BOOTSTRAP=1 exec cargo-fuzz fuzz run --fuzz-dir fuzz operations -- \
        "-max_total_time=${2:-600}" -timeout=10 -max_len=4096
    ;;
mutants)
    need cargo-mutants
    shift
    # The tests of the room alone, the quick ones with fewer operations: a mutant that lives is looked at by hand.
    STILT_MODEL_OPERATIONS=${STILT_MODEL_OPERATIONS:-3000} STILT_ADVERSARY_OPERATIONS=${STILT_ADVERSARY_OPERATIONS:-2000} \
        exec cargo-mutants mutants --package stilt --file 'src/paging/**/*.rs' --exclude 'src/paging/tests/**' \
        --exclude 'src/paging/mutants.rs' --output target/mutants "$@" -- --lib paging -- --skip exhaustive
    ;;
*)
    echo "usage: scripts/long.sh fuzz [SECONDS] | mutants [ARGUMENT...]" >&2
    exit 2
    ;;
esac
