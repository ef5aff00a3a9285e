"""Write down what a real Caffe computes, for `caffe-compat validate --reference`.

    python dump_caffe_reference.py --net train_val.prototxt --phase TRAIN --weights x.caffemodel --out bundle
    python dump_caffe_reference.py --solver solver.prototxt --iterations 5 --out bundle

It needs pycaffe (of BVLC, NVIDIA or any fork; on PYTHONPATH) with its numpy and protobuf, nothing else, and
runs under Python 2.7 and 3: copy this one file to where the Caffe is. Start it in the folder that the paths
in the prototxt are relative to.

The bundle is a folder: net.prototxt, weights.caffemodel (the weights before the pass), solver.prototxt if a
solver was given, and bundle.npz with

    blob.<name>             every blob after one forward pass (Caffe's Split copies left out: they are equal)
    top.<layer>.<k>         the same for a top that a later layer writes over in place
    topdiff.<name>          the gradient given to an output, for nets without a loss
    diff.<name>             every blob's gradient after one backward pass
    bottomdiff.<layer>.<k>  the same for a bottom whose gradient an in-place layer writes over
    paramgrad.<layer>.<i>   gradients of the learned blobs
    after.<layer>.<i>       learned blobs that the forward pass itself changed (BatchNorm's statistics)
    in.<name>               (solver) what the data layers served, one entry a forward pass
    loss, lr                (solver) of each iteration; the loss is that of its last forward pass
    grad_of.<layer>.<i>     (solver) gradients before each update, where this pycaffe can tell
    w.<layer>.<i>           (solver) learned blobs before the first and after each iteration
    meta                    JSON: phase, what was run, names and types of the layers
"""

# Python 2 has no f-strings, no strict zip, and classes of two kinds.
# ruff: noqa: UP004, UP010, UP031, B905

from __future__ import print_function

import argparse
import io
import json
import os
import re
import shutil
import sys
import zipfile

import numpy as np

# Which bottom of a layer holds class numbers, and which one has a channel for each class.
CLASSES = {
    "SoftmaxWithLoss": (1, 0), "Accuracy": (1, 0), "HingeLoss": (1, 0), "MultinomialLogisticLoss": (1, 0),
    "InfogainLoss": (1, 0), "SigmoidCrossEntropyLoss": (1, None), "ContrastiveLoss": (2, None), "Filter": (-1, None),
}  # fmt: skip
RECURRENT = ("LSTM", "RNN")  # their second bottom says where sequences go on: 0 where one begins, else 1

# Fields of a solver that are left out: of tests, snapshots and files.
NOT_RUN = ("test_iter", "test_interval", "test_net", "test_net_param", "test_state", "snapshot", "weights")

# What Caffe stops at when it is told to go back through it, as force_backward does.
NO_BACKWARD = ("Accuracy", "ArgMax", "Threshold")


class Writer(object):
    """An .npz that grows array by array, so that a big net need not fit into memory twice."""

    def __init__(self, path, compress):
        kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        self.zip = zipfile.ZipFile(path, "w", kind, allowZip64=True)

    def put(self, key, array):
        data = io.BytesIO()
        np.lib.format.write_array(data, np.asanyarray(array), allow_pickle=False)
        self.zip.writestr(key + ".npy", data.getvalue())

    def close(self):
        self.zip.close()


class Structure(object):
    """Names, types, bottoms and tops of a net's layers, and who writes over whose blob."""

    def __init__(self, net, caffemodel, caffe_pb2):
        self.names = [str(name) for name in net._layer_names]
        if hasattr(net, "top_names") and hasattr(net, "bottom_names"):
            self.types = [str(getattr(layer, "type", "Python")) for layer in net.layers]
            self.tops = [[str(t) for t in net.top_names[n]] for n in self.names]
            self.bottoms = [[str(b) for b in net.bottom_names[n]] for n in self.names]
        else:  # before 2016: the saved net says the same
            saved = caffe_pb2.NetParameter()
            with open(caffemodel, "rb") as model:
                saved.ParseFromString(model.read())
            layers = saved.layer if len(getattr(saved, "layer", ())) else saved.layers
            self.names = [str(layer.name) for layer in layers]
            self.types = [str(layer.type) for layer in layers]
            self.tops = [[str(t) for t in layer.top] for layer in layers]
            self.bottoms = [[str(b) for b in layer.bottom] for layer in layers]
        self.first, self.last = {}, {}  # the layers that write a blob first and last
        for i, tops in enumerate(self.tops):
            for top in tops:
                self.first.setdefault(top, i)
                self.last[top] = i

    def is_split(self, i):
        tops, bottoms = self.tops[i], self.bottoms[i]
        return self.names[i].endswith("_split") and len(bottoms) == 1 and self.names[i] + "_0" in tops

    def origin(self, blob):
        """The blob that a Split copied to make this one, else the blob itself."""
        i = self.first.get(blob)
        return self.bottoms[i][0] if i is not None and self.is_split(i) else blob

    def data_tops(self):
        return [top for tops, bottoms in zip(self.tops, self.bottoms) if not bottoms for top in tops]


