# shellcheck shell=bash
# The steps quickstart and test share: look, plan and say. Sourced from the top folder.

# shellcheck source=scripts/lib/talk.sh
. scripts/lib/talk.sh
# shellcheck source=scripts/lib/packages.sh
. scripts/lib/packages.sh
# shellcheck source=scripts/lib/rust.sh
. scripts/lib/rust.sh
# shellcheck source=scripts/lib/engine.sh
. scripts/lib/engine.sh

# What building occ and a sandbox takes.
look_for_basics() {
    need curl curl
    need git git
    need mount mount
    need mmdebstrap mmdebstrap
    need pip3 python3-pip
    need cc gcc
    need_file /usr/include/stdio.h libc6-dev
    need_file /etc/ssl/certs/ca-certificates.crt ca-certificates
    need_file /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
    if ((EUID != 0)); then
        need newuidmap uidmap
        need sg login
    fi
    plan_engine
    lacks_npm=$(have npm || echo yes)
    lacks_rust=$(use_rust || echo yes)
}

# plan_packages DRY_RUN: turns what is lacking into package names and says them.
plan_packages() {
    local dry_run=$1
    local lacks_docker_client=${lacks_docker_client:-}
    if ((${#missing[@]})) || [[ $lacks_npm$lacks_rust$lacks_docker_client ]]; then
        $dry_run || refresh_package_lists "${missing[@]}" ${lacks_npm:+npm} ${lacks_rust:+cargo}
        [[ -z $lacks_npm ]] || missing+=("$(npm_package)")
        [[ -z $lacks_docker_client ]] || missing+=("$(docker_client_package)")
        if [[ $lacks_rust ]] && ! plan_rust; then
            $dry_run || no_rust
            say "A Rust $(minimum_rust) or newer is missing; the package lists read so far name none."
        fi
        tidy_missing
        $dry_run || drop_unpackaged
    fi
    if ((${#missing[@]})); then
        say "These packages are missing and will be installed with apt-get:"
        say "  ${missing[*]}"
    elif [[ -z ${OCC_IN_DOCKER_GROUP:-} ]]; then
        say "No packages to install: everything needed is here."
    fi
}
