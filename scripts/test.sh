#!/bin/bash
# Everything that needs no privilege: unit, behaviour and browser tests; a closing line counts them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0
count() { # count FILE: adds up the closing lines of cmocka runs and pytest
    while read -r number word; do
        case $word in
        passed) passed=$((passed + number)) ;;
        failed | error | errors) failed=$((failed + number)) ;;
        esac
    done < <(grep -E '^(unit: [0-9]+ passed|=* ?([0-9]+ (passed|failed|error).*) in [0-9.]+s)' "$1" | grep -oE '[0-9]+ (passed|failed|errors?)')
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
for part in ${PARTS:-unit behaviour browser}; do
    echo "--- $part"
    make --no-print-directory -j"$(nproc)" "$part" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    [ "$code" -eq 0 ] || { status=1; echo "--- $part ended with $code"; }
    before=$((passed + failed))
    count "$log"
    if [ $((passed + failed)) -eq "$before" ]; then
        echo "--- $part ran no test"
        failed=$((failed + 1)) status=1
    fi
done
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
echo "$passed passed, $failed failed"
exit $status
