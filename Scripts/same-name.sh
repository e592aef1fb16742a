#!/usr/bin/env bash
# same-name.sh BINARY [JOBS]: kills a worker in each of so many jobs and starts it again at once under its
# name, as a supervisor does. No worker may be refused, and all results have equal bytes.
set -euo pipefail

binary=$(realpath "$1")
jobs=${2:-500}
fixtures=$(realpath "$(dirname "$0")/../Tests/MeshIntegrationTests/Fixtures")
tensors=(--query "$fixtures/q.npy" --key "$fixtures/k.npy" --value "$fixtures/v.npy" --mask causal)
directory=$(mktemp -d)
declare -A process
cleanup() {
  kill -9 "${process[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$directory"
}
trap cleanup EXIT

"$binary" coordinator --listen "tcp://127.0.0.1:*" --http off 2>"$directory/coordinator" &
process[coordinator]=$!
until mesh=$(grep -oE "coordinator at tcp://[0-9.:]+" "$directory/coordinator"); do sleep 0.05; done
mesh=${mesh#coordinator at }

start() {
  "$binary" worker --name "$1" --threads 1 --coordinator "$mesh" 2>>"$directory/$1" &
  process[$1]=$!
}
for name in w1 w2 w3; do start $name; done
"$binary" attend --quiet "${tensors[@]}" --output "$directory/first.npy"

for ((job = 1; job <= jobs; job++)); do
  "$binary" attend --quiet "${tensors[@]}" --coordinator "$mesh" --output "$directory/o.npy" &
  attend=$!
  name=w$((RANDOM % 3 + 1))
  sleep "0.$((RANDOM % 400 + 100))"
  kill -9 "${process[$name]}" || { echo "$name has ended: $(cat "$directory/$name")"; exit 1; }
  wait "${process[$name]}" 2>/dev/null || true
  start "$name"
  wait "$attend"
  cmp "$directory/first.npy" "$directory/o.npy"
  ((job % 50)) || echo "$job jobs"
done
if grep -hE "worker-refused|refuses this worker" "$directory"/w? "$directory/coordinator"; then exit 1; fi
for name in w1 w2 w3; do kill -0 "${process[$name]}"; done
echo "$jobs jobs with a kill each: equal bytes, nobody refused"
