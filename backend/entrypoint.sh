#!/bin/sh
# Makes the webhook's secret and the detector's control key at the first start (the detector reads both from the same
# volume) and becomes the backend. Of several backends that start at once the first to link wins, and all read that one.
set -eu
dir=${SECRETS_DIR:-/secrets}
umask 027
keep() { # keep FILE: stdin becomes FILE, unless it is there
    new=$(mktemp "$dir/new.XXXXXX")
    cat >"$new"
    chmod 640 "$new"
    ln "$new" "$dir/$1" 2>/dev/null || [ -s "$dir/$1" ]
    rm -f "$new"
}
[ -s "$dir/webhook.secret" ] || echo "${SENSOR_NAME:-local} whsec_$(head -c 32 /dev/urandom | base64 -w0)" | keep webhook.secret
[ -s "$dir/control.key" ] || head -c 32 /dev/urandom | base64 -w0 | keep control.key
exec threatline-backend --webhook-secret-file "$dir/webhook.secret" --detector-key-file "$dir/control.key" "$@"
