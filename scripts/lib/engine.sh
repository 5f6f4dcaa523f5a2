# shellcheck shell=bash
# The Docker Engine: is one there, may we use it, start it.
# Needs talk.sh and packages.sh.

engine_socket=/var/run/docker.sock
engine_log=/var/log/opencode-cloud-dockerd.log

# True when the user has chosen an engine; then nothing is installed, started or judged here.
engine_is_chosen() {
    local context=${DOCKER_CONTEXT:-}
    [[ -z ${DOCKER_HOST:-} ]] || return 0
    [[ -n $context ]] || context=$(sed -n 's/.*"currentContext"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' \
        "${DOCKER_CONFIG:-$HOME/.docker}/config.json" 2>/dev/null)
    [[ -n $context && $context != default ]]
}

# engine_answers [as_root]: the docker command may be absent or of another age, so the socket
# itself is asked.
engine_answers() {
    [[ -S $engine_socket ]] || return 1
    [[ $("$@" curl --silent --max-time 5 --unix-socket "$engine_socket" http://localhost/_ping) == OK ]]
}

may_use_engine() { engine_is_chosen || [[ -w $engine_socket ]]; }

is_listed_in_docker_group() { id -nG "$(id -un)" | tr ' ' '\n' | grep -qx docker; }

plan_engine() {
    local enabled=/sys/module/apparmor/parameters/enabled
    engine_is_chosen || [[ -S $engine_socket ]] || have dockerd || {
        missing+=(docker.io)
        # Only recommended by docker.io; without it no container starts where the kernel enforces AppArmor.
        [[ ! -r $enabled || $(<"$enabled") != Y ]] || need apparmor_parser apparmor
    }
}

# A container or a machine that was cut off leaves these behind; once another process has the
# number, the daemon refuses to start.
forget_stale_pids() {
    local file name pid
    for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        name=$([[ $file == */containerd.pid ]] && echo containerd || echo dockerd)
        pid=$(cat "$file" 2>/dev/null) || continue
        [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$name" ]] || as_root rm -f "$file"
    done
}

# A process that ended stays listed where nobody collects it, as in a container.
is_alive() { grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"; }

# wait_for_engine SECONDS [PID]: gives up early when that process is gone.
wait_for_engine() {
    local end=$((SECONDS + $1))
    until engine_answers as_root; do
        ((SECONDS < end)) && is_alive "${2:-self}" || return 1
        sleep 0.3
    done
}

start_dockerd() {
    local pid
    say "Starting the Docker daemon: dockerd, its log is $engine_log"
    pid=$(as_root sh -c "nohup setsid dockerd >'$engine_log' 2>&1 </dev/null & echo \$!")
    wait_for_engine 60 "$pid" && return
    as_root tail -n 10 "$engine_log" >&2
    fail 5 "the Docker daemon did not come up; its last lines are above" "its whole log: $engine_log"
}

# Ends with an engine that answers, or not at all. The daemon is left running.
start_engine() {
    engine_is_chosen && return
    if engine_answers || engine_answers as_root; then return; fi
    have dockerd || fail 5 "nothing answers on $engine_socket, and there is no dockerd to start" \
        "remove the socket and run this again, or: apt-get install docker.io"
    if has_systemd; then
        say "Starting the Docker daemon: systemctl start docker"
        as_root systemctl start docker && wait_for_engine 60 && return
        fail 5 "the Docker daemon did not come up" "its log: journalctl -u docker"
    fi
    forget_stale_pids
    if [[ -x /etc/init.d/docker ]]; then
        say "Starting the Docker daemon: service docker start"
        as_root service docker start >&2 && wait_for_engine 20 && return
    fi
    start_dockerd
}

# Without permission on the socket: uses the membership a new login would have, else says the fix.
# enter_docker_group SCRIPT ARGS... starts the script over inside the group.
enter_docker_group() {
    local user
    user=$(id -un)
    may_use_engine && return
    if is_listed_in_docker_group && [[ -z ${OCC_IN_DOCKER_GROUP:-} ]] && have sg; then
        export OCC_IN_DOCKER_GROUP=1
        exec sg docker -c "$(printf '%q ' "$@")"
    fi
    fail 5 "the Docker daemon runs, but $user may not use it: $engine_socket" \
        "sudo usermod -aG docker \"$user\"" "newgrp docker" "then run this again"
}
