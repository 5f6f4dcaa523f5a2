# shellcheck shell=bash
# Packages: find out what this machine lacks, say it, install it with apt-get.
# Needs talk.sh.

# Servers live here, and an ordinary user's PATH does not name it.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

missing=()

have() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND PACKAGE...
need() { have "$1" || missing+=("${@:2}"); }

# need_file PATH PACKAGE...
need_file() { [[ -e $1 ]] || missing+=("${@:2}"); }

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        fail 1 "this needs root, and there is no sudo: $*" "run the script as root, or install sudo first"
    fi
}

has_systemd() { [[ -d /run/systemd/system ]]; }

# The lock timeout outlasts the unattended upgrade of a machine that has just booted; needrestart
# would stop and ask on Ubuntu.
apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null >&2
}

# Prints the version that apt-get would install; nothing when there is none.
candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)/\1/p'
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Called once something is known to be missing, never otherwise. A source that cannot be read is
# not the end: the packages may come from the others.
refresh_package_lists() {
    have apt-get || fail 1 "only Debian and Ubuntu can be set up automatically; missing here: $*" \
        "install these with your own package manager, then run this again"
    say "Reading the package lists: apt-get update"
    apt_get -qq update || say "warning: some package lists could not be read"
}

# Debian's npm and the nodejs of NodeSource exclude each other, and the latter brings npm along.
npm_package() {
    if [[ $(candidate nodejs) == *nodesource* ]]; then echo nodejs; else echo npm; fi
}

# Debian 13 and later ship the docker command apart from the engine.
docker_client_package() {
    if [[ -n $(candidate docker-cli) ]]; then echo docker-cli; else echo docker.io; fi
}

# Drops what is installed already and what was named twice.
tidy_missing() {
    local package kept=()
    while read -r package; do
        [[ -z $package ]] || is_installed "$package" || kept+=("$package")
    done < <(printf '%s\n' "${missing[@]}" | sort -u)
    missing=("${kept[@]}")
}

# Ubuntu has no Chromium but as a snap. What is tolerated is said, and the test that needs it fails.
tolerated=" chromium "

drop_unpackaged() {
    local package kept=()
    for package in "${missing[@]}"; do
        if [[ -n $(candidate "$package") ]]; then
            kept+=("$package")
        elif [[ $tolerated == *" $package "* ]]; then
            say "warning: not in this machine's package sources: $package"
        else
            fail 1 "not in this machine's package sources: $package" \
                "enable the source that has it (on Ubuntu: universe), then run this again"
        fi
    done
    missing=("${kept[@]}")
}

# Installs what is missing and removes nothing. Without systemd a package's own attempt to start
# its service can fail the whole installation, so services are held back: whoever needs one starts it.
install_missing() {
    ((${#missing[@]})) || return 0
    local gate=/usr/sbin/policy-rc.d
    (
        if ! has_systemd && [[ ! -e $gate ]]; then
            trap 'as_root rm -f "$gate"' EXIT
            printf '#!/bin/sh\nexit 101\n' | as_root tee "$gate" >/dev/null
            as_root chmod 755 "$gate"
        fi
        apt_get install --no-remove --no-install-recommends "${missing[@]}"
    ) || fail 1 "apt-get could not install: ${missing[*]}" \
        "see the message of apt-get above; once it is solved, run this again"
}
