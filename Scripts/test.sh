#!/bin/bash
# All of the package's tests, which are built already: those without processes first, then those with
# real ones, which wait more than they compute, in three lanes beside each other, each one test at a
# time. What failed is told again at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

SWIFT=${SWIFT:-swift}
PROCESSES='MeshIntegrationTests|MeshChaosTests'
suites() { echo "^MeshIntegrationTests\.Integration/($1)/"; }
LANES=("$(suites 'Checkpoints|BadWorkers')" "$(suites 'WorkerLoss|CoordinatorRestart|HostilePeers')")
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# The lanes share a build that none of them changes.
run() { # name, flags of swift test
  local log="$logs/$1.log"
  shift
  "$SWIFT" test -c release --disable-testable-imports --skip-build --ignore-lock "$@" 2>&1 | tee "$log"
}

status=0
run plain --skip "$PROCESSES" || status=1

running=()
# Nobody may build while a lane goes on.
trap 'kill "${running[@]}" 2>/dev/null; wait; exit 130' INT TERM
rest=()
for lane in "${!LANES[@]}"; do
  run "$lane" --filter "${LANES[$lane]}" --no-parallel >/dev/null &
  running+=($!)
  rest+=(--skip "${LANES[$lane]}")
done
run rest --filter "$PROCESSES" "${rest[@]}" --no-parallel || status=1
for lane in "${!LANES[@]}"; do
  wait "${running[$lane]}" || status=1
  echo "lane ${LANES[$lane]}"
  cat "$logs/$lane.log"
done

if [ $status != 0 ]; then
  echo "what failed:"
  grep -ahE -A3 'recorded an issue|✘ Test run|error:' "$logs"/*.log || true
fi
exit $status
