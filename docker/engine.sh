# shellcheck shell=bash
# Sourced by the scripts here: a Docker engine, and the image on it. Where none answers, one is started that
# keeps to a directory of its own, leaves the host's firewall alone, and ends with the script.

engine_directory=
engine_process=

# Installs what is missing; Debian and Ubuntu have all of it.
install_docker() {
  local packages=() sudo=
  command -v docker-compose >/dev/null || packages+=(docker-compose)
  if ! docker version >/dev/null 2>&1; then
    command -v dockerd >/dev/null || packages+=(docker.io iptables)
  fi
  [ ${#packages[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || sudo=sudo
  echo "installing: ${packages[*]}"
  { $sudo apt-get update -q &&
    $sudo env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends "${packages[@]}"; } >"$1" 2>&1
}

# Sets DOCKER_HOST where it starts an engine. On failure, engine_reason says why there is none.
start_engine() {
  local log
  log=$(mktemp "${TMPDIR:-/tmp}/attnmesh-install-XXXXXX")
  if ! install_docker "$log"; then
    engine_reason="docker.io and docker-compose could not be installed: $(tail -n 1 "$log")"
    return 1
  fi
  rm -f "$log"
  docker version >/dev/null 2>&1 && return
  if [ "$(id -u)" != 0 ]; then
    engine_reason="no Docker engine answers, and only root can start one"
    return 1
  fi
  engine_directory=$(mktemp -d "${TMPDIR:-/tmp}/attnmesh-engine-XXXXXX")
  # A session of its own: Ctrl-C is for the script, which then takes the cluster down in order.
  setsid dockerd --host "unix://$engine_directory/sock" --pidfile "$engine_directory/pid" \
    --data-root "$engine_directory/data" --exec-root "$engine_directory/exec" \
    --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    >"$engine_directory/log" 2>&1 </dev/null &
  engine_process=$!
  export DOCKER_HOST=unix://$engine_directory/sock
  for _ in $(seq 300); do
    docker version >/dev/null 2>&1 && return
    kill -0 "$engine_process" 2>/dev/null || break
    sleep 0.1
  done
  engine_reason="dockerd does not start: $(grep -v level=info "$engine_directory/log" | tail -n 1)"
  return 1
}

# Ends an engine that start_engine has started, and removes all it kept.
end_engine() {
  [ -n "$engine_directory" ] || return 0
  if [ -n "$engine_process" ] && kill "$engine_process" 2>/dev/null; then
    for _ in $(seq 300); do
      kill -0 "$engine_process" 2>/dev/null || break
      sleep 0.1
    done
  fi
  # What a mount holds on to is not removed with the directory.
  awk -v d="$engine_directory/" 'index($2, d) == 1 { print $2 }' /proc/mounts | sort -r |
    xargs --no-run-if-empty umount --lazy
  rm -rf "$engine_directory"
  engine_directory=
}

# Under a name of its own, so that other clusters on the same engine are left alone.
compose() { docker-compose --project-name "$project" "$@"; }

# Ends what runs under that name, and forgets it; $1 is where to say what becomes of it.
take_down() {
  # An engine of its own that has ended took everything with it.
  docker version >/dev/null 2>&1 || { [ -n "$engine_directory" ] && return; return 1; }
  compose --profile chaos --profile tools down --volumes --remove-orphans --timeout 5 >"$1" 2>&1 ||
    { cat "$1" >&2; return 1; }
}

# Waits until a service's containers are healthy, or says what ails them. The limit is a watchdog.
await_health() {
  local service=$1 count=$2 healthy
  for _ in $(seq 240); do
    healthy=$(compose ps --quiet "$service" | xargs --no-run-if-empty docker inspect --format \
      '{{.State.Health.Status}}' | grep -cx healthy) || true
    [ "$healthy" = "$count" ] && return
    sleep 0.5
  done
  compose logs --tail 20 "$service" >&2
  echo "only ${healthy:-0} of $count containers of $service became healthy within two minutes" >&2
  return 1
}
