#!/bin/bash
# Makes build/venv from tests/requirements.txt, once for each content of that file. Prints the folder.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
list=${1:-tests/requirements.txt} dir=${2:-build/venv}
sum=$(sha256sum "$list" | cut -c1-16)
if [ "$(cat "$dir/made-from" 2>/dev/null)" != "$sum" ]; then
    rm -rf "$dir"
    python3 -m venv "$dir"
    "$dir/bin/pip" install -q --disable-pip-version-check -r "$list" >&2
    echo "$sum" >"$dir/made-from"
fi
echo "$PWD/$dir"
