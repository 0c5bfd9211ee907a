#!/bin/bash
# The full counts, too long for every change: sanitizers, valgrind, a minute of fuzzing a target, 200 crashes, a 30-minute soak.
# Writes docs/check-long.md, dated; stops at the first part that fails. PARTS picks some of: asan tsan valgrind fuzz crashes shift soak.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
report=$(mktemp)
part() { # part TITLE COMMAND...
    local title=$1
    shift
    case " ${PARTS:-$title} " in *" $title "*) ;; *) return 0 ;; esac
    echo "--- $title"
    local began=$SECONDS
    "$@" 2>&1 | tee build/check-long.part
    { echo "## $title"; echo; echo "$(date -u +%Y-%m-%d), \`$*\`, $((SECONDS - began)) s:"; echo; echo '```'; grep -vE '^  (CC|LD)  ' build/check-long.part | tail -30; echo '```'; echo; } >>"$report"
}
mkdir -p build
{ echo "# Long checks"; echo; echo "Written by \`make check-long\` on $(date -u +%Y-%m-%d), $(nproc) cores."; echo; } >"$report"
part asan make --no-print-directory asan
part tsan make --no-print-directory tsan
part valgrind make --no-print-directory valgrind
part fuzz make --no-print-directory fuzz FUZZ_SECONDS=60
part crashes env CRASHES="${CRASHES:-200}" make --no-print-directory behaviour PYTEST="-k crash"
part soak env SOAK_SECONDS="${SOAK_SECONDS:-1800}" make --no-print-directory behaviour PYTEST="-k grow"
if [ -n "${PARTS:-}" ] && [ -f docs/check-long.md ]; then
    sed 1,4d "$report" >>docs/check-long.md
else
    cp "$report" docs/check-long.md
fi
rm -f "$report"
