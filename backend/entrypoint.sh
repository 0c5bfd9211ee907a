#!/bin/sh
# Makes the webhook's secret and the detector's control key at the first start (the detector reads both from the same
# volume) and becomes the backend.
set -eu
dir=${SECRETS_DIR:-/secrets}
umask 027
if [ ! -s "$dir/webhook.secret" ]; then
    echo "${SENSOR_NAME:-local} whsec_$(head -c 32 /dev/urandom | base64 -w0)" >"$dir/webhook.secret.new"
    mv "$dir/webhook.secret.new" "$dir/webhook.secret"
fi
if [ ! -s "$dir/control.key" ]; then
    head -c 32 /dev/urandom | base64 -w0 >"$dir/control.key.new"
    mv "$dir/control.key.new" "$dir/control.key"
fi
exec threatline-backend --webhook-secret-file "$dir/webhook.secret" --detector-key-file "$dir/control.key" "$@"
