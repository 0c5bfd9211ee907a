#!/bin/sh
# page.sh FOLDER: the dashboard as it is served: its files, and beside each the same compressed (X.gz).
set -eu
cd "$(dirname "$0")/.."
out=$1
rm -rf "$out.new"
mkdir -p "$out.new"
(cd frontend-static && find . -type f ! -name Dockerfile ! -name '*.conf' ! -name '*.gz') | while read -r file; do
    mkdir -p "$out.new/$(dirname "$file")"
    cp "frontend-static/$file" "$out.new/$file"
    gzip -9 -n -c "$out.new/$file" >"$out.new/$file.gz"
done
chmod -R a+rX,u+w "$out.new"
rm -rf "$out"
mv "$out.new" "$out"