def learned(net):
    """(layer.index, blob) of every learned blob."""
    return [("%s.%d" % (n, i), blob) for n, blobs in net.params.items() for i, blob in enumerate(blobs)]


def loss_weights(net):
    """By blob; Caffe keeps a loss weight in the gradient of its top, where it stands before any backward."""
    weights = {}
    for name, blob in net.blobs.items():
        diff = blob.diff
        if diff.size and diff.flat[0]:
            weights[str(name)] = float(diff.flat[0])
    return weights


def total_loss(net, weights):
    return sum(weight * float(net.blobs[name].data.sum()) for name, weight in weights.items())


def fill_inputs(net, structure, path, random):
    """Values for the blobs that the caller of a net fills: from the .npz `path`, else noise or class numbers."""
    given, layers = dict(np.load(path)) if path else {}, list(zip(structure.types, structure.bottoms))
    marks = [structure.origin(bottoms[1]) for type_, bottoms in layers if type_ in RECURRENT]
    for name in [str(name) for name in net.inputs]:
        blob = net.blobs[name]
        if name in given:
            blob.reshape(*given[name].shape)
            blob.data[...] = given[name]
            continue
        count = 0
        for type_, bottoms in layers:
            labels, scores = CLASSES.get(type_, (None, None))
            if labels is None or len(bottoms) < 2 or structure.origin(bottoms[labels]) != name:
                continue
            count = 2 if scores is None else net.blobs[bottoms[scores]].data.shape[1]
        if name in marks:
            blob.data[...] = random.uniform(size=blob.data.shape) < 0.7
            blob.data[0] = 0
        elif count:
            blob.data[...] = random.randint(0, count, blob.data.shape)
        else:
            blob.data[...] = random.standard_normal(blob.data.shape)
    net.reshape()


def dump_net(net, structure, out, random, backward=True):
    """One forward and one backward pass, layer by layer."""
    s, weights, before = structure, loss_weights(net), {}
    for key, blob in learned(net):
        before[key] = blob.data.copy()
        blob.diff[...] = 0
    for i, name in enumerate(s.names):
        net._forward(i, i)
        if s.is_split(i):
            continue
        for k, top in enumerate(s.tops[i]):
            key = "blob.%s" % top if s.last[top] == i else "top.%s.%d" % (name, k)
            out.put(key, net.blobs[top].data)
    for key, blob in learned(net):
        if not np.array_equal(before[key], blob.data):
            out.put("after.%s" % key, blob.data)
    if not backward:
        return
    if not weights:
        for name in [str(name) for name in net.outputs]:
            diff = net.blobs[name].diff
            diff[...] = random.standard_normal(diff.shape)
            out.put("topdiff.%s" % name, diff)
    for i in reversed(range(len(s.names))):
        if s.types[i] in NO_BACKWARD:
            continue
        net._backward(i, i)
        for k, bottom in enumerate(s.bottoms[i]):
            writers = [j for j in range(i) if bottom in s.tops[j]]
            key = "diff.%s" % bottom if len(writers) == 1 else "bottomdiff.%s.%d" % (s.names[i], k)
            out.put(key, net.blobs[bottom].diff)
    for key, blob in learned(net):
        out.put("paramgrad.%s" % key, blob.diff)


