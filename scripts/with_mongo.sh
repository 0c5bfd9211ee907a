#!/bin/bash
# with_mongo.sh COMMAND...: runs the command with MONGODB_URI set. Uses the server that MONGODB_URI names; without one it
# starts the wire server of tests/requirements.txt on a free port with a folder of its own, and stops it afterwards.
set -euo pipefail
if [ -n "${MONGODB_URI:-}" ]; then
    exec "$@"
fi
venv=$("$(dirname "$0")/venv.sh")
dir=$(mktemp -d)
: >"$dir/log" # there before the server is: the look below may come first
"$venv/bin/secantusd-py" --host 127.0.0.1 --port 0 --storage-path "$dir/db" --enable-test-commands >"$dir/log" 2>&1 &
server=$!
cleanup() {
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT
port=
for _ in $(seq 300); do
    port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$dir/log" | head -1)
    [ -z "$port" ] || break
    kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
done
[ -n "$port" ] || { echo "with_mongo.sh: the server did not start" >&2; cat "$dir/log" >&2; exit 1; }
MONGODB_URI="mongodb://127.0.0.1:$port/?directConnection=true" "$@"
