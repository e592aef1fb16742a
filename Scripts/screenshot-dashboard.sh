#!/bin/sh
# Takes a screenshot of the live page after a worker was lost and made good:
#   Scripts/screenshot-dashboard.sh [FILE]
# It is what the test of the page sees; Chromium has to be there.
set -eu
cd "$(dirname "$0")/.."
file=${1:-Documentation/dashboard.png}
mkdir -p "$(dirname "$file")"
case $file in /*) ;; *) file=$PWD/$file ;; esac
CI=true ATTNMESH_SCREENSHOT=$file swift test -c release --disable-testable-imports \
  --filter MeshIntegrationTests.Integration/LivePage
ls -l "$file"