def dump_steps(solver, structure, out, iterations, forwards, weights):
    """Solver iterations: losses, rates, weights, and per forward pass what the data layers served."""
    net, tops = solver.net, structure.data_tops()
    inputs, gradients = {top: [] for top in tops}, {}
    values = {key: [blob.data.copy()] for key, blob in learned(net)}

    def served(layer):
        for top in tops:
            if structure.first[top] == layer:
                inputs[top].append(net.blobs[top].data.copy())

    def gradients_ready():
        for key, blob in learned(net):
            gradients.setdefault(key, []).append(blob.diff.copy())

    hooked = hasattr(net, "after_forward")
    if hooked:
        net.after_forward(served)
    if hasattr(solver, "add_callback"):
        solver.add_callback(lambda: None, gradients_ready)
    losses, rates = [], []
    for _ in range(iterations):
        rates.append(getattr(solver, "lr", None))
        solver.step(1)
        losses.append(total_loss(net, weights))
        if not hooked and forwards == 1:
            for layer in sorted({structure.first[top] for top in tops}):
                served(layer)
        for key, blob in learned(net):
            values[key].append(blob.data.copy())
    out.put("loss", np.array(losses))
    if None not in rates:
        out.put("lr", np.array(rates))
    for top in tops:
        if len(inputs[top]) == iterations * forwards:
            out.put("in.%s" % top, np.stack(inputs[top]))
    for key, arrays in values.items():
        out.put("w.%s" % key, np.stack(arrays))
    for key, arrays in gradients.items():
        out.put("grad_of.%s" % key, np.stack(arrays))


def read_rates(path):
    """The rates that Caffe logged, for a pycaffe whose solvers have no `lr`."""
    with open(path) as log:
        return [float(x) for x in re.findall(r"Iteration \d+, lr = ([^\s,]+)", log.read())]


