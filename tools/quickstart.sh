#!/usr/bin/env bash
# From a fresh checkout to a trained net and its curves: bash tools/quickstart.sh
# Needs Python 3.10 or newer and a package registry. Every step that is done already is skipped, and an interrupted
# training goes on at its last snapshot, so running it again is always right.
set -euo pipefail
. "$(dirname "$0")/venv.sh"

solver=prototxt/quickstart_solver.prototxt
data=data/shapes
prefix=$data/quickstart
log=$prefix.log
plot=$prefix.png

# The value of a field of the solver file.
field() { sed -n "s/^$1: *//p" "$solver"; }

# The solverstate with the highest iteration, or nothing.
last_snapshot() {
    local file iter best=0
    for file in "$prefix"_iter_*.solverstate; do
        [ -e "$file" ] || continue
        iter=${file##*_iter_}
        iter=${iter%.solverstate}
        if [ "$iter" -gt "$best" ]; then best=$iter; fi
    done
    [ "$best" = 0 ] || echo "${prefix}_iter_$best.solverstate"
}

# Of the training log show loss, rate and test accuracy; the whole of it goes to $log. What is no log line (an error
# message) is shown, warnings too; the net that the log prints is not. Ctrl-C is for the training alone.
show() {
    trap '' INT
    awk '
        /^[IWEF][0-9][0-9][0-9][0-9] / {
            echoing = /from parameters:/
            severity = substr($0, 1, 1)
            sub(/^[^]]*\] */, "")
            iter = /^Iteration / ? $2 + 0 : iter
            if (severity != "I") print "    " $0
            else if (/^Iteration .* loss = /) loss = $NF
            else if (/^Iteration .* lr = /) printf "    iteration %5d   loss %-9s  learning rate %s\n", iter, loss, $NF
            else if (/^Test net output .* accuracy = /) printf "    iteration %5d   test accuracy %s\n", iter, $NF
            fflush()
            next
        }
        !echoing { print; fflush() }'
}

step "1/5 Environment"
setup_venv plot
PATH=$VENV/bin:$PATH

step "2/5 Data: drawings of ten shapes, as large as CIFAR's pictures ($data)"
if [ -e $data/train_lmdb ] && [ -e $data/test_lmdb ] && [ -e $data/mean.binaryproto ]; then
    echo "    there already"
else
    caffe-compat data shapes --force $data
fi

max_iter=$(field max_iter)
step "3/5 Training: ResNet-20, $max_iter iterations ($solver); full log in $log"
snapshot=$(last_snapshot)
if [ -e "${prefix}_iter_$max_iter.solverstate" ]; then
    echo "    trained already; to train again: rm ${prefix}_iter_*"
else
    started=$SECONDS
    resume=()
    if [ -n "$snapshot" ]; then
        echo "    going on from $snapshot"
        resume=(--snapshot "$snapshot")
    else
        rm -f "$log"
    fi
    caffe-compat train --solver $solver ${resume[@]+"${resume[@]}"} 2>&1 | (trap '' INT; tee -a $log) | show
    [ -e "${prefix}_iter_$max_iter.solverstate" ] ||
        die "the training stopped early; to go on from the last snapshot: bash tools/quickstart.sh"
    echo "    took $((SECONDS - started)) s"
fi

step "4/5 Curves"
caffe-compat plot $log --out $plot >/dev/null

step "5/5 Done"
accuracy=$(sed -n 's/.*Test net output #[0-9]*: accuracy = //p' $log | tail -n 1)
cat <<END
    test accuracy  $accuracy
    curves         $root/$plot
    weights        $root/${prefix}_iter_$max_iter.caffemodel

Next, the real thing (downloads 170 MB; ResNet-56 wants a GPU):
    source ${VENV#"$root"/}/bin/activate
    caffe-compat data cifar10 data/cifar10
    caffe-compat train --solver prototxt/clr_solver.prototxt
END
