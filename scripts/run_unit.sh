#!/bin/bash
# Runs unit test programs one by one, prints a line for each that failed and a count at the end.
set -u
passed=0 failed=0
for program in "$@"; do
    output=$("$program" 2>&1)
    status=$?
    good=$(grep -c '^\[       OK \]' <<<"$output")
    bad=$(grep -c '^\[  FAILED  \] [a-z]' <<<"$output")
    if [ $status -ne 0 ]; then
        echo "$output"
        echo "FAILED: $program (status $status)"
        [ "$bad" -gt 0 ] || bad=1
    fi
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
