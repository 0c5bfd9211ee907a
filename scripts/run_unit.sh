#!/bin/bash
# Runs unit test programs one by one, prints the output of each that failed and a count at the end.
set -u
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/scripts/tsan.supp"
runner=()
[ "${VARIANT:-}" != valgrind ] ||
    runner=(valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --child-silent-after-fork=yes)
passed=0 failed=0
for program in "$@"; do
    if [ "${VARIANT:-}" = valgrind ] && [ "${program##*/}" = privilege_test ]; then
        echo "privilege_test is not run under valgrind: the filter it tests refuses valgrind's own calls"
        continue
    fi
    output=$("${runner[@]}" "$program" 2>&1)
    status=$?
    good=$(grep -c '^\[       OK \]' <<<"$output")
    bad=$(grep -cE '^\[  FAILED  \] [a-zA-Z_]+' <<<"$output")
    if [ $status -ne 0 ]; then
        echo "$output"
        echo "FAILED: $program (status $status)"
        [ "$bad" -gt 0 ] || bad=1
    fi
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
