"""Every line that the log writes, against a real Caffe's."""

import io
import math
import re
from pathlib import Path

import pytest

from caffe_compat.log.commands import CommandLog
from caffe_compat.log.write import DEBUG, cpp_float, shape_text

SOLVERS = Path(__file__).parents[1] / "reference" / "solvers"
PREFIX = re.compile(r"([IWE])(\d{4}) (\d\d:\d\d:\d\d\.\d{6}) +(\d+) ([\w.]+:\d+)\] (.*)", re.DOTALL)


@pytest.fixture
def log():
    return CommandLog(io.StringIO(), progress=False, level=DEBUG)


def written(log):
    """(severity, where, text) of each line; an echoed text stays with its line."""
    chunks = re.split(r"(?m)^(?=[IWE]\d{4} )", log._stream.getvalue())
    return [PREFIX.fullmatch(chunk.removesuffix("\n")).group(1, 5, 6) for chunk in chunks if chunk]


# -- against the golden logs ------------------------------------------------------------------

OUTPUT = r"    (?:Train|Test) net output #0: (\S+) = (\S+)(?: \(\* (\S+) = .* loss\))?"
# A line of Caffe's, and the call that writes it. Groups are the arguments.
CALLS = [
    (r"Use CPU\.", lambda log, where: log.device(command="train" if where == "caffe.cpp:197" else "test")),
    (r"Creating training net from net file: (.*)", lambda log, _, file: log.train_net("net", file)),
    (r"Attempting to upgrade batch norm .*: (.*)", lambda log, _, file: log.upgraded("batch_norm", file)),
    (
        r"The NetState phase \((.)\) differed from the phase \((.)\) specified by a rule in layer (.*)",
        lambda log, _, phase, rule, layer: log.rule_phase(int(phase), int(rule), layer),
    ),
    (r"Creating layer (.*)", lambda log, _, name: log.creating_layer(name)),
    (r"Creating Layer (.*)", lambda log, _, name: log.created_layer(name)),
    (r"(\S+) <- (\S+)", lambda log, _, layer, blob: log.bottom(layer, blob)),
    (r"(\S+) -> (\S+)", lambda log, _, layer, blob: log.top(layer, blob)),
    (r"(\S+) -> (\S+) \(in-place\)", lambda log, _, layer, blob: log.top(layer, blob, in_place=True)),
    (r"Setting up (.*)", lambda log, _, name: log.setting_up(name)),
    (r"Top shape: ([\d ]*)\(\d+\)", lambda log, _, dims: log.top_shape([int(d) for d in dims.split()])),
    (r"    with loss weight (.*)", lambda log, _, weight: log.loss_weight(float(weight))),
    (r"Memory required for data: (.*)", lambda log, _, count: log.memory(int(count))),
    (r"(\S+) needs backward computation\.", lambda log, _, layer: log.need_backward(layer, True)),
    (r"(\S+) does not need backward computation\.", lambda log, _, layer: log.need_backward(layer, False)),
    (r"This network produces output (.*)", lambda log, _, blob: log.net_output(blob)),
    (r"Network initialization done\.", lambda log, _: log.net_initialized()),
    (r"Finetuning from (.*)", lambda log, _, file: log.finetuning(file)),
    (
        r"Creating test net \(#(\d)\) specified by net file: (.*)",
        lambda log, _, index, file: log.test_net(int(index), "net", file),
    ),
    (r"Solver scaffolding done\.", lambda log, _: log.scaffolding_done()),
    (r"Starting Optimization", lambda log, _: log.starting()),
    (r"Resuming from (.*)", lambda log, _, file: log.resuming(file)),
    (r"SGDSolver: restoring history", lambda log, _: log.restoring_history()),
    (r"Iteration (\d+), Testing net \(#(\d)\)", lambda log, _, i, net: log.testing(int(i), int(net))),
    (
        r"Iteration (\d+) \((\S+) iter/s, (\S+)s/(\d+) iters\), loss = (\S+)",
        lambda log, _, i, rate, s, display, loss: log.iteration(
            int(i), float(loss), round(float(rate) * (float(s) or 1)), float(s), int(display)
        ),
    ),
    (r"Iteration (\d+), loss = (\S+)", lambda log, _, i, loss: log.iteration(int(i), float(loss))),
    (r"Iteration (\d+), lr = (\S+)", lambda log, _, i, lr: log.learning_rate(int(i), float(lr))),
    (r"Snapshotting to binary proto file (.*)", lambda log, _, file: log.snapshot_model(file)),
    (r"Snapshotting to HDF5 file (.*)", lambda log, _, file: log.snapshot_model(file, hdf5=True)),
    (r"Snapshotting solver state to binary proto file (.*)", lambda log, _, f: log.snapshot_state(f)),
    (r"Snapshotting solver state to HDF5 file (.*)", lambda log, _, f: log.snapshot_state(f, hdf5=True)),
    (
        r"Optimization Done\.",
        lambda log, where: log.command_done() if where == "caffe.cpp:250" else log.optimization_done(),
    ),
    (r"Running for (\d+) iterations\.", lambda log, _, n: log.test_iterations(int(n))),
    (r"Batch (\d+), (\S+) = (\S+)", lambda log, _, i, name, value: log.batch(int(i), name, float(value))),
    (
        r"MultiStep Status: Iteration (\d+), step = (\d+)",
        lambda log, _, i, step: log.multistep(int(i), int(step)),
    ),
    (
        r"Gradient clipping: scaling down gradients \(L2 norm (\S+) > (\S+)\) by scale factor (\S+)",
        lambda log, _, *figures: log.gradient_clipping(*map(float, figures)),
    ),
]
# Lines that come in groups, tested below, and the data layer's, which are not ours.
GROUPED = re.compile(r"Successfully upgraded|Solving |Learning Rate Policy|    T\w+ net output|Loss: |\S+ = ")
CHATTER = re.compile(r"data_layer|db_lmdb|data_transformer|blocking_queue")


