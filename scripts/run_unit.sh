#!/bin/bash
# run_unit.sh PROGRAM...: unit test programs, as many at once as there are cores; prints the output of each that failed
# and a count at the end.
set -u
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/scripts/tsan.supp"

one() {
    local runner=() output status good bad
    if [ "${VARIANT:-}" = valgrind ]; then
        [ "${1##*/}" != privilege_test ] ||
            { echo "privilege_test is not run under valgrind: the filter it tests refuses valgrind's own calls" && return; }
        runner=(valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --child-silent-after-fork=yes)
    fi
    output=$(${runner[@]+"${runner[@]}"} "$1" 2>&1)
    status=$?
    good=$(grep -c '^\[       OK \]' <<<"$output")
    bad=$(grep -cE '^\[  FAILED  \] [a-zA-Z_]+' <<<"$output")
    [ "$status" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    [ "$status" -eq 0 ] || printf '%s\nFAILED: %s (status %s)\n' "$output" "$1" "$status"
    echo "$good $bad" >"$counts/${1//\//-}"
    return "$status"
}
export -f one
counts=$(mktemp -d)
export counts
trap 'rm -rf "$counts"' EXIT
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} bash -c 'one {}'
status=$?
read -r passed failed < <(cat "$counts"/* | awk '{ good += $1; bad += $2 } END { print good + 0, bad + 0 }')
echo "unit: $passed passed, $failed failed"
[ "$status" -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
