# shellcheck shell=bash
# Programs of the other architecture: the kernel hands them to qemu-user, once it knows how.
# Needs talk.sh and packages.sh.

binfmt=/proc/sys/fs/binfmt_misc

foreign_architecture() {
    case $(uname -m) in
    aarch64) echo x86_64 ;;
    *) echo aarch64 ;;
    esac
}

emulation_runs() { [[ -e $binfmt/qemu-$(foreign_architecture) ]]; }

# A package installed where services are held back registers nothing, nor does one in a container.
start_emulation() {
    emulation_runs && return
    say "Letting the kernel run programs of $(foreign_architecture) with qemu-user"
    [[ -e $binfmt/register ]] || as_root mount -t binfmt_misc binfmt_misc "$binfmt" || true
    as_root update-binfmts --enable || true
    emulation_runs || fail 1 "the kernel cannot be told to run programs of $(foreign_architecture)" \
        "the tests build and run images of both architectures: load the module binfmt_misc"
}
