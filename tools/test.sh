#!/usr/bin/env bash
# Lint, types and tests, in the project's own .venv. Arguments go to pytest: bash tools/test.sh -k pooling
# All three run even if one fails; the exit code is 0 only if all passed.
set -euo pipefail
. "$(dirname "$0")/venv.sh"
setup_venv test
export PATH="$VENV/bin:$PATH"

# One torch thread a test process: several processes of several threads each are slower than either alone.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
failed=""

step "Lint (ruff)"
ruff check . || failed="$failed lint"

step "Types (mypy)"
mypy || failed="$failed types"

step "Tests (pytest)"
pytest -n auto --maxprocesses 8 "$@" || failed="$failed tests"

[ -z "$failed" ] || die "failed:$failed"
