#!/bin/sh
# Unpacks packages of Debian into a directory, and what libraries they need that are
# not installed here. Nothing is installed: no service starts, and none that the
# machine has is touched. Servers unpacked so are what checks are tried with.
set -eu
to=$1
shift
[ "$(cat "$to/packages" 2>/dev/null)" = "$*" ] && exit
# A package without a version in its name may only name the one that has (postgresql).
versioned=$(apt-cache depends --important "$@" 2>/dev/null |
  awk '/^[^ ]/ { name = $1 } /^ +Depends: / && index($2, name "-") == 1 && $2 ~ /-[0-9]+$/ { print $2 }')
libraries=$(apt-get -s install --no-install-recommends "$@" 2>/dev/null | awk '/^Inst lib/ { print $2 }')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
echo "unpacking $*"
cd "$work"
# shellcheck disable=SC2086 # they are words
if ! apt-get download -qq "$@" $versioned $libraries >/dev/null 2>&1; then
  echo "these packages cannot be had: what is tried with them will be skipped"
  exit
fi
for package in ./*.deb; do dpkg -x "$package" root; done
cd - >/dev/null
echo "$*" >"$work/root/packages"
mkdir -p "$(dirname "$to")"
rm -rf "$to"
mv "$work/root" "$to"
