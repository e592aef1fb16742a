#!/bin/bash
# `make cluster-chaos`: does to the containers of a composed cluster what happens to containers, each time
# with a job running, and compares the bytes of its result with those of one process that nobody disturbs.
# Where there is no Docker engine and none can be started it is skipped, with the reason; with CI=true
# that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
. docker/engine.sh

binary=.build/release/attnmesh
state=.build/docker
project=attnmesh-chaos
size=3
export ATTNMESH_IMAGE=attnmesh:local
export ATTNMESH_DATA=$PWD/$state/chaos
export ATTNMESH_HTTP_PORT=
export ATTNMESH_WORKER_MEMORY=1g ATTNMESH_COORDINATOR_MEMORY=1g
export COMPOSE_FILE=$PWD/docker/compose.yaml
unset COMPOSE_PROFILES
# Seconds of two cores, in many tiles.
heads=3 tokens=40960 dimension=64
job_flags=(--query q.npy --key k.npy --value v.npy --mask causal)
# No event takes so long; what is waited for in vain ends the scenario.
watchdog=90
[ "$(id -u)" = 0 ] && sudo= || sudo=sudo

# MARK: The cluster

one=
finish() {
  trap '' INT TERM
  [ -z "$one" ] || docker rm --force "$one" >/dev/null
  give_address_back
  take_down "$state/down.log" || true
  end_engine
  rm -rf "$ATTNMESH_DATA" "$state"/chaos-{o,lse}.npy
}

# Numbers in ±[⅛, 1), float16: what /dev/urandom gives, less most bits of the exponents.
tensor() {
  local count=$1 header map=
  for byte in {0..255}; do map+=$(printf '\\%03o' $(((byte & 0x80) | 0x30 | (byte & 0x0b)))); done
  header=$(printf "{'descr': '<f2', 'fortran_order': False, 'shape': (%d, %d, %d), }" \
    "$count" $tokens $dimension)
  printf '\x93NUMPY\x01\x00\x76\x00%-117s\n' "$header"
  head -c $((count * tokens * dimension * 2)) /dev/urandom | LC_ALL=C tr '\000-\377' "$map"
}

containers() {
  docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1"
}

mesh() { docker exec "$bystander" attnmesh "$@"; }

scale() { compose up --detach --no-deps --no-recreate --scale "worker=$1" worker >/dev/null 2>&1; }

process() { docker inspect --format '{{.State.Pid}}' "$1"; }

restarts() { docker inspect --format '{{.RestartCount}}' "$1"; }

address() {
  docker inspect --format "{{(index .NetworkSettings.Networks \"${project}_mesh\").IPAddress}}" "$1"
}

# Somebody else gets the address that has become free.
occupant=
take_address() {
  occupant=$(docker run --detach --network "${project}_mesh" --entrypoint /bin/sleep "$ATTNMESH_IMAGE" \
    infinity 2>/dev/null)
}
give_address_back() {
  [ -z "$occupant" ] || docker rm --force "$occupant" >/dev/null
  occupant=
}

# Exit codes of a container's events of a kind since the fault: `docker events` remembers.
events() { # kind, container
  docker events --since "$fault_time" --until "$(date +%s.%N)" --filter "container=$2" \
    --filter "event=$1" --format '{{.Actor.Attributes.exitCode}}'
}
exit_code() { events die "$1" | tail -n 1; }

# MARK: Waiting, always for something that is bound to happen

until_true() {
  local end=$((SECONDS + watchdog))
  until "$@"; do
    [ $SECONDS -lt $end ] || { problem "waited in vain: $*"; return 1; }
    sleep 0.1
  done
}

log_has() { [[ "$(docker logs --since "$fault_time" "$coordinator" 2>&1)" = *"$1"* ]]; }

members() { [ "$(mesh workers 2>/dev/null | grep -c ' active ')" = "$1" ]; }

has_folded() {
  mesh job "$job" 2>/dev/null |
    awk -v part="$1" '$1 == "tiles" && $2 >= part * $4 && $4 > 0 { ok = 1 } END { exit !ok }'
}

is_running() { [ "$(docker inspect --format '{{.State.Running}}' "$1")" = true ]; }

