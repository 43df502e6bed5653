#!/bin/sh
# Unpacks Debian's kernel for emulated machines into a directory. Nothing is
# installed, and the machine's own kernel is not touched. It is the one for all
# machines: that for clouds cannot see a file system of its host (9p).
set -eu
to=$1
image=$(apt-cache depends --important linux-image-amd64 2>/dev/null | awk '/Depends: linux-image-[0-9]/ { print $2; exit }')
if [ "$(dpkg --print-architecture)" != amd64 ] || [ -z "$image" ]; then
  [ -d "$to/boot" ] || echo "no kernel for emulated machines here: their tests will be skipped"
  exit
fi
[ -e "$to/boot/vmlinuz-${image#linux-image-}" ] && exit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "unpacking $image for emulated machines"
(cd "$work" && apt-get download -qq "$image" 2>/dev/null && dpkg -x ./*.deb root)
mkdir -p "$(dirname "$to")"
rm -rf "$to"
mv "$work/root" "$to"
