#!/bin/sh
# describe.sh PROGRAM FOLDER – writes PROGRAM's completion files and its manual page, under the names by which they are found.
set -eu
program=$1
name=$(basename "$program")
mkdir -p "$2/bash" "$2/fish" "$2/zsh" "$2/man"
"$program" --completion bash >"$2/bash/$name"
"$program" --completion fish >"$2/fish/$name.fish"
"$program" --completion zsh >"$2/zsh/_$name"
"$program" --man-page >"$2/man/$name.1"
gzip -9nf "$2/man/$name.1"