# MARK: Scenarios

problems=()
problem() { problems+=("$*"); }
expect() { log_has "$1" || problem "the coordinator's log has no $1"; }

kill_worker() {
  docker kill "$victim" >/dev/null
  until_true log_has rehosted
}
after_kill_worker() {
  ! is_running "$victim" || problem "a worker that was killed by docker came back by itself"
  docker start "$victim" >/dev/null
}

sigkill_worker() {
  local before
  before=$(restarts "$victim")
  $sudo kill -KILL "$(process "$victim")"
  until_true log_has rehosted
  until_true log_has worker-joined
  [ "$(restarts "$victim")" -gt "$before" ] || problem "the restart policy did not act"
}

pause_worker() {
  docker pause "$victim" >/dev/null
  until_true log_has worker-lost
  docker unpause "$victim" >/dev/null
  until_true log_has worker-joined
}

disconnect_worker() {
  local before
  before=$(address "$victim")
  docker network disconnect "${project}_mesh" "$victim"
  until_true log_has rehosted
  take_address
  docker network connect "${project}_mesh" "$victim"
  until_true log_has worker-joined
  [ "$(address "$victim")" != "$before" ] || problem "it came back at the same address"
}
after_disconnect_worker() { give_address_back; }

restart_worker() {
  docker restart "$victim" >/dev/null
  expect worker-draining
  expect hand-over
  expect worker-left
  [ "$(exit_code "$victim")" = 0 ] || problem "it ended with $(exit_code "$victim") on SIGTERM"
  until_true log_has worker-joined
}

scale_up_and_down() {
  scale $((size + 2))
  until_true members $((size + 2))
  scale $((size - 1))
  expect worker-left
  until_true members $((size - 1))
}
after_scale_up_and_down() { scale $size; }

sigkill_coordinator() {
  local before
  before=$(restarts "$coordinator")
  $sudo kill -KILL "$(process "$coordinator")"
  until_true log_has coordinator-restarted
  [ "$(restarts "$coordinator")" -gt "$before" ] || problem "the restart policy did not act"
}

kill_coordinator() {
  local before
  before=$(address "$coordinator")
  docker kill "$coordinator" >/dev/null
  ! is_running "$coordinator" || problem "docker kill left it running"
  take_address
  docker start "$coordinator" >/dev/null
  until_true log_has coordinator-restarted
  [ "$(address "$coordinator")" != "$before" ] || problem "it came back at the same address"
}
after_kill_coordinator() { give_address_back; }

restart_coordinator() {
  docker restart "$coordinator" >/dev/null
  [ "$(exit_code "$coordinator")" = 0 ] || problem "it ended with $(exit_code "$coordinator") on SIGTERM"
  until_true log_has coordinator-restarted
}

# Its memory limit is reached, and the kernel ends process 1: whoever takes the memory, that is who pays.
run_out_of_memory() { # container
  local before
  before=$(restarts "$1")
  docker exec "$1" sh -c 'echo 1000 >/proc/1/oom_score_adj && head -c 8G /dev/zero | tail' \
    >"$state/memory.log" 2>&1 || true
  until_true is_restarted "$1" "$before" || problem "$(tail -n 1 "$state/memory.log")"
  ! log_has job-done || problem "the job was over before"
  [ "$(exit_code "$1")" = 137 ] || problem "it ended with $(exit_code "$1")"
  [ "$(events oom "$1" | wc -l)" -gt 0 ] || problem "the kernel didn't end it for want of memory"
}
is_restarted() { [ "$(restarts "$1")" -gt "$2" ]; }

memory_of_worker() {
  run_out_of_memory "$victim"
  until_true log_has rehosted
  until_true log_has worker-joined
}

memory_of_coordinator() {
  run_out_of_memory "$coordinator"
  until_true log_has coordinator-restarted
}