def golden_lines():
    """Every different message of the golden logs, as (where, text)."""
    lines = {}
    for file in sorted(SOLVERS.glob("*/*.log")):
        for line in file.read_text().splitlines():
            if match := re.match(r"I\d{8} \S+ +\d+ (\S+)\] (.*)", line):
                shape = re.sub(r"[\d.]+", "0", match[2]) if "Iteration" in line else match[2]
                lines.setdefault((match[1], shape), (match[1], match[2]))
    return sorted(lines.values())


def test_every_golden_line_can_be_written(log):
    known = 0
    for where, text in golden_lines():
        if CHATTER.match(where) or GROUPED.match(text) or text.startswith("Initializing "):
            continue
        matches = [(call, m.groups()) for pattern, call in CALLS if (m := re.fullmatch(pattern, text))]
        assert len(matches) == 1, f"{where}] {text}: {len(matches)} patterns match"
        call, groups = matches[0]
        log._stream = io.StringIO()
        call(log, where, *groups)
        assert written(log)[0] == ("I", where, text)
        known += 1
    assert known > 100


def test_net_outputs_as_in_the_golden_logs(log):
    log.train_outputs([("accuracy", [0.25], 0.0), ("loss", [2.40491], 1.0)])
    log.test_outputs([("accuracy", [0.133333], 0.0), ("loss", [73.0324], 1.0)])
    golden = [(where, text) for where, text in golden_lines() if "net output" in text]
    for severity, where, text in written(log):
        assert severity == "I"
        assert (where, text) in golden


def test_scores_as_in_the_golden_log(log):
    log.scores(1.06396, [("accuracy", [0.8], 0.0), ("loss", [1.06396], 1.0)])
    lines = (SOLVERS / "cli" / "test.log").read_text().splitlines()[-3:]
    assert [f"{where}] {text}" for _, where, text in written(log)] == [
        line.split(None, 3)[3] for line in lines
    ]


def test_grouped_lines(log):
    log.solving("small", "triangular")
    log.upgraded("batch_norm", "net.prototxt")
    wanted = {
        (where, text)
        for where, text in golden_lines()
        if text.startswith(("Solving", "Learning Rate Policy: triangular"))
        or text.endswith("norm layers using deprecated params.")
    }
    wanted = {w for w in wanted if not w[1].endswith(("triangular2",))}
    lines = [(where, text) for _, where, text in written(log)]
    assert wanted <= set(lines)
    assert len(lines) == 4


def test_echo_is_as_long_as_the_text(log):
    text = 'name: "small"\nlayer {\n  name: "conv1"\n}\n'
    log.initializing_net(text)
    log.initializing_solver("max_iter: 10\n")
    assert written(log) == [
        ("I", "net.cpp:53", f"Initializing net from parameters: \n{text}".removesuffix("\n")),
        ("I", "solver.cpp:45", "Initializing solver from parameters: \nmax_iter: 10"),
    ]
    assert "\n\n" not in log._stream.getvalue()


# -- lines the golden logs lack ---------------------------------------------------------------

