#!/usr/bin/env bash
# foreign_root.sh ARCHITECTURE FOLDER PACKAGE... – Debian packages of another architecture with all that they depend on, unpacked
# into FOLDER: what programs for it are linked with, and what its images are made of. They come from where this machine's apt takes
# Debian from; nothing of this machine's packages changes, nothing of the other architecture is run, and root is not needed.
set -euo pipefail
architecture=$1 folder=$2
shift 2
[ "$(cat "$folder/packages" 2>/dev/null)" = "$*" ] && exit 0
echo "Unpacking Debian packages for $architecture into $folder: $*"
rm -rf "$folder"
apt=$folder.apt
rm -rf "$apt"
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$folder/var/lib/dpkg/info"
apt=$(cd "$apt" && pwd)

# An apt of its own, on which nothing is installed yet.
: >"$apt/status"
apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Identifier: Packages' 'Origin: Debian' | sort -u >"$apt/sources.list"
[ -s "$apt/sources.list" ] || { echo "foreign_root.sh: apt knows no Debian here: run 'apt-get update' as root, then again." >&2; exit 1; }
own=(-q -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture" -o APT::Sandbox::User=root
     -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt"
     -o Dir::Cache::archives="$apt/archives" -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
     -o Dir::Etc::preferencesparts=/dev/null -o Debug::NoLocking=1)
apt-get "${own[@]}" update >"$apt/log"
apt-get "${own[@]}" install --download-only --no-install-recommends -y "$@" >>"$apt/log"

# Merged as /usr is on Debian itself, so that each file has one path.
for name in bin sbin lib lib64; do mkdir -p "$folder/usr/$name"; ln -s "usr/$name" "$folder/$name"; done
for archive in "$apt"/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$folder" --no-same-owner --keep-directory-symlink
  # dpkg's record, which says whose file a file is.
  name=$(dpkg-deb --field "$archive" Package)
  dpkg-deb --fsys-tarfile "$archive" | tar -t | sed -e 's|^\.||' -e 's|/$||' -e 's|^$|/.|' >"$folder/var/lib/dpkg/info/$name.list"
  { echo 'Status: install ok installed'; dpkg-deb --field "$archive"; echo; } >>"$folder/var/lib/dpkg/status"
done
# A linker would follow an absolute link to this machine's library, or to none.
find "$folder/usr/lib" -name '*.so' -lname '/*' | while read -r link; do ln -sfnr "$folder$(readlink "$link")" "$link"; done
rm -r "$apt"
echo "$*" >"$folder/packages"
