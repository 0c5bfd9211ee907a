#!/bin/bash
# Measures this machine: every figure beside the bare limit or a peer of the same run. BENCH picks the parts.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1
make --silent bench-tools >&2
venv=$(scripts/venv.sh)
exec "$venv/bin/python" tests/bench/bench.py "$@"