passed=0 failed=0
scenario() {
  local name=$1 fault=$2 started fetching
  started=$(date +%s.%N)
  problems=()
  rm -f "$ATTNMESH_DATA"/{o,lse}.npy
  victim=$(containers worker | sed -n "$((RANDOM % size + 1))p")
  fault_time=$(date +%s.%N)
  job=$(mesh submit --quiet "${job_flags[@]}")
  # It follows the job over all that happens.
  mesh result --quiet "$job" --output o.npy --lse lse.npy --discard >"$state/result.log" 2>&1 &
  fetching=$!
  if until_true has_folded 0.2; then
    fault_time=$(date +%s.%N)
    "$fault" || true
    # In the middle of the job, or it proves nothing.
    wait $fetching || problem "no result: $(tail -n 1 "$state/result.log")"
    expect job-done
  fi
  for file in o lse; do
    cmp -s "$ATTNMESH_DATA/$file.npy" "$state/chaos-$file.npy" || problem "other bytes: $file.npy"
  done
  if declare -F "after_$fault" >/dev/null; then "after_$fault"; fi
  until_true members $size || true
  if [ ${#problems[@]} = 0 ]; then
    passed=$((passed + 1))
    printf '%-64s %5.1f s  bytes equal\n' "$name" "$(echo "$(date +%s.%N) $started" | awk '{ print $1 - $2 }')"
  else
    failed=$((failed + 1))
    echo "$name: NOT AS EXPECTED"
    printf '    %s\n' "${problems[@]}"
    docker logs --since "$fault_time" "$coordinator" 2>&1 | tail -n 40 | sed 's/^/    | /'
  fi
}

# A verb that handles no signals itself has to end by them as process 1 too.
process_one() {
  one=$(docker run --detach --network none "$ATTNMESH_IMAGE" simulate --seeds 100000000)
  until_true is_running "$one"
  docker stop --time 60 "$one" >/dev/null
  local code
  code=$(docker inspect --format '{{.State.ExitCode}}' "$one")
  docker rm --force "$one" >/dev/null
  one=
  if [ "$code" = 137 ]; then
    failed=$((failed + 1))
    echo "SIGTERM to a command as process 1: NOT AS EXPECTED: it had to be killed"
  else
    passed=$((passed + 1))
    echo "SIGTERM to a command as process 1: it ends, with $code"
  fi
}

# MARK: Run

mkdir -p "$state" "$ATTNMESH_DATA"
chmod 1777 "$ATTNMESH_DATA"
trap finish EXIT
trap 'exit 130' INT TERM
if ! start_engine; then
  if [ "${CI:-}" = true ]; then
    echo "container chaos: it can't be skipped here, and $engine_reason"
    exit 1
  fi
  echo "container chaos: skipped: $engine_reason"
  echo "containers: 0 passed, 0 failed, 1 skipped"
  exit 0
fi
docker/image.sh "$binary" "$ATTNMESH_IMAGE"
tensor $heads >"$ATTNMESH_DATA/q.npy"
for name in k v; do tensor 1 >"$ATTNMESH_DATA/$name.npy"; done
(cd "$ATTNMESH_DATA" && "$OLDPWD/$binary" attend "${job_flags[@]}" --output ../chaos-o.npy --lse ../chaos-lse.npy)

if ! compose --profile chaos up --detach --scale worker=$size >"$state/up.log" 2>&1; then
  cat "$state/up.log" >&2
  exit 1
fi
await_health coordinator 1
await_health worker $size
coordinator=$(containers coordinator)
bystander=$(containers bystander)
until_true members $size
echo "a coordinator and $size workers are up after $SECONDS s"

scenario "docker kill of a worker: it stays away" kill_worker
scenario "SIGKILL of a worker from the host: its restart policy" sigkill_worker
scenario "docker pause of a worker until it is lost, and unpause" pause_worker
scenario "docker network disconnect, and connect at another address" disconnect_worker
scenario "docker restart of a worker: SIGTERM drains it" restart_worker
scenario "scale to $((size + 2)) workers, and then to $((size - 1))" scale_up_and_down
scenario "SIGKILL of the coordinator from the host: its restart policy" sigkill_coordinator
scenario "docker kill of the coordinator, and start at another address" kill_coordinator
scenario "docker restart of the coordinator" restart_coordinator
scenario "a worker runs into its memory limit" memory_of_worker
scenario "the coordinator runs into its memory limit" memory_of_coordinator
process_one

echo "containers: $passed passed, $failed failed"
[ $failed = 0 ]
