#!/bin/bash
# Builds the image around a binary of this machine, which is quicker than to compile in a container and
# takes no registry; on a machine whose binaries the image's system can't run, from source.
#   docker/image.sh BINARY TAG
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$1
tag=$2
base=debian:bookworm-slim
. /etc/os-release
can_pull() {
  docker image inspect "$base" >/dev/null 2>&1 || timeout 120 docker pull --quiet "$base" >/dev/null 2>&1
}

if [ "${ID:-}-${VERSION_CODENAME:-}" != debian-bookworm ]; then
  echo "building the image from source: binaries of ${PRETTY_NAME:-this system} don't run on $base"
  exec docker build --file docker/Dockerfile --tag "$tag" .
fi
if ! can_pull; then
  echo "no registry gives $base: the base image is made here"
  base=attnmesh-base
  docker/base-image.sh "$base"
fi
context=.build/docker/image
mkdir -p "$context/docker"
docker/pack.sh "$binary" "$context/packed"
cp docker/make-keys.sh "$context/docker/"
# The builder that every engine has: Debian's has no other.
if ! output=$(DOCKER_BUILDKIT=0 docker build --file docker/Dockerfile --target local \
  --build-arg BASE_IMAGE="$base" --tag "$tag" "$context" 2>&1); then
  echo "$output" >&2
  exit 1
fi
# It has what it needs, or says what is missing.
docker run --rm --network none "$tag" --version >/dev/null
docker image inspect --format "image $tag: {{.Size}} bytes" "$tag"
