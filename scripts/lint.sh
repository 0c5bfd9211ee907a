#!/bin/bash
# What the compiler does not see: arrows between rooms, file sizes, formatting, static checks, scripts, manuals.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
status=0
bad() { echo "lint: $*" >&2; status=1; }

sources=$(find common detector backend tests -name '*.[ch]' | sort)
for file in $sources; do
    room=${file%%/*}
    case $room in
    common) wrong='detector|backend' ;;
    detector) wrong='backend' ;;
    backend) wrong='detector' ;;
    *) continue ;;
    esac
    grep -nE "#include \"($wrong)/" "$file" && bad "$file: an arrow between rooms that may not be"
done
# A file over 600 lines says in its first comment why: "Long because ...".
for file in $sources $(find frontend-static models scripts -name '*.js' -o -name '*.css' -o -name '*.py' -o -name '*.sh'); do
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || head -20 "$file" | grep -q 'Long because' || bad "$file: $lines lines, and no reason told"
done
# What names its interpreter is run by its name.
for file in $(git grep -lE '^#!/' -- '*.py' '*.sh' .ci/run); do
    [ -x "$file" ] || ! head -c 2 "$file" | grep -q '#!' || bad "$file: not executable"
done
# shellcheck disable=SC2086
unformatted=$(clang-format --dry-run -Werror $sources 2>&1 | grep -E 'error:' | cut -d: -f1 | sort | uniq -c | head -20)
[ -z "$unformatted" ] || bad "make format:" "$unformatted"
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
    --error-exitcode=1 -j 2 -I. common detector backend || bad "cppcheck"
shellcheck -x scripts/*.sh .ci/run backend/entrypoint.sh || bad "shellcheck"
for page in detector/detector.8 backend/backend.8; do
    [ -f "$page" ] || continue
    mandoc -T lint -W warning "$page" || bad "$page"
done
# The page. Its tools come from npm, once, at these versions; the page itself needs none of them.
if lint=$(scripts/node.sh build/node-lint eslint@9.39.1 stylelint@16.25.0 stylelint-config-standard@39.0.1 html-validate@9.7.1); then
    "$lint/node_modules/.bin/eslint" --max-warnings 0 -c scripts/lint/eslint.config.mjs frontend-static/js || bad "eslint"
    "$lint/node_modules/.bin/stylelint" --config scripts/lint/stylelint.json --config-basedir "$lint" frontend-static/app.css || bad "stylelint"
    "$lint/node_modules/.bin/html-validate" -c scripts/lint/htmlvalidate.json frontend-static/index.html || bad "html-validate"
else
    bad "the page's tools could not be fetched"
fi
# The project speaks of the project alone, and only by names that travel.
grep -rnIE '(/home/|/root/|/work/)' --include='*' common detector backend frontend-static models scripts tests docs ./*.md Makefile docker-compose*.yml .ci \
    --exclude=lint.sh 2>/dev/null | grep -v 'WORKDIR' | head -5 | grep . && bad "a path of one machine"
[ $status -eq 0 ] && echo "lint: clean"
exit $status
