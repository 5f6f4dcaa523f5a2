# shellcheck shell=bash
# Rust: find a toolchain that is new enough, or where to get one.
# Needs talk.sh and packages.sh; runs in the top folder.

# Subcommands of cargo that must work as well; scripts/test names some.
cargo_needs=()

# Prints the oldest Rust that can build this workspace; Cargo.toml is its only home.
minimum_rust() { sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' Cargo.toml | head -n 1; }

# is_at_least VERSION MINIMUM
is_at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$2" ]]; }

# A toolchain is judged by running it: the commands of rustup exist without one.
works_from() {
    local dir=$1 version subcommand
    [[ -x $dir/cargo && -x $dir/rustc ]] || return 1
    "$dir/cargo" --version >/dev/null 2>&1 || return 1
    version=$("$dir/rustc" --version 2>/dev/null | cut -d ' ' -f 2)
    [[ -n $version ]] && is_at_least "$version" "$(minimum_rust)" || return 1
    for subcommand in "${cargo_needs[@]}"; do
        PATH=$dir:$PATH "$dir/cargo" "$subcommand" --version >/dev/null 2>&1 || return 1
    done
}

# Prints where cargo may live: the PATH, rustup's folder, Ubuntu's versioned packages.
rust_places() {
    tr ':' '\n' <<<"$PATH"
    printf '%s\n' "${CARGO_HOME:-$HOME/.cargo}/bin"
    printf '%s\n' /usr/lib/rust-*/bin | sort -rV
}

# Puts the first toolchain that will do on the PATH; false when there is none.
use_rust() {
    local dir
    while read -r dir; do
        if works_from "$dir"; then
            [[ $(command -v cargo) == "$dir/cargo" ]] || PATH=$dir:$PATH
            export PATH
            return 0
        fi
    done < <(rust_places)
    return 1
}

find_rustup() {
    have rustup || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    have rustup
}

# Prints the packages of each toolchain apt-get may know, best first: compiler, cargo, clippy, rustfmt.
rust_candidates() {
    echo "rustc cargo rust-clippy rustfmt"
    echo "rustc-web cargo-web rust-web-clippy rustfmt-web"
    apt-cache pkgnames rustc-1. | sed -n 's/^rustc-\(1\.[0-9]*\)$/\1/p' | sort -rV |
        sed 's/.*/rustc-& cargo-& rust-&-clippy rustfmt-&/'
}

# Adds to the missing packages what brings a Rust that is new enough; false when nothing does.
plan_rust() {
    local compiler cargo clippy rustfmt version
    find_rustup && return 0
    while read -r compiler cargo clippy rustfmt; do
        version=$(candidate "$compiler")
        if [[ -n $version ]] && is_at_least "$version" "$(minimum_rust)" && [[ -n $(candidate "$cargo") ]]; then
            missing+=("$compiler" "$cargo")
            ((${#cargo_needs[@]} == 0)) || missing+=("$clippy" "$rustfmt")
            return 0
        fi
    done < <(rust_candidates)
    [[ -n $(candidate rustup) ]] && missing+=(rustup)
}

no_rust() {
    fail 1 "no Rust $(minimum_rust) or newer: neither on this machine nor in its package sources" \
        "install one with rustup as described on rust-lang.org, then run this again"
}

# After the packages are in: ends with a working toolchain on the PATH.
obtain_rust() {
    use_rust && return 0
    if find_rustup; then
        say "Installing a Rust toolchain: rustup toolchain install stable"
        rustup toolchain install stable --profile minimal --component clippy --component rustfmt >&2 || true
        export RUSTUP_TOOLCHAIN=stable
        use_rust && return 0
    fi
    no_rust
}

# Prints the folder cargo builds into, wherever CARGO_TARGET_DIR or a cargo config puts it.
target_directory() {
    cargo metadata --no-deps --format-version 1 --locked |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}