class Logged(object):
    """While it lasts, everything written to standard error (by C++, too) goes to a file."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        sys.stderr.flush()
        self.saved = os.dup(2)
        with open(self.path, "ab") as log:
            os.dup2(log.fileno(), 2)

    def __exit__(self, *error):
        sys.stderr.flush()
        os.dup2(self.saved, 2)
        os.close(self.saved)


def run_net(args, caffe, caffe_pb2, out, log):
    phase = {"TRAIN": caffe.TRAIN, "TEST": caffe.TEST}[args.phase]
    path = os.path.join(args.out, "net.prototxt")
    with open(args.net) as source:
        text = source.read()
    if args.force_backward:
        text = "force_backward: true\n" + re.sub(r"(?m)^\s*force_backward\s*:\s*\w+\s*$", "", text)
    with open(path, "w") as copy:
        copy.write(text)
    stages = [stage for stage in args.stage.split(",") if stage]
    state = {"level": args.level, "stages": stages} if args.level or stages else {}
    with log:
        net = caffe.Net(path, phase, **state)
        if args.weights:
            net.copy_from(args.weights)
    model = os.path.join(args.out, "weights.caffemodel")
    net.save(model)
    structure = Structure(net, model, caffe_pb2)
    random = np.random.RandomState(args.seed)
    fill_inputs(net, structure, args.inputs, random)
    # Once before anything is kept: a moving average that starts at 0 shows no fraction. What recurrent layers
    # remember of an earlier pass is not in a bundle, so without need there is none.
    if args.phase == "TRAIN" and "BatchNorm" in structure.types:
        with log:
            net.forward()
        net.save(model)
    backward = bool(loss_weights(net)) or "force_backward: true" in text
    with log:
        dump_net(net, structure, out, random, backward)
    return structure, {
        "kind": "net", "phase": args.phase, "level": args.level, "stages": stages, "backward": backward,
    }  # fmt: skip


def run_solver(args, caffe, caffe_pb2, out, log):
    from google.protobuf import text_format

    param = caffe_pb2.SolverParameter()
    with open(args.solver) as source:
        try:
            text_format.Merge(source.read(), param)
        except text_format.ParseError as error:
            sys.exit("%s: this Caffe cannot read it: %s" % (args.solver, error))
    for field in NOT_RUN:
        if field in param.DESCRIPTOR.fields_by_name:
            param.ClearField(field)
    param.snapshot_prefix = os.path.join(args.out, "snapshot")
    param.display = 1
    running = os.path.join(args.out, "solver.prototxt")
    with open(running, "w") as target:
        target.write(text_format.MessageToString(param))
    with log:
        solver = (caffe.get_solver if hasattr(caffe, "get_solver") else caffe.SGDSolver)(str(running))
        if args.weights:
            solver.net.copy_from(args.weights)
    model = os.path.join(args.out, "weights.caffemodel")
    solver.net.save(model)
    structure = Structure(solver.net, model, caffe_pb2)
    random = np.random.RandomState(args.seed)
    if solver.net.inputs:
        fill_inputs(solver.net, structure, args.inputs, random)

    # One pass looked at in full, and everything back to where it was but the data's position.
    before = {key: blob.data.copy() for key, blob in learned(solver.net)}
    weights = loss_weights(solver.net)
    forwards = getattr(param, "iter_size", 1)
    with log:
        dump_net(solver.net, structure, out, random)
        for key, blob in learned(solver.net):
            blob.data[...] = before[key]
            blob.diff[...] = 0
        for name, blob in solver.net.blobs.items():
            blob.diff[...] = weights.get(str(name), 0)
        dump_steps(solver, structure, out, args.iterations, forwards, weights)
    rates = read_rates(log.path)
    if not hasattr(solver, "lr") and len(rates) == args.iterations:
        out.put("lr", np.array(rates))

    for field in ("net", "train_net"):  # from here on the copy beside it
        if param.HasField(field):
            shutil.copyfile(getattr(param, field), os.path.join(args.out, "net.prototxt"))
            setattr(param, field, "net.prototxt")
    param.snapshot_prefix = "snapshot"
    with open(running, "w") as target:
        target.write(text_format.MessageToString(param))
    return structure, {
        "kind": "solver", "phase": "TRAIN", "backward": True, "iterations": args.iterations,
        "forwards": forwards, "batches_before": 1,
    }  # fmt: skip


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what, add = parser.add_mutually_exclusive_group(required=True).add_argument, parser.add_argument
    what("--net", metavar="FILE", help="a net to run once, forward and backward")
    what("--solver", metavar="FILE", help="a solver: its training net once, then some iterations")
    add("--out", required=True, metavar="DIR", help="the bundle's folder; it is made")
    add("--weights", metavar="FILE", help="a caffemodel to start from (default: the fillers)")
    add("--phase", choices=("TRAIN", "TEST"), default="TEST", help="of --net (default: TEST)")
    add("--level", type=int, default=0, metavar="N", help="of --net")
    add("--stage", default="", metavar="A,B", help="of --net")
    add("--inputs", metavar="NPZ", help="values for the net's input blobs, by name")
    add("--force-backward", action="store_true", help="gradients also for a net without a loss")
    add("--iterations", type=int, default=5, metavar="N", help="of --solver (default: 5)")
    add("--seed", type=int, default=1, metavar="N", help="of weights and inputs (default: 1)")
    add("--gpu", type=int, metavar="ID", help="run on this GPU (default: the CPU)")
    add("--compress", action="store_true", help="a smaller bundle, written more slowly")
    args = parser.parse_args(argv)

    if not os.path.isdir(args.out):
        os.makedirs(args.out)
    log = Logged(os.path.join(args.out, "caffe.log"))
    print("If Caffe stops here, the end of %s says why." % log.path)
    sys.stdout.flush()
    with log:
        import caffe
        from caffe.proto import caffe_pb2

        if args.gpu is None:
            caffe.set_mode_cpu()
        else:
            caffe.set_device(args.gpu)
            caffe.set_mode_gpu()
        if hasattr(caffe, "set_random_seed"):
            caffe.set_random_seed(args.seed)
    path = os.path.join(args.out, "bundle.npz")
    out = Writer(path, args.compress)
    structure, meta = (run_net if args.net else run_solver)(args, caffe, caffe_pb2, out, log)
    meta.update(
        format=1, passes=1, device="cpu" if args.gpu is None else "gpu %d" % args.gpu,
        caffe=str(getattr(caffe, "__version__", "unknown")), layers=list(zip(structure.names, structure.types)),
    )  # fmt: skip
    out.put("meta", np.array(json.dumps(meta)))
    out.close()
    print("Wrote %s, %.1f MB." % (args.out, os.path.getsize(path) / 1e6))
    return 0


if __name__ == "__main__":
    sys.exit(main())
