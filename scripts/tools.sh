# shellcheck shell=sh
# The tools: which verb needs which, where each is, and what installs it on which system.
# Sourced, with `root` set to the checkout, after toolchain.sh; it only looks and changes nothing.
#
# Its names for them: host (cargo for tools and tests), cc (what host Rust links with), certs (what cargo
# downloads with), kernel (Rust for the image), linker, lints (rustfmt and clippy), qemu, gdb, mtools, fsck, dtc,
# objdump (LLVM's), targets (Rust for the programs in tests/mmu), qemu-riscv64, qemu-x86_64, qemu-loongarch64. Not among
# all tools, because one verb alone needs each: valgrind (bench-host), chromium (test-ptmap), mdbook (book).
# shellcheck disable=SC2154  # toolchain.sh sets the names that are not set here

# Where emulators are unpacked that the system's package manager has no room for.
tools="${CARGO_TARGET_DIR:-$root/target}/tools"

all_tools='host cc certs kernel linker lints qemu gdb mtools fsck dtc objdump targets qemu-riscv64 qemu-x86_64 qemu-loongarch64'

# The version of mdBook that `make book` was tried with.
mdbook_version=0.5.4

# What the programs in tests/mmu are built for.
mmu_targets='aarch64-unknown-none riscv64imac-unknown-none-elf x86_64-unknown-none loongarch64-unknown-none-softfloat'

# The tools that `make $1` needs.
needs() (
    build='host cc certs kernel linker'
    case $1 in
    image | sdcard | flash | doc | strict) echo "$build" ;;
    qemu | bench | ptmap | lab | grade) echo "$build qemu" ;;
    console | planted) echo 'host cc certs' ;;
    bench-host) echo 'host cc certs valgrind' ;;
    debug) echo "$build qemu gdb" ;;
    test) echo "$build qemu gdb mtools fsck dtc objdump" ;;
    book) echo 'host cc certs mdbook' ;;
    test-ptmap) echo "$build qemu chromium" ;;
    test-mmu) echo "$build targets qemu qemu-riscv64 qemu-x86_64 qemu-loongarch64" ;;
    check) echo "$build lints targets" ;;
    fuzz | mutants) ;; # scripts/long.sh names theirs
    all) echo "$all_tools" ;;
    *) return 1 ;;
    esac
)

# The verbs that need tool $1, for people to read.
needed_by() (
    verbs=
    for verb in image sdcard flash qemu bench ptmap debug test test-mmu check; do
        case " $(needs "$verb") " in *" $1 "*) verbs="$verbs $verb" ;; esac
    done
    if [ "$verbs" = ' image sdcard flash qemu bench ptmap debug test test-mmu check' ]; then echo everything; else echo "${verbs# }"; fi
)

label() {
    case $1 in
    host) echo 'Rust for this machine' ;;
    cc) echo 'C linker (cc)' ;;
    certs) echo 'CA certificates' ;;
    kernel) echo 'Rust for the kernel' ;;
    linker) echo 'linker for the kernel' ;;
    lints) echo 'rustfmt and clippy' ;;
    qemu) echo 'QEMU for AArch64' ;;
    gdb) echo 'GDB for AArch64' ;;
    mtools) echo 'mtools' ;;
    fsck) echo 'fsck.fat' ;;
    dtc) echo 'dtc (device trees)' ;;
    objdump) echo 'llvm-objdump' ;;
    targets) echo 'Rust for tests/mmu' ;;
    qemu-riscv64) echo 'QEMU for RISC-V' ;;
    qemu-x86_64) echo 'QEMU for x86-64' ;;
    qemu-loongarch64) echo 'QEMU for LoongArch' ;;
    valgrind) echo valgrind ;;
    chromium) echo Chromium ;;
    mdbook) echo mdBook ;;
    esac
}

# Prints where tool $1 is; fails if it is nowhere.
find_tool() {
    case $1 in
    host) pick_host && echo "$host_bin/cargo" ;;
    cc) find_program cc ;;
    certs) if [ "$(package_manager)" = apt ]; then find_certificates; else echo "the system's"; fi ;;
    kernel) pick_kernel || :; [ -n "$kernel_bin" ] && echo "$kernel_bin/rustc" ;;
    linker) find_linker ;;
    lints) find_lints ;;
    qemu) find_program "${QEMU:-qemu-system-aarch64}" ;;
    gdb) find_gdb ;;
    mtools) find_program mcopy ;;
    fsck) find_program fsck.fat ;;
    dtc) find_program dtc ;;
    objdump) find_objdump ;;
    targets) find_targets ;;
    qemu-*) find_program "qemu-system-${1#qemu-}" ;;
    valgrind) find_program valgrind ;;
    mdbook) find_program mdbook ;;
    chromium) find_chromium ;;
    *) return 1 ;;
    esac
}

