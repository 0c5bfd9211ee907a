#!/bin/sh
# Makes the webhook's secrets, one for each detector of docker-compose.yml, and the detector's control key at the first start
# (the detectors read them from the same volume) and becomes the backend. Of several backends that start at once the first
# to link wins, and all read that one.
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
secret() { # secret SENSOR: its line
    echo "$1 whsec_$(head -c 32 /dev/urandom | base64 -w0)"
}
[ -s "$dir/webhook.secret" ] || { secret "${SENSOR_NAME:-local}"; secret live; } | keep webhook.secret
if ! grep -q '^live ' "$dir/webhook.secret"; then # made before the second detector had a name of its own
    new=$(mktemp "$dir/new.XXXXXX")
    { cat "$dir/webhook.secret"; secret live; } >"$new"
    chmod 640 "$new"
    mv "$new" "$dir/webhook.secret"
fi
[ -s "$dir/control.key" ] || head -c 32 /dev/urandom | base64 -w0 | keep control.key
exec threatline-backend --webhook-secret-file "$dir/webhook.secret" --detector-key-file "$dir/control.key" "$@"
