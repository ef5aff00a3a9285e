"""Caffe's log, line by line: nothing else formats one, but for what its tools add (commands).

Each line names the source position of the Caffe statement that prints it. Methods take plain numbers, names and
shapes. Floats are rounded to float32 and printed as a C++ stream prints them, six significant digits.
"""

import math
import struct
from collections.abc import Iterable, Sequence
from math import prod
from typing import SupportsFloat

from caffe_compat.log.glog import DEBUG, ERROR, INFO, OFF, WARNING, Glog

# What happens to a layer of a weights file: (ignored, copied).
_SOURCE_LAYER_LINES = {"share": (678, 681), "binary": (746, 749), "hdf5": (801, 805)}

# An upgrade: line and object of the attempt, line and words of the success, line and text of the warning.
_DEPRECATED = "input file specified using deprecated "
_FUTURE = "Note that future Caffe releases will "
_UPGRADES: dict[str, tuple[int, str, int, str, int, str]] = {
    "V0": (
        28, _DEPRECATED + "V0LayerParameter", 36, "file specified using deprecated V0LayerParameter",
        39, _FUTURE + "not support V0NetParameter; use ./build/tools/upgrade_net_proto_text for prototxt and "
        "./build/tools/upgrade_net_proto_binary for model weights upgrade this and any other net protos "
        "to the new format.",
    ),
    "data": (
        46, _DEPRECATED + "transformation parameters",
        49, "file specified using deprecated data transformation parameters.",
        51, _FUTURE + "only support transform_param messages for transformation fields.",
    ),
    "V1": (
        55, _DEPRECATED + "V1LayerParameter", 63, "file specified using deprecated V1LayerParameter", 0, "",
    ),
    "input": (
        69, _DEPRECATED + "input fields", 72, "file specified using deprecated input fields.",
        74, _FUTURE + "only support input layers and not input fields.",
    ),
    "batch_norm": (
        79, "batch norm layers using deprecated params",
        82, "batch norm layers using deprecated params.", 0, "",
    ),
    "solver_type": (
        1084, _DEPRECATED + "'solver_type' field (enum)'",
        1091, "file specified using deprecated 'solver_type' field (enum) to 'type' field (string).",
        1093, _FUTURE + "only support 'type' field (string) for a solver's type.",
    ),
}  # fmt: skip

Outputs = Iterable[tuple[str, Iterable[float], float]]


def cpp_float(number: SupportsFloat) -> str:
    """A number rounded to float32, as `std::cout << number` prints it: 1e-05, 87.3366, -nan."""
    value = float(number)
    try:
        value = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:  # beyond float32 and not infinite yet
        value = math.copysign(math.inf, value)
    if math.isnan(value):
        return "-nan" if math.copysign(1, value) < 0 else "nan"
    return f"{value:.6g}"


def shape_text(shape: Sequence[int]) -> str:
    """A shape as Caffe prints it: `8 3 12 12 (3456)`, and `(1)` for a scalar."""
    return "".join(f"{d} " for d in shape) + f"({prod(shape)})"


