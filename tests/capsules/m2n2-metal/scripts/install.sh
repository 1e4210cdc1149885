#!/bin/sh
# Checks that this capsule can run here, and prepares its data folder if it was given one (CAPSULE_DATA).
# The working folder is the capsule's root, which may be read-only. Done twice, it changes nothing.
set -eu

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

command -v python3 >/dev/null || fail "python3 is not in PATH ($PATH)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$(python3 --version) is too old: 3.11 or newer is needed"

for file in expansion/m2n2/runner.py expansion/m2n2/evolution.py expansion/m2n2/expressions.py expansion/m2n2/weights.py \
  expansion/m2n2/model.pt simulation/reference.py simulation/reference.json proof-hooks/claims.json proof-hooks/generate_proof.py; do
  [ -f "$file" ] && [ -r "$file" ] && [ -s "$file" ] || fail "$file is missing, empty or unreadable"
done

if [ -n "${CAPSULE_DATA:-}" ]; then
  mkdir -p "$CAPSULE_DATA/m2n2" || fail "the data folder $CAPSULE_DATA cannot be made"
  temporary="$CAPSULE_DATA/m2n2/.installed.$$"
  python3 -c 'import platform; print("python", platform.python_version())' >"$temporary" || fail "$CAPSULE_DATA cannot be written"
  mv -f "$temporary" "$CAPSULE_DATA/m2n2/installed"
fi

echo "m2n2-metal: installed, $(python3 --version)"
