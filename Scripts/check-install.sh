#!/bin/sh
# Installs into a scratch directory, and checks all that is there; then takes it away again.
#
#   BINARY=PATH check-install.sh      PATH is the built executable
set -eu
cd "$(dirname "$0")/.."
: "${BINARY:=.build/release/attnmesh}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "check-install.sh: $*" >&2; exit 1; }
run_make() { make --no-print-directory "$@" DESTDIR="$work" PREFIX=/opt/am BINARY="$BINARY" >"$work/make.log" 2>&1 \
  || { cat "$work/make.log" >&2; fail "make $*"; }; }

run_make install
prefix=$work/opt/am
[ "$("$prefix/bin/attnmesh" --version)" = "$("$BINARY" --version)" ] || fail "the installed executable differs"

page=$prefix/share/man/man1/attnmesh.1
for word in SYNOPSIS 'attnmesh attend' 'attnmesh coordinator backup' coordinator-key 'EXIT STATUS' ATTNMESH_STORE; do
  tr -d '\\' <"$page" | grep -q -e "$word" || fail "the man page lacks '$word'"
done
if command -v groff >/dev/null; then
  groff -Kutf8 -man -Tutf8 -ww -z "$page" 2>"$work/warnings" || fail "groff can't read the man page"
  [ ! -s "$work/warnings" ] || { head "$work/warnings" >&2; fail "groff warns of the man page"; }
fi

bash -n "$prefix/share/bash-completion/completions/attnmesh" || fail "bash can't read its completions"
for file in share/zsh/site-functions/_attnmesh share/fish/vendor_completions.d/attnmesh.fish; do
  grep -q coordinator "$prefix/$file" || fail "$file lacks commands"
done

for role in coordinator worker; do
  unit=$prefix/lib/systemd/system/attnmesh-$role.service
  grep -q "^ExecStart=/opt/am/bin/attnmesh $role " "$unit" || fail "$unit starts something else"
  grep -q '@' "$unit" && grep -q '@[A-Z]*@' "$unit" && fail "$unit has a placeholder left"
  # A copy that names the executable where it is now.
  sed "s|/opt/am/bin|$prefix/bin|; /^Documentation/d" "$unit" >"$work/attnmesh-$role.service"
  if command -v systemd-analyze >/dev/null; then
    systemd-analyze verify --man=no "$work/attnmesh-$role.service" 2>"$work/verdict" || true
    # Of the units of this machine, others may have faults.
    ! grep "attnmesh-$role" "$work/verdict" >&2 || fail "systemd finds faults in $unit"
  fi
done

run_make uninstall
rm -f "$work"/make.log "$work"/warnings "$work"/verdict "$work"/*.service
left=$(find "$work" ! -type d)
[ -z "$left" ] || fail "uninstall leaves $left"
echo "installed, checked and uninstalled"
