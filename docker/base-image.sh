#!/bin/bash
# Makes the base image where no registry can be reached: this machine's own release of Debian, from the
# mirror that its apt uses, by debootstrap. Takes a minute or two; the result is kept for a month.
#   docker/base-image.sh TAG
# Takes root and a Docker engine (DOCKER_HOST).
set -euo pipefail

tag=$1
packages=libcurl4,libprotobuf-c1,libsqlite3-0,libssl3,libxxhash0,libzmq5
cache=${XDG_CACHE_HOME:-$HOME/.cache}/attnmesh
. /etc/os-release
[ "${ID:-}" = debian ] || {
  echo "base-image.sh: a binary of this machine runs on an image of its own system; that has to be" \
    "Debian 12, and this is ${PRETTY_NAME:-unknown}" >&2
  exit 1
}
tarball=$cache/base-$VERSION_CODENAME-$(dpkg --print-architecture)-$(echo "$packages" | cksum | cut -d' ' -f1).tar

# The first archive in apt's sources that has the release itself, in either of their formats.
mirror() {
  apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(CREATED_BY)' |
    awk -v suite="$VERSION_CODENAME" '$2 == suite && $3 == "Packages" { print $1; exit }'
}

if [ -z "$(find "$tarball" -mtime -30 2>/dev/null)" ]; then
  command -v debootstrap >/dev/null || {
    echo "installing: debootstrap"
    apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends debootstrap >/dev/null
  }
  from=$(mirror)
  [ -n "$from" ] || { echo "base-image.sh: apt has no source for $VERSION_CODENAME" >&2; exit 1; }
  root=$(mktemp -d "${TMPDIR:-/tmp}/attnmesh-base-XXXXXX")
  trap 'rm -rf "$root"' EXIT
  log=$root.log
  echo "making a base image of Debian $VERSION_CODENAME with debootstrap; that takes a minute or two"
  if ! debootstrap --variant=minbase --include="$packages" "$VERSION_CODENAME" "$root" "$from" >"$log" 2>&1
  then
    tail -n 20 "$log" >&2
    echo "base-image.sh: debootstrap failed; all it said is in $log" >&2
    exit 1
  fi
  rm -f "$log"
  # What a container never reads.
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,info,locale,man}
  mkdir -p "$cache"
  tar --numeric-owner --one-file-system -C "$root" -cf "$tarball.new" .
  mv "$tarball.new" "$tarball"
fi
docker import "$tarball" "$tag" >/dev/null
echo "base image $tag from $tarball ($(du -h "$tarball" | cut -f1))"
