#!/bin/bash
# node.sh FOLDER PACKAGE@VERSION...: fetches packages of npm into FOLDER, once for each list. Tools of tests and lint only: the
# product has none. Prints the folder.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
dir=$1
shift
if [ "$(cat "$dir/made-from" 2>/dev/null)" != "$*" ]; then
    rm -rf "$dir"
    mkdir -p "$dir"
    echo '{"private": true}' >"$dir/package.json"
    (cd "$dir" && npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error "$@") >&2
    echo "$*" >"$dir/made-from"
fi
echo "$PWD/$dir"
