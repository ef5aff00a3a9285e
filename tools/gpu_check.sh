#!/usr/bin/env bash
# Checks and measures this package on a GPU: bash tools/gpu_check.sh   (ten minutes; results as they come, and in gpu_check/)
#
#   versions, numbers of the CPU against the GPU, the tests marked gpu, the time of a step by mode beside loops written
#   by hand, and the run fig1a-clr of the super-convergence paper in the fastest mode, for the time that is left.
#
# Each step has a limit of its own; one that fails is told, and the next one runs.
#   BUDGET=600        seconds in all
#   OUT=gpu_check     where the results go
#   CIFAR=DIR         CIFAR-10 as `caffe-compat data cifar10 DIR` makes it (default: data/cifar10; else drawn shapes)
#   PYTHON=python3    an interpreter that has torch and this package's other requirements
#   DEVICE=cpu TINY=1 tries all of it without a GPU, in small, in a few minutes
set -u
cd "$(dirname "$0")/.."
export DEVICE=${DEVICE:-cuda} TINY=${TINY:-} BUDGET=${BUDGET:-600} OUT=${OUT:-gpu_check} CIFAR=${CIFAR:-data/cifar10}
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
PYTHON=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
export BEGAN=$(date +%s)
mkdir -p "$OUT"
failed=0

step() { # NAME LIMIT COMMAND...: at most LIMIT seconds, never beyond the budget
    local name=$1 limit=$2 rest rc
    shift 2
    rest=$((BUDGET - ($(date +%s) - BEGAN)))
    if [ "$rest" -lt 15 ]; then
        echo "== $name: left out, $rest s remain"
        return
    fi
    [ "$limit" -lt $((rest - 5)) ] || limit=$((rest - 5))
    echo "== $name, after $(($(date +%s) - BEGAN)) s, for $limit s at most"
    timeout -k 5 "$limit" "$@" 2>&1 | tee "$OUT/$name.txt"
    rc=${PIPESTATUS[0]}
    case $rc in
        0) ;;
        124 | 137) echo "-- $name: its time was up" | tee -a "$OUT/$name.txt" ;;
        *) echo "-- $name: exit code $rc" | tee -a "$OUT/$name.txt" && failed=1 ;;
    esac
}

check=("$PYTHON" -m tools.bench.gpu_check)
words=(-q -p no:cacheprovider -m gpu)
"$PYTHON" -c 'import xdist' 2>/dev/null && words+=(-n 4)
[ -z "$TINY" ] || words+=(tests/net/test_capture.py tests/solver/test_update_rules.py)

step versions 40 "${check[@]}" versions
step parity 90 "${check[@]}" parity
step tests 90 "$PYTHON" -m pytest "${words[@]}"
step steps 150 "${check[@]}" steps
step compiled 110 "${check[@]}" compiled
step run 600 "${check[@]}" run
step summary 20 "${check[@]}" summary
echo "== done after $(($(date +%s) - BEGAN)) s; please send what is in $OUT/"
exit "$failed"