LINES = [
    (lambda log: log.device([(0, "A"), (3, "B")]), "caffe.cpp:204] Using GPUs 0, 3"),
    (lambda log: log.device([(0, "A"), (3, "B")]), "caffe.cpp:209] GPU 3: B"),
    (lambda log: log.device([(2, "A")], "test"), "caffe.cpp:266] Use GPU with device ID 2"),
    (lambda log: log.device([(2, "A")], "test"), "caffe.cpp:270] GPU device name: A"),
    (lambda log: log.device([(2, "A")], "time"), "caffe.cpp:339] Use GPU with device ID 2"),
    (lambda log: log.device([], "time"), "caffe.cpp:343] Use CPU."),
    (lambda log: log.train_net("net_param"), "solver.cpp:97] Creating training net specified in net_param."),
    (
        lambda log: log.train_net("train_net_param"),
        "solver.cpp:88] Creating training net specified in train_net_param.",
    ),
    (
        lambda log: log.train_net("train_net", "a.prototxt"),
        "solver.cpp:92] Creating training net from train_net file: a.prototxt",
    ),
    (
        lambda log: log.test_net(1, "test_net", "a.prototxt"),
        "solver.cpp:190] Creating test net (#1) specified by test_net file: a.prototxt",
    ),
    (
        lambda log: log.test_net(2, "test_net_param"),
        "solver.cpp:190] Creating test net (#2) specified by test_net_param",
    ),
    (
        lambda log: log.rule_min_level(0, 2, "x"),
        "net.cpp:306] The NetState level (0) is above the min_level (2) specified by a rule in layer x",
    ),
    (
        lambda log: log.rule_max_level(3, 2, "x"),
        "net.cpp:316] The NetState level (3) is above the max_level (2) specified by a rule in layer x",
    ),
    (
        lambda log: log.rule_stage("deploy", "x"),
        "net.cpp:332] The NetState did not contain stage 'deploy' specified by a rule in layer x",
    ),
    (
        lambda log: log.rule_not_stage("deploy", "x"),
        "net.cpp:347] The NetState contained a not_stage 'deploy' specified by a rule in layer x",
    ),
    (
        lambda log: log.sharing_parameters("w", "conv1", 0),
        "net.cpp:467] Sharing parameters 'w' owned by layer 'conv1', param index 0",
    ),
    (lambda log: log.ignoring_source_layer("fc8"), "net.cpp:746] Ignoring source layer fc8"),
    (lambda log: log.ignoring_source_layer("fc8", "share"), "net.cpp:678] Ignoring source layer fc8"),
    (lambda log: log.ignoring_source_layer("fc8", "hdf5"), "net.cpp:801] Ignoring source layer fc8"),
    (lambda log: log.copying_source_layer("fc7"), "net.cpp:749] Copying source layer fc7"),
    (
        lambda log: log.restoring("a.solverstate"),
        "solver.cpp:296] Restoring previous solver status from a.solverstate",
    ),
    (lambda log: log.test_loss(0.5), "solver.cpp:401] Test loss: 0.5"),
    (lambda log: log.test_interrupted(), "solver.cpp:396] Test interrupted."),
    (lambda log: log.stopped_early(), "solver.cpp:311] Optimization stopped early."),
    (
        lambda log: log.learning_rate(7, 0.1, 0.85, 1e-4),
        "sgd_solver.cpp:133] Iteration 7, lr = 0.1, momentum = 0.85, weight decay = 0.0001",
    ),
    (lambda log: log.multistep(50, 1), "sgd_solver.cpp:52] MultiStep Status: Iteration 50, step = 1"),
    (
        lambda log: log.gradient_clipping(12.5, 5, 0.4),
        "sgd_solver.cpp:120] Gradient clipping: scaling down gradients (L2 norm 12.5 > 5) by scale factor 0.4",
    ),
    (
        lambda log: log.iteration(200, 0.5, 100, 12.5, 100),
        "solver.cpp:239] Iteration 200 (8 iter/s, 12.5s/100 iters), loss = 0.5",
    ),
    (
        lambda log: log.iteration(2, 0.5, 2, 0.0, 2),
        "solver.cpp:239] Iteration 2 (2 iter/s, 0s/2 iters), loss = 0.5",
    ),
    (
        lambda log: log.snapshot_prefix("a/solver", was_folder=True),
        "upgrade_proto.cpp:1113] snapshot_prefix was a directory and is replaced to a/solver",
    ),
    (
        lambda log: log.snapshot_prefix("solver", was_folder=False),
        "upgrade_proto.cpp:1108] snapshot_prefix was not specified and is set to solver",
    ),
    (
        lambda log: log.upgraded("V1", "a"),
        "upgrade_proto.cpp:63] Successfully upgraded file specified using deprecated V1LayerParameter",
    ),
    (
        lambda log: log.upgraded("input", "a.prototxt"),
        "upgrade_proto.cpp:69] Attempting to upgrade input file specified using deprecated input fields: a.prototxt",
    ),
    (
        lambda log: log.upgraded("solver_type", "s.prototxt"),
        "upgrade_proto.cpp:1091] Successfully upgraded file specified using deprecated 'solver_type' field "
        + "(enum) to 'type' field (string).",
    ),
    (
        lambda log: log.debug_forward("ip", "top", "ip", 0.125),
        "net.cpp:593]     [Forward] Layer ip, top blob ip data: 0.125",
    ),
    (
        lambda log: log.debug_forward("ip", "param", "0", 0.125),
        "net.cpp:605]     [Forward] Layer ip, param blob 0 data: 0.125",
    ),
    (
        lambda log: log.debug_backward("ip", "bottom", "pool", 1e-7),
        "net.cpp:621]     [Backward] Layer ip, bottom blob pool diff: 1e-07",
    ),
    (
        lambda log: log.debug_backward("ip", "param", "1", 2),
        "net.cpp:632]     [Backward] Layer ip, param blob 1 diff: 2",
    ),
    (
        lambda log: log.debug_update("ip", "0", 0.5, 0.25),
        "net.cpp:649]     [Update] Layer ip, param 0 data: 0.5; diff: 0.25",
    ),
    (
        lambda log: log.debug_update_shared("ip2", "0", "ip1", "w", 0.25),
        "net.cpp:657]     [Update] Layer ip2, param blob 0 (owned by layer ip1, param w) diff: 0.25",
    ),
    (lambda log: log.timing_forward(), "caffe.cpp:351] Performing Forward"),
    (lambda log: log.timing_backward(2.5), "caffe.cpp:356] Initial loss: 2.5"),
    (lambda log: log.timing_begins(50), "caffe.cpp:366] Testing for 50 iterations."),
    (lambda log: log.opened("leveldb", "a/b"), "db_leveldb.cpp:18] Opened leveldb a/b"),
    (lambda log: log.image_list("l.txt", 7, True, None), "image_data_layer.cpp:53] Shuffling data"),
    (lambda log: log.image_list("l.txt", 7, False, None), "image_data_layer.cpp:63] A total of 7 images."),
    (
        lambda log: log.image_list("l.txt", 7, False, 0),
        "image_data_layer.cpp:70] Skipping first 0 data points.",
    ),
    (
        lambda log: log.output_size("image_data", (2, 3, 5, 4)),
        "image_data_layer.cpp:90] output data size: 2,3,5,4",
    ),
    (
        lambda log: log.hdf5_list("l.txt", 2),
        "hdf5_data_layer.cpp:81] Loading list of HDF5 filenames from: l.txt",
    ),
    (lambda log: log.hdf5_list("l.txt", 2), "hdf5_data_layer.cpp:95] Number of HDF5 files: 2"),
    (
        lambda log: log.timing_iteration(0, 12.25),
        "caffe.cpp:394] Iteration: 1 forward-backward time: 12.25 ms.",
    ),
    (
        lambda log: log.timing_ends([("conv1", 1.5, 2.5)], 1.5, 2.5, 4.0, 200.0),
        "caffe.cpp:403]      conv1\tbackward: 2.5 ms.",
    ),
    (
        lambda log: log.timing_ends([("conv1", 1.5, 2.5)], 1.5, 2.5, 4.0, 200.0),
        "caffe.cpp:412] Average Forward-Backward: 4 ms.",
    ),
    (lambda log: log.info("ours"), "caffe_compat:0] ours"),
]


