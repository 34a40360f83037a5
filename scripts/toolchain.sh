# shellcheck shell=sh
# Which Rust builds what. Sourced, with `root` set to the checkout; it only looks and changes nothing.
#
#   pick_kernel   kernel_kind     ready: it holds a compiled `core` | sources: it builds `core` itself
#                 kernel_bin      the folder of its cargo and rustc
#                 kernel_linker   what rustc calls to link; empty: its own rust-lld
#   pick_host [TOOL...]  host_bin the folder of the cargo that builds tools and tests (and has each TOOL)
#   survey        toolchains      one line each: kind, version, folder, separated by tabs
#                 passed_over     one line for each rustc that cannot be used, with the reason
#
# KERNEL_TARGET names another target than the kernel's, for the programs in tests/mmu.
#
# The shell has no local variables: what a function does not hand out is called this_*, or dies with a subshell.
#
# Decision: after asking `rustc` for its sysroot, nothing goes through rustup's proxies or the PATH again.
# Cargo from one toolchain with rustc or clippy from another fails in ways that do not name the cause.

# shellcheck disable=SC2034  # read by the scripts that source this file
target=${KERNEL_TARGET:-aarch64-unknown-none-softfloat}
minimum_rust=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "${root:?}/Cargo.toml")
# Where distributions put their rustc: all of Debian's, Fedora's and Arch's, then Ubuntu's versioned ones.
: "${DISTRO_RUSTC:=/usr/bin/rustc /usr/lib/rust-*/bin/rustc}"
tab=$(printf '\t')
newline='
'

pick_kernel() {
    survey
    for this_kind in ready sources; do
        while IFS=$tab read -r kernel_kind kernel_version kernel_bin; do
            if [ "$kernel_kind" = "$this_kind" ]; then
                pick_linker
                return 0
            fi
        done <<EOF
$toolchains
EOF
    done
    kernel_bin=
    return 1
}

# The first linker of: the toolchain's own, any rust-lld, LLVM's newest, LLVM's unversioned, GNU's.
pick_linker() {
    kernel_linker=
    for this_linker in "${kernel_bin%/bin}"/lib/rustlib/*/bin/rust-lld; do
        [ ! -x "$this_linker" ] || return 0
    done
    kernel_linker=$(command -v rust-lld || newest_lld || command -v ld.lld || command -v "${target%%-*}-linux-gnu-ld") ||
        kernel_linker=missing
}

newest_lld() (
    IFS=:
    for folder in $PATH; do
        for file in "$folder"/ld.lld-[0-9]*; do
            [ ! -x "$file" ] || printf '%s\t%s\n' "${file##*-}" "$file"
        done
    done | sort -rn | sed -n '1s/^[^	]*	//p' | grep .
)

pick_host() {
    survey
    while IFS=$tab read -r _ host_version host_bin; do
        if [ -n "$host_bin" ] && has_each "$host_bin" "$@"; then return 0; fi
    done <<EOF
$toolchains
EOF
    return 1
}

# Whether folder $1 has every program that follows.
has_each() (
    folder=$1
    shift
    for program in "$@"; do
        [ -x "$folder/$program" ] || return 1
    done
)

survey() {
    [ -z "${surveyed-}" ] || return 0
    surveyed=yes toolchains='' passed_over=''
    this_first=$(command -v rustc) && survey_one "$this_first"
    for this_candidate in $DISTRO_RUSTC; do
        survey_one "$this_candidate"
    done
}

survey_one() {
    [ -x "$1" ] || return 0
    # A rustup that may install would do so here, for half a minute and without a word.
    if ! this_sysroot=$(cd "$root" && RUSTUP_AUTO_INSTALL=0 "$1" --print sysroot 2>&1); then
        pass_over "$1 does not run: $(printf '%s\n' "$this_sysroot" | sed -n 1p)"
        return 0
    fi
    this_sysroot=$(printf '%s\n' "$this_sysroot" | tail -n 1)
    this_bin=$this_sysroot/bin
    case "$newline$toolchains$passed_over" in *"$tab$this_bin$newline"* | *"$newline$this_bin:"*) return 0 ;; esac
    if ! has_each "$this_bin" rustc cargo; then
        pass_over "$this_bin: there is no cargo beside the rustc"
        return 0
    fi
    this_version=$("$this_bin/rustc" --version | sed 's/^rustc \([0-9.]*\).*/\1/')
    if ! at_least "$this_version" "$minimum_rust"; then
        pass_over "$this_bin: Rust $this_version is older than $minimum_rust"
        return 0
    fi
    toolchains="$toolchains$(kind_of "$this_sysroot")$tab$this_version$tab$this_bin$newline"
}

pass_over() { passed_over="$passed_over$1$newline"; }

# The path that rustc prints for a target's libraries may not exist: only a libcore counts.
kind_of() (
    for core in "$("$1/bin/rustc" --print target-libdir --target "$target")"/libcore-*.rlib; do
        [ ! -e "$core" ] || { echo ready && exit 0; }
    done
    if [ -e "$1/lib/rustlib/src/rust/library/Cargo.lock" ]; then echo sources; else echo bare; fi
)

# Whether version $1 is $2 or newer, by its first two numbers.
at_least() (
    minor=${1#*.} wanted_minor=${2#*.}
    minor=${minor%%.*} wanted_minor=${wanted_minor%%.*}
    [ "${1%%.*}" -gt "${2%%.*}" ] || { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "$minor" -ge "$wanted_minor" ]; }
)

# Takes away what an outer cargo, rustup or a user's setting would smuggle into the kernel's build: flags
# from the environment replace those of .cargo/config.toml, and the link then fails or, worse, does not.
clear_cargo_environment() {
    unset CARGO RUSTC RUSTDOC RUSTFMT RUSTFLAGS RUSTDOCFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER \
        CARGO_ENCODED_RUSTFLAGS CARGO_ENCODED_RUSTDOCFLAGS RUSTUP_TOOLCHAIN RUSTC_BOOTSTRAP \
        LD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH
    for this_name in $(env | sed -n 's/^\(CARGO_\(BUILD\|TARGET\|PROFILE\|UNSTABLE\)_[A-Z0-9_]*\)=.*/\1/p'); do
        unset "$this_name"
    done
}
