#!/bin/bash
# run_fuzz.sh SECONDS TARGET...: each target for that long, as many at once as there are cores, from its committed seeds;
# what crashes is kept in build/fuzz/crashes.
set -u
seconds=$1
shift
mkdir -p build/fuzz/crashes

one() {
    local target=$1 name log seeds corpus
    name=${target#build/fuzz/tests/fuzz/}
    log=build/fuzz/${name//\//-}.log
    seeds=tests/fuzz/${name%_fuzz}_corpus
    corpus=build/fuzz/corpus/$name
    mkdir -p "$corpus"
    [ -d "$seeds" ] || seeds=
    # shellcheck disable=SC2086
    if "$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/crashes/${name//\//-}-" "$corpus" $seeds >"$log" 2>&1; then
        echo "passed $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in $seconds s"
    else
        tail -40 "$log"
        echo "FAILED $name"
    fi
}
export -f one
export seconds
results=$(printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'one {}')
echo "$results" | sort
passed=$(grep -c '^passed ' <<<"$results")
echo "fuzz: $passed passed, $(($# - passed)) failed"
[ "$passed" -eq $# ] && [ "$passed" -gt 0 ]
