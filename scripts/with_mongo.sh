#!/bin/bash
# with_mongo.sh [--standalone] COMMAND...: runs the command with MONGODB_URI set, with --standalone also with
# MONGODB_STANDALONE_URI (a server without transactions). Uses the servers that these already name; for one that is
# missing it starts the wire server of tests/requirements.txt on a free port with a folder of its own, and stops it
# afterwards.
set -euo pipefail
wanted=(MONGODB_URI)
if [ "${1:-}" = --standalone ]; then
    wanted+=(MONGODB_STANDALONE_URI)
    shift
fi
servers=()
dir=$(mktemp -d)
cleanup() {
    for server in ${servers[@]+"${servers[@]}"}; do
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    done
    rm -rf "$dir"
}
trap cleanup EXIT
start() { # start NAME [OPTION]: starts a server; its URI goes into the variable NAME
    local name=$1 log=$dir/$1.log port=
    shift
    : >"$log" # there before the server is: the look below may come first
    "$venv/bin/secantusd-py" --host 127.0.0.1 --port 0 --storage-path "$dir/$name" --enable-test-commands "$@" >"$log" 2>&1 &
    servers+=($!)
    for _ in $(seq 300); do
        port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$log" | head -1)
        [ -z "$port" ] || break
        kill -0 "${servers[-1]}" 2>/dev/null || { cat "$log" >&2; exit 1; }
        sleep 0.1
    done
    [ -n "$port" ] || { echo "with_mongo.sh: the server did not start" >&2; cat "$log" >&2; exit 1; }
    export "$name=mongodb://127.0.0.1:$port/?directConnection=true"
}
for name in "${wanted[@]}"; do
    [ -z "${!name:-}" ] || continue
    venv=$("$(dirname "$0")/venv.sh")
    if [ "$name" = MONGODB_URI ]; then start "$name"; else start "$name" --standalone; fi
done
"$@"
