#!/bin/bash
# Runs docker compose for real and looks at it from outside: seed's curl, history, stream, collection, page. Uses a working
# docker; without one the engine script that THREATLINE_ENGINE names (up prints DOCKER_HOST). Only the mongo service is
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
files=(-f docker-compose.yml)
if [ -n "${THREATLINE_TEST_MONGO:-}" ] || ! docker image inspect mongo:7 >/dev/null 2>&1 && ! docker pull -q mongo:7 >/dev/null 2>&1; then
    files+=(-f tests/compose/override.yml)
fi
compose() { docker compose "${files[@]}" "$@"; }
finish() {
    code=$?
    [ $code -eq 0 ] || compose logs --tail 60 || true
    compose down --volumes --timeout 5 >/dev/null 2>&1 || true
    [ -z "$engine" ] || "$THREATLINE_ENGINE" down || true
    exit $code
}
trap finish EXIT
compose build
compose up --detach --wait --wait-timeout 180
COMPOSE_FILES="${files[*]}" "$(scripts/venv.sh)/bin/python" -m pytest -q tests/compose
