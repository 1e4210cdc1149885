#!/usr/bin/env bash
# stages.sh NAME COMMAND [NAME COMMAND …] – runs each command in turn, up to the first that fails, and says at the end how many minutes
# each stage took. Exit code: that of the stage that failed.
set -uo pipefail
table='' total=$SECONDS code=0
while [ $# -ge 2 ] && [ $code -eq 0 ]; do
  began=$SECONDS
  printf '\n== %s: %s\n' "$1" "$2"
  bash -euo pipefail -c "$2" || code=$?
  took=$((SECONDS - began))
  table+=$(printf '  %-18s %3d:%02d%s' "$1" $((took / 60)) $((took % 60)) "$([ $code -eq 0 ] || echo " failed, exit code $code")")$'\n'
  shift 2
done
total=$((SECONDS - total))
printf '\nMinutes per stage:\n%s  %-18s %3d:%02d\n' "$table" 'all' $((total / 60)) $((total % 60))
exit $code