@pytest.mark.parametrize(("call", "wanted"), LINES, ids=[wanted.split("]")[0] for _, wanted in LINES])
def test_line(log, call, wanted):
    call(log)
    assert wanted in [f"{where}] {text}" for _, where, text in written(log)]


def test_elements_of_an_output_are_numbered_through(log):
    log.test_outputs([("per_class", [0.5, 0.25], 0.0), ("loss", [2.0], 0.5)])
    assert [text for _, _, text in written(log)] == [
        "    Test net output #0: per_class = 0.5",
        "    Test net output #1: per_class = 0.25",
        "    Test net output #2: loss = 2 (* 0.5 = 1 loss)",
    ]


def test_unknown_upgrade_is_a_programming_error(log):
    with pytest.raises(KeyError, match="V9"):
        log.upgraded("V9", "a")


# -- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.0, "1"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (0.0001, "0.0001"),
        (87.33655, "87.3365"),  # the float32 below it
        (87.336548, "87.3365"),
        (123456.0, "123456"),
        (1234567.0, "1.23457e+06"),
        (999999.5, "1e+06"),
        (1e-45, "1.4013e-45"),  # the least float32
        (1e-46, "0"),
        (3.5e38, "inf"),
        (-1e39, "-inf"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (math.copysign(math.nan, -1), "-nan"),
    ],
)
def test_cpp_float(value, text):
    assert cpp_float(value) == text


@pytest.mark.parametrize(
    ("shape", "text"), [((8, 3, 12, 5), "8 3 12 5 (1440)"), ((7,), "7 (7)"), ((), "(1)")]
)
def test_shape_text(shape, text):
    assert shape_text(shape) == text
