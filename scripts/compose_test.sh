#!/bin/bash
# Runs docker compose for real and looks at it from outside: seed's curl, history, stream, collection, page; then the same with
# three backends (docker-compose.scale.yml), of which two are killed. PARTS picks one of: one scale. Uses a working docker; without one the engine script that THREATLINE_ENGINE names (up prints DOCKER_HOST). Only the mongo service is
# replaced, and only where its image cannot be pulled.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
engine=
if ! docker info >/dev/null 2>&1; then
    [ -n "${THREATLINE_ENGINE:-}" ] || { echo "compose-test: no docker engine, and THREATLINE_ENGINE is not set" >&2; exit 1; }
    eval "$("$THREATLINE_ENGINE" up)"
    engine=started
fi
export COMPOSE_PROJECT_NAME=threatline-test
files=()
stand_in=
if [ -n "${THREATLINE_TEST_MONGO:-}" ] || ! docker image inspect mongo:7 >/dev/null 2>&1 && ! docker pull -q mongo:7 >/dev/null 2>&1; then
    stand_in=yes
fi
compose() { docker compose "${files[@]}" "$@"; }
finish() {
    code=$?
    if [ ${#files[@]} -gt 0 ]; then
        [ $code -eq 0 ] || compose logs --tail 60 || true
        compose down --volumes --timeout 5 >/dev/null 2>&1 || true
    fi
    [ -z "$engine" ] || "$THREATLINE_ENGINE" down || true
    exit $code
}
trap finish EXIT
part() { # part NAME COMPOSE-FILE OVERRIDE TEST
    case " ${PARTS:-$1} " in *" $1 "*) ;; *) return 0 ;; esac
    files=(-f "$2")
    [ -z "$stand_in" ] || files+=(-f "tests/compose/$3")
    compose build
    compose up --detach --wait --wait-timeout 240
    COMPOSE_FILES="${files[*]}" "$(scripts/venv.sh)/bin/python" -m pytest -q "tests/compose/$4"
    compose down --volumes --timeout 5
}
part one docker-compose.yml override.yml test_compose.py
part scale docker-compose.scale.yml override.scale.yml test_scale.py
