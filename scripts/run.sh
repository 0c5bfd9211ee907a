#!/bin/bash
# Starts backend (SQLite), detector (simulator, until a capture is started on the page) and dashboard; Ctrl-C stops all.
# Settings by environment: THREATLINE_DATA (./data), THREATLINE_BIND (127.0.0.1), BACKEND_PORT (5000), DASHBOARD_PORT (3000),
# DETECTOR_PORT (8000), THREATLINE_SOURCE (simulator; live:eth0 needs CAP_NET_RAW).
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
data=${THREATLINE_DATA:-data} bind=${THREATLINE_BIND:-127.0.0.1}
port=${BACKEND_PORT:-5000} page=${DASHBOARD_PORT:-3000} control=${DETECTOR_PORT:-8000}
reach=$bind shown=$bind # where this machine, and where a browser finds it
[ "$bind" != 0.0.0.0 ] || reach=127.0.0.1
case $bind in 0.0.0.0 | 127.0.0.1) shown=localhost ;; esac

# What answers on a port before the start is something else, which would be taken for ours.
free() { # free VARIABLE HOST PORT
    ! (exec 3<>"/dev/tcp/$2/$3") 2>/dev/null || { echo "Port $3 is in use; choose another by $1=..." >&2; exit 1; }
}
free BACKEND_PORT "$reach" "$port"
free DASHBOARD_PORT "$reach" "$page"
free DETECTOR_PORT 127.0.0.1 "$control"
user="the first password stands above, once"
[ ! -e "$data/backend/threatline.db" ] || user="a new password: build/bin/threatline-backend --data-dir $data/backend user passwd admin"
mkdir -p "$data/backend" "$data/detector"
chmod 700 "$data"
if [ ! -s "$data/webhook.secret" ]; then
    (umask 077 && echo "local whsec_$(head -c 32 /dev/urandom | base64 -w0)" >"$data/webhook.secret")
fi

backend='' detector='' stopping=''
stop() {
    [ -z "$stopping" ] || return 0
    stopping=yes
    trap '' INT TERM
    [ -z "$detector" ] || kill -TERM "$detector" 2>/dev/null || true
    [ -z "$detector" ] || wait "$detector" 2>/dev/null || true
    [ -z "$backend" ] || kill -TERM "$backend" 2>/dev/null || true
    [ -z "$backend" ] || wait "$backend" 2>/dev/null || true
}
trap 'stop; echo "Threatline has stopped." >&2; exit 0' INT TERM
trap stop EXIT

# setsid: Ctrl-C reaches this script alone, which then stops both in order.
setsid build/bin/threatline-backend --bind "$bind" --port "$port" --dashboard-port "$page" --data-dir "$data/backend" \
    --webhook-secret-file "$data/webhook.secret" --static-dir build/www --detector "local=http://127.0.0.1:$control" &
backend=$!
ready=
for _ in $(seq 200); do
    if curl -fsS -o /dev/null "http://$reach:$port/readyz" 2>/dev/null; then ready=yes; break; fi
    kill -0 "$backend" 2>/dev/null || break
    sleep 0.05
done
[ -n "$ready" ] || { echo "The backend did not start; see the lines above." >&2; exit 1; }
setsid build/bin/threatline-detector --bind 127.0.0.1 --port "$control" --data-dir "$data/detector" --sensor local \
    --webhook "http://$reach:$port/api/network/webhook" --webhook-secret-file "$data/webhook.secret" \
    --model models --source "${THREATLINE_SOURCE:-simulator}" &
detector=$!
while ! curl -fsS -o /dev/null "http://127.0.0.1:$control/health" 2>/dev/null; do
    kill -0 "$detector" 2>/dev/null || { echo "The detector did not start; see the lines above." >&2; exit 1; }
    sleep 0.05
done
echo >&2
echo "Threatline is up:  http://$shown:$page   (user admin; $user)" >&2
echo "Ctrl-C stops it." >&2
wait -n "$backend" "$detector" || true
[ -n "$stopping" ] || { echo "One of the programs ended by itself; see the lines above." >&2; exit 1; }
