#!/bin/bash
# run_fuzz.sh SECONDS TARGET...: each target for that long, from its committed seeds; what crashes is kept in build/fuzz/crashes.
set -u
seconds=$1
shift
mkdir -p build/fuzz/crashes
passed=0 failed=0
for target in "$@"; do
    name=${target#build/fuzz/tests/fuzz/}
    seeds=tests/fuzz/${name%_fuzz}_corpus
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus"
    if [ -d "$seeds" ]; then set -- "$corpus" "$seeds"; else set -- "$corpus"; fi
    if "$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/crashes/${name//\//-}-" "$@" >"build/fuzz/${name//\//-}.log" 2>&1; then
        passed=$((passed + 1))
        echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/${name//\//-}.log") runs in $seconds s"
    else
        failed=$((failed + 1))
        tail -40 "build/fuzz/${name//\//-}.log"
        echo "FAILED: $name"
    fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
