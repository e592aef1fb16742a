#!/bin/bash
# `make cluster`: brings the composed cluster up, runs a real job on it, compares the bytes with those of
# one process, and takes it down again. KEEP=1 leaves it up; `docker/cluster.sh down` takes that down.
set -euo pipefail
cd "$(dirname "$0")/.."
. docker/engine.sh

binary=.build/release/attnmesh
fixtures=Tests/MeshIntegrationTests/Fixtures
workers=${WORKERS:-3}
state=.build/docker
kept=$state/kept
project=attnmesh-cluster
export ATTNMESH_IMAGE=attnmesh:local
export ATTNMESH_DATA=$PWD/$state/data
# Any free port, unless the cluster stays.
export ATTNMESH_HTTP_PORT=${ATTNMESH_HTTP_PORT-${KEEP:+7702}}
export COMPOSE_FILE=$PWD/docker/compose.yaml
unset COMPOSE_PROFILES

say() { echo "== $*"; }

finish() {
  trap '' INT TERM
  say "taking the cluster down"
  # What ran in it is over: nobody waits for workers to hand over.
  if ! take_down "$state/down.log"; then
    echo "the cluster could not be taken down; docker/cluster.sh down tries again" >&2
    return 1
  fi
  end_engine
  rm -f "$kept"
}

if [ -e "$kept" ]; then
  # shellcheck source=/dev/null
  . "$kept"
  # After a restart of the machine its number may be another's.
  [ "$(cat "/proc/${engine_process:-none}/comm" 2>/dev/null)" = dockerd ] || engine_process=
  if [ "${1:-}" != down ]; then say "an earlier cluster is still up"; fi
  was_own=$engine_directory
  finish
  trap - INT TERM
  # The engine that it had for itself is gone; somebody else's is still there.
  [ -z "$was_own" ] || unset DOCKER_HOST
fi
[ "${1:-}" != down ] || exit 0

mkdir -p "$state" "$ATTNMESH_DATA"
# The image's user writes results there.
chmod 1777 "$ATTNMESH_DATA"
trap finish EXIT
trap 'exit 130' INT TERM
if ! start_engine; then
  echo "no cluster: $engine_reason" >&2
  exit 1
fi

say "image"
docker/image.sh "$binary" "$ATTNMESH_IMAGE"

say "a coordinator and $workers workers"
if ! compose up --detach --scale worker="$workers" >"$state/up.log" 2>&1; then
  cat "$state/up.log" >&2
  exit 1
fi
await_health coordinator 1
await_health worker "$workers"

say "a job: 3,001 tokens of a real language model's layer, causal"
cp "$fixtures"/{q,k,v}.npy "$ATTNMESH_DATA/"
rm -f "$ATTNMESH_DATA"/{o,lse}.npy
compose run --rm --no-deps -T client attend --query q.npy --key k.npy --value v.npy --mask causal \
  --output o.npy --lse lse.npy
tensors=(--query "$fixtures/q.npy" --key "$fixtures/k.npy" --value "$fixtures/v.npy" --mask causal)
"$binary" check "${tensors[@]}" --output "$ATTNMESH_DATA/o.npy" --lse "$ATTNMESH_DATA/lse.npy"
"$binary" attend "${tensors[@]}" --output "$state/o.npy" --lse "$state/lse.npy" >/dev/null
cmp "$ATTNMESH_DATA/o.npy" "$state/o.npy"
cmp "$ATTNMESH_DATA/lse.npy" "$state/lse.npy"
echo "equal to one process's, byte for byte"

say "who is there"
compose run --rm --no-deps -T operator workers
compose run --rm --no-deps -T operator status

if [ -n "${KEEP:-}" ]; then
  trap - EXIT INT TERM
  {
    [ -z "$engine_directory" ] || echo "export DOCKER_HOST=unix://$engine_directory/sock"
    echo "engine_directory=$engine_directory engine_process=$engine_process"
    printf 'export ATTNMESH_IMAGE=%q ATTNMESH_DATA=%q COMPOSE_FILE=%q\n' \
      "$ATTNMESH_IMAGE" "$ATTNMESH_DATA" "$COMPOSE_FILE"
    echo "export COMPOSE_PROJECT_NAME=$project ATTNMESH_HTTP_PORT=$ATTNMESH_HTTP_PORT"
  } >"$kept"
  say "it stays up: dashboard at http://127.0.0.1:$ATTNMESH_HTTP_PORT, files in $state/data"
  echo ". $kept    # then:"
  echo "docker-compose run --rm client attend --query q.npy --key k.npy --value v.npy --output o.npy"
  echo "docker-compose run --rm operator workers"
  echo "docker-compose up --detach --no-recreate --scale worker=5"
  echo "docker/cluster.sh down"
fi
