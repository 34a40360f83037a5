#!/bin/sh
# The long runs, which `make test` has no time for: scripts/long.sh fuzz [SECONDS [TARGET]] | mutants [ARGUMENT...].
# Their tools are cargo-fuzz and cargo-mutants; they take minutes to build and nothing else needs them.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"

need() {
    command -v "$1" >/dev/null && return 0
    echo "\`make ${1#cargo-}\` needs $1: cargo install $1" >&2
    exit 1
}

# Changes one thing after the other in `$files` (unquoted: an option and its value, or nothing; no shell expands it).
mutate() (
    set -f
    # shellcheck disable=SC2086
    exec cargo-mutants mutants --package stilt-paging --profile mutants $files --exclude 'paging/src/tests/**' \
        --timeout-multiplier 4 --output target/mutants "$@"
)

case ${1-} in
fuzz)
    need cargo-fuzz
    # Sanitizers are options of rustc that a stable one takes only so.
    RUSTC_BOOTSTRAP=1 exec cargo-fuzz fuzz run --fuzz-dir fuzz "${3:-operations}" -- \
        "-max_total_time=${2:-600}" -timeout=10 -max_len=4096
    ;;
mutants)
    need cargo-mutants
    shift
    files='--file paging/src/**/*.rs'
    case " $* " in *" --file"[\ =]* | *" -f "*) files= ;; esac
    # `--fail-fast` is an option of the test harness that a stable one takes only so.
    export RUSTC_BOOTSTRAP=1 RUST_BACKTRACE=0
    export STILT_MODEL_OPERATIONS="${STILT_MODEL_OPERATIONS:-2000}"
    export STILT_ADVERSARY_OPERATIONS="${STILT_ADVERSARY_OPERATIONS:-2000}"
    # First the tests that take no time; then, for what they did not catch, the slow ones, too. What lives
    # then is looked at by hand: paging/src/tests/mutants.md.
    mutate --minimum-test-timeout 10 "$@" -- --lib -- --skip exhaustive --skip every_planted --skip no_schedule \
        --skip running_out_of --skip take_any_arg --skip runs_of_a_range --skip no_core_is_misled \
        -Zunstable-options --fail-fast || [ $? -lt 4 ]
    mutate --iterate "$@" -- --lib -- --skip exhaustive -Zunstable-options --fail-fast
    ;;
*)
    echo "usage: scripts/long.sh fuzz [SECONDS [TARGET]] | mutants [ARGUMENT...]" >&2
    exit 2
    ;;
esac
