#!/usr/bin/env bash
# unpack_packages.sh FOLDER PACKAGE... – Debian packages that cannot be installed beside those of the build, unpacked into FOLDER instead.
set -euo pipefail
folder=$1
shift
[ "$(cat "$folder/packages" 2>/dev/null)" = "$*" ] && exit 0
echo "Unpacking Debian packages into $folder: $*"
rm -rf "$folder"
mkdir -p "$folder/archives"
(cd "$folder/archives" && apt-get download -q -o APT::Sandbox::User=root "$@") \
  || { echo "These packages are not to be had: run 'apt-get update' as root, then again." >&2; exit 1; }
for archive in "$folder"/archives/*.deb; do dpkg-deb -x "$archive" "$folder"; done
rm -r "$folder/archives"
echo "$*" >"$folder/packages"
