# shellcheck shell=bash
# Talking to people. Everything here goes to stderr: stdout belongs to the result.

say() { printf '%s\n' "$*" >&2; }

heading() { printf '\n==> %s\n' "$*" >&2; }

# fail EXIT_CODE MESSAGE [HINT...]
fail() {
    local code=$1 hint
    say "error: $2"
    shift 2
    for hint in "$@"; do say "hint: $hint"; done
    exit "$code"
}

# ask QUESTION: true only for a typed yes; a caller without a terminal is never asked.
ask() {
    local answer=
    [[ -t 0 && -t 2 ]] || return 1
    read -r -p "$1 [y/N] " answer
    [[ $answer == [yY] || $answer == [yY][eE][sS] ]]
}
