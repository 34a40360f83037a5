#!/bin/sh
# Shows each tool: where it is and its version, or who needs it and what installs it. Exit code 0 if
# `make qemu` and `make test` can work, 1 otherwise. Installs nothing.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/toolchain.sh"
. "$root/scripts/tools.sh"

survey
manager=$(package_manager)
required=" $(needs qemu) $(needs test) "
code=0

# What the caller named for tool $1 and is not there.
wrong_name_of() {
    case $1 in
    qemu) wrong_name QEMU ;;
    gdb) wrong_name GDB ;;
    *) return 1 ;;
    esac
}

row() { printf '%-8s %-22s %s\n' "$1" "$2" "$3"; }

for tool in $all_tools; do
    # The picks must happen in this shell, not in the one of the command substitution.
    case $tool in
    host) pick_host || : ;;
    kernel) pick_kernel || : ;;
    esac
    if path=$(find_tool "$tool"); then
        version=$(version_of "$tool" "$path")
        row found "$(label "$tool")" "$path${version:+  ($version)}"
    elif wrong=$(wrong_name_of "$tool"); then
        row MISSING "$(label "$tool")" "$wrong"
        case $required in *" $tool "*) code=1 ;; esac
    else
        row MISSING "$(label "$tool")" "needed by: $(needed_by "$tool")"
        # shellcheck disable=SC2046  # a list of package names
        install_command "$manager" $(packages_for "$tool" "$manager") | sed "s/^/$(row '' '' '')mend it: /"
        case $required in *" $tool "*) code=1 ;; esac
    fi
done

echo
if [ -n "$kernel_bin" ]; then
    case $kernel_kind in
    ready) echo "The image is built by $kernel_bin/rustc, which has $target." ;;
    sources) echo "The image is built by $kernel_bin/rustc, which builds core and alloc from its own sources first." ;;
    esac
else
    echo "Nothing here can build the image."
fi
printf '%s' "$toolchains" | while IFS=$tab read -r kind version bin; do
    if [ "$bin" != "$kernel_bin" ]; then
        case $kind in
        bare) echo "Not by $bin: Rust $version, but neither the target (rustup target add $target) nor library sources." ;;
        *) echo "Not by $bin: Rust $version would do too, but the one above comes first." ;;
        esac
    fi
done
printf '%s' "$passed_over" | sed 's/^/Not by /'
if wrong=$(wrong_folder FIRMWARE); then echo "$wrong"; fi
if [ "$code" = 0 ]; then echo "\`make qemu\` and \`make test\` have all they need."; else echo "\`make setup\` installs what is missing, where it can."; fi
exit "$code"
