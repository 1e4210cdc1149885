#!/bin/bash
# Runs every fuzz target of BUILD for SECONDS each, from its seeds and from what earlier runs found (BUILD/corpus).
#   tests/fuzz/run.sh BUILD [SECONDS]
set -euo pipefail
build=$(realpath "$1")
seconds=${2:-60}
seeds=$(realpath "$(dirname "$0")/corpus")
for target in "$build"/tests/fuzz-*; do
  name=$(basename "$target")
  name=${name#fuzz-}
  mkdir -p "$build/corpus/$name" "$build/findings/$name"
  echo "== $name, $seconds s"
  folders=("$build/corpus/$name")
  [[ -d $seeds/$name ]] && folders+=("$seeds/$name")
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix="$build/findings/$name/" "${folders[@]}"
done