class Log(Glog):
    """What nets and solvers log."""

    # -- python/caffe/_caffe.cpp ---------------------------------------------------------------

    def old_net(self, file: str, phase: int, weights: str) -> None:
        """A net is made by Net(file, weights, phase), as in pycaffe's first versions."""
        self._line(WARNING, "_caffe.cpp:139", "DEPRECATION WARNING - deprecated use of Python interface")
        self._line(WARNING, "_caffe.cpp:140", 'Use this instead (with the named "weights" parameter):')
        self._line(WARNING, "_caffe.cpp:142", f"Net('{file}', {phase}, weights='{weights}')")

    def script(self, text: str) -> None:
        """A line of a pycaffe script's own."""
        self._line(INFO, "_caffe.cpp:68", text)

    # -- src/caffe/util/upgrade_proto.cpp -----------------------------------------------------

    def upgraded(self, what: str, source: str) -> None:
        """File `source` was upgraded: V0, data, V1, input, batch_norm or solver_type."""
        attempt, thing, success, done, note, warning = _UPGRADES[what]
        self._line(INFO, f"upgrade_proto.cpp:{attempt}", f"Attempting to upgrade {thing}: {source}")
        self._line(INFO, f"upgrade_proto.cpp:{success}", f"Successfully upgraded {done}")
        if warning:
            self._line(WARNING, f"upgrade_proto.cpp:{note}", warning)

    def snapshot_prefix(self, prefix: str, was_folder: bool) -> None:
        """The prefix that is used where the solver gave a folder, or none at all."""
        line, why = (1113, "a directory and is replaced")
        if not was_folder:
            line, why = 1108, "not specified and is set"
        self._line(INFO, f"upgrade_proto.cpp:{line}", f"snapshot_prefix was {why} to {prefix}")

    # -- src/caffe/net.cpp: which layers the state keeps --------------------------------------

    def rule_phase(self, phase: int, rule_phase: int, layer: str) -> None:
        """Phases are 0 (TRAIN) and 1 (TEST)."""
        self._rule(296, f"The NetState phase ({phase}) differed from the phase ({rule_phase})", layer)

    def rule_min_level(self, level: int, min_level: int, layer: str) -> None:
        # "above" is Caffe's word here, too
        self._rule(306, f"The NetState level ({level}) is above the min_level ({min_level})", layer)

    def rule_max_level(self, level: int, max_level: int, layer: str) -> None:
        self._rule(316, f"The NetState level ({level}) is above the max_level ({max_level})", layer)

    def rule_stage(self, stage: str, layer: str) -> None:
        self._rule(332, f"The NetState did not contain stage '{stage}'", layer)

    def rule_not_stage(self, stage: str, layer: str) -> None:
        self._rule(347, f"The NetState contained a not_stage '{stage}'", layer)

    def _rule(self, line: int, text: str, layer: str) -> None:
        self._line(INFO, f"net.cpp:{line}", f"{text} specified by a rule in layer {layer}")

    # -- src/caffe/net.cpp: the structure -----------------------------------------------------

    def initializing_net(self, text: str) -> None:
        """Echo the filtered net, before splits are inserted; `text` is prototxt."""
        self._line(INFO, "net.cpp:53", f"Initializing net from parameters: \n{text}")

    def creating_layer(self, name: str) -> None:
        """The registry starts to make a layer, or a layer that lives inside another."""
        self._line(INFO, "layer_factory.hpp:77", f"Creating layer {name}")

    def created_layer(self, name: str) -> None:
        self._line(INFO, "net.cpp:86", f"Creating Layer {name}")

    def bottom(self, layer: str, blob: str) -> None:
        self._line(INFO, "net.cpp:408", f"{layer} <- {blob}")

    def top(self, layer: str, blob: str, in_place: bool = False) -> None:
        """`blob` is `(automatic)` for the anonymous top of a loss layer."""
        line, suffix = (369, " (in-place)") if in_place else (382, "")
        self._line(INFO, f"net.cpp:{line}", f"{layer} -> {blob}{suffix}")

    def setting_up(self, layer: str) -> None:
        self._line(INFO, "net.cpp:124", f"Setting up {layer}")

    def top_shape(self, shape: Sequence[int]) -> None:
        self._line(INFO, "net.cpp:131", f"Top shape: {shape_text(shape)}")

    def loss_weight(self, weight: float) -> None:
        """The weight of the top whose shape was just printed; Caffe prints none for weight 0."""
        self._line(INFO, "net.cpp:134", f"    with loss weight {cpp_float(weight)}")

    def memory(self, bytes: int) -> None:
        """The data of all tops up to here, in bytes."""
        self._line(INFO, "net.cpp:139", f"Memory required for data: {bytes}")

    def sharing_parameters(self, param: str, owner: str, index: int) -> None:
        text = f"Sharing parameters '{param}' owned by layer '{owner}', param index {index}"
        self._line(INFO, "net.cpp:467", text)

    def need_backward(self, layer: str, needs: bool) -> None:
        line, verb = (200, "needs") if needs else (202, "does not need")
        self._line(INFO, f"net.cpp:{line}", f"{layer} {verb} backward computation.")

    def net_output(self, blob: str) -> None:
        self._line(INFO, "net.cpp:244", f"This network produces output {blob}")

    def net_initialized(self) -> None:
        self._line(INFO, "net.cpp:257", "Network initialization done.")

    def ignoring_source_layer(self, name: str, how: str = "binary") -> None:
        """A layer of the weights that the net lacks; they come from a binary or hdf5 file, or by share."""
        self._line(INFO, f"net.cpp:{_SOURCE_LAYER_LINES[how][0]}", f"Ignoring source layer {name}")

    def copying_source_layer(self, name: str, how: str = "binary") -> None:
        """A layer of the weights that the net has; only in debug logs, as in Caffe."""
        self._line(DEBUG, f"net.cpp:{_SOURCE_LAYER_LINES[how][1]}", f"Copying source layer {name}")

    # -- the data layers ----------------------------------------------------------------------

    def opened(self, kind: str, source: str) -> None:
        """A database of kind lmdb or leveldb."""
        self._line(INFO, f"db_{kind}.cpp:{ {'lmdb': 35, 'leveldb': 18}[kind] }", f"Opened {kind} {source}")

    def mean_file(self, path: str) -> None:
        self._line(INFO, "data_transformer.cpp:25", f"Loading mean file from: {path}")

    def output_size(self, kind: str, shape: Sequence[int]) -> None:
        """The shape of the pictures of a layer of kind data or image_data."""
        line = {"data": 45, "image_data": 90}[kind]
        self._line(INFO, f"{kind}_layer.cpp:{line}", f"output data size: {','.join(map(str, shape))}")

    def image_list(self, source: str, count: int, shuffled: bool, skipped: int | None) -> None:
        """The list of an ImageData layer; `skipped` lines at its start if it has rand_skip."""
        self._line(INFO, "image_data_layer.cpp:38", f"Opening file {source}")
        if shuffled:
            self._line(INFO, "image_data_layer.cpp:53", "Shuffling data")
        self._line(INFO, "image_data_layer.cpp:63", f"A total of {count} images.")
        if skipped is not None:
            self._line(INFO, "image_data_layer.cpp:70", f"Skipping first {skipped} data points.")

    def hdf5_list(self, source: str, count: int) -> None:
        """The files of an HDF5Data layer."""
        self._line(INFO, "hdf5_data_layer.cpp:81", f"Loading list of HDF5 filenames from: {source}")
        self._line(INFO, "hdf5_data_layer.cpp:95", f"Number of HDF5 files: {count}")

    # -- src/caffe/net.cpp: debug_info --------------------------------------------------------

    def debug_forward(self, layer: str, kind: str, blob: str, data: float) -> None:
        """`kind` is top or param; `data` the mean absolute value. A nameless param is named by its index."""
        line = {"top": 593, "param": 605}[kind]
        text = f"    [Forward] Layer {layer}, {kind} blob {blob} data: {cpp_float(data)}"
        self._line(INFO, f"net.cpp:{line}", text)

    def debug_backward(self, layer: str, kind: str, blob: str, diff: float) -> None:
        """`kind` is bottom or param; `diff` the mean absolute gradient. A param is named by its index."""
        line = {"bottom": 621, "param": 632}[kind]
        text = f"    [Backward] Layer {layer}, {kind} blob {blob} diff: {cpp_float(diff)}"
        self._line(INFO, f"net.cpp:{line}", text)

    def debug_update(self, layer: str, param: str, data: float, diff: float) -> None:
        text = f"    [Update] Layer {layer}, param {param} data: {cpp_float(data)}; diff: {cpp_float(diff)}"
        self._line(INFO, "net.cpp:649", text)

    def debug_update_shared(self, layer: str, param: str, owner: str, owner_param: str, diff: float) -> None:
        owned = f"(owned by layer {owner}, param {owner_param})"
        text = f"    [Update] Layer {layer}, param blob {param} {owned} diff: {cpp_float(diff)}"
        self._line(INFO, "net.cpp:657", text)

    def debug_norms(self, l1_data: float, l1_diff: float, l2_data: float, l2_diff: float) -> None:
        """Norms over all learned blobs; an error-level line in Caffe, and so here."""
        l1 = f"L1 norm = ({cpp_float(l1_data)}, {cpp_float(l1_diff)})"
        l2 = f"L2 norm = ({cpp_float(l2_data)}, {cpp_float(l2_diff)})"
        self._line(ERROR, "net.cpp:721", f"    [Backward] All net params (data, diff): {l1}; {l2}")

    # -- src/caffe/solver.cpp -----------------------------------------------------------------

    def initializing_solver(self, text: str) -> None:
        """Echo the solver, command-line changes included; `text` is prototxt."""
        self._line(INFO, "solver.cpp:45", f"Initializing solver from parameters: \n{text}")

    def train_net(self, field: str, file: str = "") -> None:
        """`field` of the solver that gives the training net: net, net_param, train_net or train_net_param."""
        line, text = {
            "train_net_param": (88, "specified in train_net_param."),
            "train_net": (92, f"from train_net file: {file}"),
            "net_param": (97, "specified in net_param."),
            "net": (102, f"from net file: {file}"),
        }[field]
        self._line(INFO, f"solver.cpp:{line}", f"Creating training net {text}")

    def test_net(self, index: int, field: str, file: str = "") -> None:
        """`field` of the solver that gives test net `index`: net, net_param, test_net or test_net_param."""
        source = {
            "net": f"net file: {file}",
            "test_net": f"test_net file: {file}",
            "net_param": field,
            "test_net_param": field,
        }[field]
        self._line(INFO, "solver.cpp:190", f"Creating test net (#{index}) specified by {source}")

    def finetuning(self, weights: str) -> None:
        self._line(INFO, "solver.cpp:72", f"Finetuning from {weights}")

    def scaffolding_done(self) -> None:
        self._line(INFO, "solver.cpp:57", "Solver scaffolding done.")

    def solving(self, net_name: str, lr_policy: str) -> None:
        self._line(INFO, "solver.cpp:289", f"Solving {net_name}")
        self._line(INFO, "solver.cpp:290", f"Learning Rate Policy: {lr_policy}")

    def restoring(self, snapshot: str) -> None:
        """`Solver.solve(resume_file)`; the command line prints `resuming` instead."""
        self._line(INFO, "solver.cpp:296", f"Restoring previous solver status from {snapshot}")

    def iteration(self, iter: int, loss: float, done: int = 0, seconds: float = 0, display: int = 0) -> None:
        """The smoothed loss of a displayed iteration.

        `done` iterations took `seconds` since the last such line; `display` is the solver's field.
        Without `display` the speed is left out, as in the last line of a run.
        """
        speed = ""
        if display:
            speed = f" ({cpp_float(done / (seconds or 1))} iter/s, {cpp_float(seconds)}s/{display} iters)"
        self._fact("loss", cpp_float(loss))
        where = f"solver.cpp:{239 if display else 327}"
        self._line(INFO, where, f"Iteration {iter}{speed}, loss = {cpp_float(loss)}")

    def train_outputs(self, outputs: Outputs) -> None:
        """The train net's outputs in order: (name, values of all elements, loss weight)."""
        self._outputs(258, "Train", outputs)

    def testing(self, iter: int, net: int) -> None:
        self._line(INFO, "solver.cpp:347", f"Iteration {iter}, Testing net (#{net})")

    def test_interrupted(self) -> None:
        self._line(INFO, "solver.cpp:396", "Test interrupted.")

    def test_loss(self, loss: float) -> None:
        self._line(INFO, "solver.cpp:401", f"Test loss: {cpp_float(loss)}")

    def class_precision(self, label: int, value: float | None) -> None:
        """A class's average precision in a test of detections (SSD's Caffe); None: nothing was taken for it."""
        if value is None:
            self._line(WARNING, "solver.cpp:526", f"Missing true_pos for label: {label}")
        else:
            self._line(INFO, "solver.cpp:542", f"class{label}: {cpp_float(value)}")

    def test_outputs(self, outputs: Outputs) -> None:
        """A test net's mean outputs in order: (name, values of all elements, loss weight)."""
        self._outputs(414, "Test", outputs)

    def _outputs(self, line: int, phase: str, outputs: Outputs) -> None:
        elements = ((name, value, weight) for name, values, weight in outputs for value in values)
        for index, (name, value, weight) in enumerate(elements):
            text = f"    {phase} net output #{index}: {name} = {weighted(value, weight)}"
            self._line(INFO, f"solver.cpp:{line}", text)

    def snapshot_model(self, path: str, hdf5: bool = False) -> None:
        line, kind = (474, "HDF5") if hdf5 else (464, "binary proto")
        self._line(INFO, f"solver.cpp:{line}", f"Snapshotting to {kind} file {path}")

    def optimization_done(self) -> None:
        self.end_progress()
        self._line(INFO, "solver.cpp:332", "Optimization Done.")

    def stopped_early(self) -> None:
        self.end_progress()
        self._line(INFO, "solver.cpp:311", "Optimization stopped early.")

    # -- src/caffe/solvers/sgd_solver.cpp -----------------------------------------------------

    def learning_rate(
        self, iter: int, rate: float, momentum: float | None = None, weight_decay: float | None = None
    ) -> None:
        """The rate of a displayed iteration; momentum and weight decay where a schedule moves them."""
        self._fact("lr", cpp_float(rate))
        text = f"Iteration {iter}, lr = {cpp_float(rate)}"
        if momentum is not None:
            text += f", momentum = {cpp_float(momentum)}"
        if weight_decay is not None:
            text += f", weight decay = {cpp_float(weight_decay)}"
        self._line(INFO, "sgd_solver.cpp:133", text)

    def multistep(self, iter: int, step: int) -> None:
        """The multistep policy has just gone to `step`."""
        self._line(INFO, "sgd_solver.cpp:52", f"MultiStep Status: Iteration {iter}, step = {step}")

    def gradient_clipping(self, norm: float, limit: float, scale: float) -> None:
        text = (
            f"Gradient clipping: scaling down gradients (L2 norm {cpp_float(norm)} > {cpp_float(limit)}) "
            f"by scale factor {cpp_float(scale)}"
        )
        self._line(INFO, "sgd_solver.cpp:120", text)

    def snapshot_state(self, path: str, hdf5: bool = False) -> None:
        line, kind = (317, "HDF5") if hdf5 else (305, "binary proto")
        self._line(INFO, f"sgd_solver.cpp:{line}", f"Snapshotting solver state to {kind} file {path}")

    def restoring_history(self) -> None:
        """A binary solverstate is restored (an HDF5 one is, silently); all solver types print this name."""
        self._line(INFO, "sgd_solver.cpp:357", "SGDSolver: restoring history")


def weighted(value: float, weight: float) -> str:
    """`2.3 (* 1 = 2.3 loss)`, or the bare value where it is no loss."""
    text = cpp_float(value)
    return f"{text} (* {cpp_float(weight)} = {cpp_float(weight * value)} loss)" if weight else text


NULL = Log(progress=False, level=OFF)
