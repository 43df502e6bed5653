#!/bin/sh
# Unpacks Debian's openipmi, which has the simulator of a BMC, into a directory. It is
# not installed: its service would start on this machine.
set -eu
to=$1
[ -x "$to/usr/bin/ipmi_sim" ] && exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "unpacking openipmi"
(cd "$work" && apt-get download -qq openipmi 2>/dev/null && dpkg -x ./*.deb root) || {
  echo "no openipmi here: the test of a machine's power will be skipped"
  exit
}
mkdir -p "$(dirname "$to")"
rm -rf "$to"
mv "$work/root" "$to"