# A program by its path, or by its name on the PATH, where Debian keeps what it thinks only root runs, and where
# scripts/setup.sh unpacks emulators.
find_program() {
    case $1 in
    */*) [ -f "$1" ] && [ -x "$1" ] && echo "$1" ;;
    *) PATH="$PATH:/usr/sbin:/sbin:$tools/bin" command -v "$1" ;;
    esac
}

# What is wrong with the program that variable $1 names; fails if nothing is, or if it names none.
wrong_name() (
    eval "program=\${$1-}"
    [ -n "$program" ] && ! find_program "$program" >/dev/null && echo "$1=$program: no such program"
)

# The same for a folder.
wrong_folder() (
    eval "folder=\${$1-}"
    [ -n "$folder" ] && ! [ -d "$folder" ] && echo "$1=$folder: no such folder"
)

find_certificates() { [ -e /etc/ssl/certs/ca-certificates.crt ] && echo /etc/ssl/certs/ca-certificates.crt; }

find_linker() {
    pick_kernel || :
    [ "${kernel_linker-missing}" != missing ] && echo "${kernel_linker:-rust-lld of that toolchain}"
}

# The rustc for the last of them; the others may have another one.
find_targets() {
    this_rustc=
    for this_other in $mmu_targets; do
        this_rustc=$(KERNEL_TARGET=$this_other "$root/scripts/find-tool.sh" kernel) || return 1
    done
    echo "$this_rustc"
}

find_lints() {
    pick_host cargo-fmt rustfmt cargo-clippy || return 1
    pick_kernel || :
    [ -n "$kernel_bin" ] && [ -x "$kernel_bin/cargo-clippy" ] && echo "$host_bin/cargo-clippy"
}

# GDB=... if it is set; otherwise one built for this target, or for all of them, as Fedora's plain gdb is.
find_gdb() (
    if [ -n "${GDB-}" ]; then
        find_program "$GDB"
        return
    fi
    for name in gdb-multiarch aarch64-elf-gdb aarch64-none-elf-gdb aarch64-linux-gnu-gdb; do
        ! find_program "$name" || return 0
    done
    find_program gdb >/dev/null && gdb -nx -batch -ex 'set architecture aarch64' 2>&1 | grep -q 'set to' && find_program gdb
)

# Under its own name, under that of a version, and where Homebrew hides it; any version from 14 on will do.
find_objdump() (
    find_program llvm-objdump && return 0
    version=30
    while [ "$version" -ge 14 ]; do
        ! find_program "llvm-objdump-$version" || return 0
        version=$((version - 1))
    done
    for folder in /opt/homebrew/opt/llvm/bin /usr/local/opt/llvm/bin; do
        ! find_program "$folder/llvm-objdump" || return 0
    done
    return 1
)

# CHROMIUM=... if it is set; otherwise under the names that distributions give it.
find_chromium() (
    if [ -n "${CHROMIUM-}" ]; then
        find_program "$CHROMIUM"
        return
    fi
    for name in chromium chromium-browser chromium-headless-shell google-chrome; do
        ! find_program "$name" || return 0
    done
    return 1
)

# One line on tool $1's version; $2 is where it is.
version_of() {
    case $1 in
    host) echo "cargo $host_version" ;;
    kernel) echo "rustc $kernel_version" ;;
    lints) "${2%/*}/rustfmt" --version ;;
    linker) if [ -x "$2" ]; then "$2" --version; fi ;;
    mtools | targets) "$2" --version ;;
    objdump) "$2" --version | sed -n '/version/p' ;;
    certs | fsck) ;; # neither tells
    *) "$2" --version ;;
    esac 2>/dev/null | sed -n 1p
}

package_manager() (
    for manager in apt-get dnf pacman brew; do
        if command -v "$manager" >/dev/null; then
            echo "${manager%-get}"
            return 0
        fi
    done
    case $(uname -s) in Darwin) echo brew ;; *) echo none ;; esac
)

# The packages that bring tool $1, for the package manager $2.
packages_for() {
    case $2:$1 in
    apt:host | apt:kernel | apt:lints | apt:targets) debian_rust "$1" ;;
    apt:linker) debian_lld ;;
    apt:cc) echo gcc libc6-dev ;;
    apt:certs) echo ca-certificates ;;
    apt:qemu) echo qemu-system-arm ;;
    apt:qemu-riscv64 | apt:qemu-loongarch64) echo qemu-system-misc ;;
    apt:qemu-x86_64) echo qemu-system-x86 ;;
    apt:gdb) echo gdb-multiarch ;;
    apt:dtc) echo device-tree-compiler ;;
    dnf:host) echo cargo rust ;;
    dnf:kernel) echo "cargo rust rust-std-static-$target" ;;
    dnf:lints) echo clippy rustfmt ;;
    dnf:targets) echo cargo rust rust-src ;;
    dnf:qemu) echo qemu-system-aarch64-core ;;
    dnf:qemu-riscv64) echo qemu-system-riscv-core ;;
    dnf:qemu-x86_64) echo qemu-system-x86-core ;;
    dnf:qemu-loongarch64) echo qemu-system-loongarch64-core ;;
    dnf:gdb) echo gdb ;;
    pacman:host | pacman:lints) echo rust ;;
    pacman:kernel | pacman:targets) echo rust rust-src ;;
    pacman:qemu) echo qemu-system-aarch64 ;;
    pacman:qemu-riscv64) echo qemu-system-riscv ;;
    pacman:qemu-x86_64) echo qemu-system-x86 ;;
    pacman:qemu-loongarch64) echo qemu-system-loongarch64 ;;
    pacman:gdb) echo aarch64-linux-gnu-gdb ;;
    brew:host | brew:kernel | brew:lints | brew:targets) echo rustup ;;
    brew:qemu | brew:qemu-*) echo qemu ;;
    brew:gdb) echo aarch64-elf-gdb ;;
    *:chromium) echo chromium ;;
    *:cc) echo gcc ;;
    *:linker) echo lld ;;
    *:mtools) echo mtools ;;
    *:fsck) echo dosfstools ;;
    *:dtc) echo dtc ;;
    *:objdump) echo llvm ;;
    *:valgrind) echo valgrind ;;
    *:mdbook) echo mdbook ;;
    esac
}

# Debian's Rust comes in families: rustc, the newer rustc-web on a stable release, and Ubuntu's rustc-1.NN.
# The first one that is new enough is taken.
debian_rust() (
    versioned=$(apt-cache search --names-only '^rustc-1[.][0-9]+$' 2>/dev/null | sed 's/ .*//' | sort -t. -k2,2nr)
    for family in rustc rustc-web $versioned; do
        version=$(candidate "$family")
        if [ -n "$version" ] && at_least "$version" "$minimum_rust"; then
            case $family in
            rustc) set -- "$1" rustc cargo rust-src rust-clippy rustfmt ;;
            rustc-web) set -- "$1" rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web ;;
            *) set -- "$1" "$family" "cargo-${family#*-}" "rust-${family#*-}-src" "rust-${family#*-}-clippy" "rustfmt-${family#*-}" ;;
            esac
            case $1 in
            lints) echo "$2 $3 $4 $5 $6" ;;
            *) echo "$2 $3 $4" ;;
            esac
            return 0
        fi
    done
    # None is: naming the plain one lets apt or the reader see which version there is.
    echo rustc cargo rust-src
)

# Any LLD will do; this one shares its LLVM with the compiler of rustc-web.
debian_lld() { if [ -n "$(candidate lld-22)" ]; then echo lld-22; else echo lld; fi; }

# The version of package $1 that apt would install, or nothing.
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([0-9].*\)/\1/p' | sed 's/^[0-9]*://'; }

# Every target, as rustup wants them.
target_options() { echo "$target $mmu_targets" | sed 's/[^ ][^ ]*/--target &/g'; }

# The command that installs the packages $2... with the package manager $1, and what has to follow it.
install_command() (
    manager=$1
    shift
    packages=$(printf '%s\n' "$@" | sort -u | tr '\n' ' ')
    packages=${packages% }
    case $manager in
    apt) echo "sudo apt-get install $packages" ;;
    dnf) echo "sudo dnf install $packages" ;;
    pacman) echo "sudo pacman -S --needed $packages" ;;
    brew)
        echo "brew install $packages"
        case " $packages " in *' rustup '*) echo "rustup toolchain install stable --component clippy --component rustfmt $(target_options)" ;; esac
        ;;
    none) echo "install with your system's package manager: $packages" ;;
    esac
)
