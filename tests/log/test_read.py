"""Logs of all kinds: golden ones of a real Caffe, forms of old Caffes and forks, cut and joined ones."""

import gc
import io
import math
from pathlib import Path

import pytest

from caffe_compat.errors import DataError
from caffe_compat.log.commands import CommandLog
from caffe_compat.log.read import read_log, read_runs

CLI = Path(__file__).parents[1] / "reference" / "solvers" / "cli"


@pytest.fixture(scope="module")
def train():
    return read_log(CLI / "train.log")


# -- the golden logs --------------------------------------------------------------------------


def test_train_rows(train):
    assert [row.iteration for row in train.train] == [0, 2, 4, 6, 8, 10]
    assert [row.lr for row in train.train] == [0.05, 0.19, 0.33, 0.33, 0.19, None]
    assert [row.loss for row in train.train] == [2.40491, 2.29423, 2.16362, 2.15903, 1.70697, 1.5444]
    assert train.train[1].outputs == {"accuracy": 0.125, "loss": 2.29101}
    assert train.train[1].speed == 2
    assert train.train[0].line == 530


def test_test_rows(train):
    assert [(row.iteration, row.net) for row in train.test] == [(0, 0), (4, 0), (8, 0)]
    assert train.test[2].outputs == {"accuracy": 0.7, "loss": 1.43465}
    assert train.losses == {"loss": 1}


def test_seconds_count_from_the_solvers_start(train):
    # `Solving small` at .891990, the first iteration at .892665, the first test's result at .892387
    assert train.train[0].seconds == pytest.approx(0.000675, abs=1e-9)
    assert train.test[0].seconds == pytest.approx(0.000397, abs=1e-9)


def test_run(train):
    assert train.solver.startswith("test_iter: 3\n")
    assert train.solver.endswith("max_lr: 0.4\n")
    assert train.net_name == "small"
    assert train.lr_policy == "triangular"
    assert train.snapshots == ["cli/snap_iter_5.caffemodel", "cli/snap_iter_10.caffemodel"]
    assert train.done
    assert not train.resumed_from


def test_nets(train):
    first, second = train.nets
    assert (first.role, first.source) == ("train", "net file: net.prototxt")
    assert (second.role, second.index, second.source) == ("test", 0, "net file: net.prototxt")
    assert first.text.startswith('name: "small"\nstate {')
    assert first.whole
    assert first.parsable == first.text
    assert (first.memory, second.memory) == (44264, 55328)
    assert first.outputs == ["accuracy", "loss"]
    assert first.initialized


def test_layers(train):
    layers = {layer.name: layer for layer in train.nets[0].layers}
    assert list(layers)[:3] == ["data", "label_data_1_split", "conv1"]
    assert layers["data"].tops == ["data", "label"]
    assert layers["data"].top_shapes == [(8, 3, 12, 12), (8,)]
    assert layers["scale1"].bottoms == ["bn1"]
    assert layers["scale1"].in_place == [True]
    assert layers["loss"].top_shapes == [()]
    assert layers["loss"].loss_weights == {0: 1.0}
    assert layers["accuracy"].needs_backward is False
    assert layers["ip1"].needs_backward is True
    assert layers["conv1"].memory == 20832


def test_resumed_and_tested_logs():
    resumed = read_log(CLI / "resume.log")
    assert resumed.resumed_from == "cli/snap_iter_5.solverstate"
    assert [row.iteration for row in resumed.train] == [6, 8, 10]
    tested = read_log(CLI / "test.log")
    assert tested.scores == {"Loss": 1.06396, "accuracy": 0.8, "loss": 1.06396}
    assert [net.role for net in tested.nets] == ["test"]


def test_every_golden_log_reads():
    logs = sorted(CLI.parent.glob("*/caffe.log"))
    assert len(logs) > 20
    for path in logs:
        run = read_log(path)
        assert [row.iteration for row in run.train] == list(range(12)), path
        assert [row.iteration for row in run.test] == [0, 5, 10], path


# -- other forms ------------------------------------------------------------------------------


def lines(*messages, start="I0817 16:02:51"):
    return [f"{start}.{n:06} 17550 solver.cpp:1] {message}\n" for n, message in enumerate(messages)]


def test_caffe_of_2014_prints_the_rate_first_and_numbered_scores():
    run = read_log(
        lines(
            "Solving cnn",
            "Iteration 0, Testing net",
            "Test score #0: 0.130667",
            "Test score #1: 1.79162",
            "Iteration 1000, lr = 9.31012e-05",
            "Iteration 1000, loss = 0.470303",
            "Iteration 2000, lr = 8e-05",
            "Iteration 2000, loss = nan",
            "Snapshotting to cnn_iter_2000",
        )
    )
    assert run.test[0].outputs == {"#0": 0.130667, "#1": 1.79162}
    assert [(row.iteration, row.lr) for row in run.train] == [(1000, 9.31012e-05), (2000, 8e-05)]
    assert run.train[0].loss == 0.470303
    assert math.isnan(run.train[1].loss)
    assert run.snapshots == ["cnn_iter_2000"]


def test_nvidia():
    run = read_log(
        lines(
            "Iteration 100 (26.5 iter/s, 3.77s/100 iter), 1.2/90ep, loss = 6.25",
            "    [0.0] Train net output #0: loss = 6.5 (* 1 = 6.5 loss)",
            "Iteration 100, lr = 0.01, m = 0.9, lrm = 0.05, wd = 0.0005, gs = 1",
            "[0.0] Iteration 200, Testing net (#1)",
            "    [0.0] Test net output #0: top-1 = 0.25",
        )
    )
    row = run.train[0]
    assert (row.loss, row.speed, row.lr, row.momentum, row.weight_decay) == (6.25, 26.5, 0.01, 0.9, 0.0005)
    assert row.outputs == {"loss": 6.5}
    assert (run.test[0].net, run.test[0].outputs) == (1, {"top-1": 0.25})


def test_cyclical_fork():
    run = read_log(
        lines("Iteration 7, loss = 1", "Iteration 7, lr = 0.1, momentum = 0.85, weight decay = 1e-4")
    )
    assert (run.train[0].momentum, run.train[0].weight_decay) == (0.85, 1e-4)


def test_pasted_without_prefix():
    run = read_log(
        ["Iteration 4400, loss = 0\n", "  Train net output #0: loss = 2.92436 (* 1 = 2.92436 loss)\n"]
    )
    assert run.train[0].outputs == {"loss": 2.92436}
    assert run.train[0].seconds is None


def test_elements_of_one_output():
    run = read_log(
        lines(
            "Iteration 0, Testing net (#0)",
            "    Test net output #0: recall = 0.25",
            "    Test net output #1: recall = 0.5",
            "    Test net output #2: recall = 0.75",
            "Test loss: 3.5",
        )
    )
    assert run.test[0].outputs == {"recall": 0.25, "recall[1]": 0.5, "recall[2]": 0.75}


def test_test_loss():
    assert read_log(lines("Iteration 0, Testing net (#0)", "Test loss: 3.5")).test[0].loss == 3.5


def test_old_input_lines_and_names_with_spaces():
    run = read_log(
        lines(
            "Initializing net from parameters: ",
            "Input 0 -> data",
            "Creating Layer my layer",
            "my layer <- data",
            "my layer -> a -> b",
            "Setting up my layer",
            "Top shape: 1 1 1 1 (1)",
            "Network initialization done.",
            "Memory required for data: 4",
        )
    )
    net = run.nets[0]
    assert net.inputs == ["data"]
    assert (net.layers[0].bottoms, net.layers[0].tops) == (["data"], ["a -> b"])
    assert net.layers[0].top_shapes == [(1, 1, 1, 1)]
    assert net.memory is None  # it came after the net was done


@pytest.mark.parametrize(
    ("text", "value"), [("-nan", math.nan), ("1.#QNAN", math.nan), ("-inf", -math.inf), ("1e+10", 1e10)]
)
def test_odd_numbers(text, value):
    assert read_log(lines(f"Iteration 5, loss = {text}")).train[0].loss == pytest.approx(value, nan_ok=True)


def test_gpus():
    run = read_log(lines("Using GPUs 0, 1", "GPU 0: Titan", "GPU 1: Titan Black", "Solving x"))
    assert run.gpus == {0: "Titan", 1: "Titan Black"}


def test_text_that_glog_cut_off():
    net = 'name: "x"\nlayer {\n  name: "a"\n}\nlayer {\n  name: "L2_b'
    run = read_log(
        lines("Initializing net from parameters: ") + net.splitlines(True) + lines("Creating Layer a")
    )
    assert run.nets[0].text == net + "\n"
    assert not run.nets[0].whole
    assert run.nets[0].parsable == 'name: "x"\nlayer {\n  name: "a"\n}\n'


def test_progress_bar_in_the_log_of_a_terminal():
    text = (
        "  5% |#    | 1/20 8 iter/s\r\x1b[KI0817 16:02:51.000001 17550 solver.cpp:1] Iteration 1, loss = 2\n"
    )
    assert read_log(io.StringIO(text, newline=None)).train[0].loss == 2


# -- cut short, garbage, several runs ---------------------------------------------------------


def test_a_log_may_stop_anywhere(tmp_path, train):
    text = (CLI / "train.log").read_bytes()
    whole = {(row.iteration, row.loss, row.lr) for row in train.train}
    for end in [*range(1000, len(text), 997), *range(len(text) - 300, len(text))]:
        path = tmp_path / "cut.log"
        path.write_bytes(text[:end])
        for row in read_log(path).train:
            assert any(row.iteration == i and row.loss in (None, loss) for i, loss, _ in whole), end


def test_lines_without_their_ends():
    assert (
        len(
            read_log(
                [line.rstrip("\n") for line in lines("Iteration 1, loss = 2", "Iteration 2, loss = 1")]
            ).train
        )
        == 2
    )


def test_garbage_is_passed_over(train):
    dirty = []
    for line in (CLI / "train.log").read_text().splitlines(True):
        dirty.append(line)
        if "Iteration" in line:
            dirty += [
                "\n",
                "Traceback ...\n",
                "\x00\xff ]] = #\n",
                "I0817 cut\n",
                "E] \n",
                "W1 ] net output #\n",
            ]
    run = read_log(dirty)
    assert [(r.iteration, r.loss, r.outputs) for r in run.train] == [
        (r.iteration, r.loss, r.outputs) for r in train.train
    ]


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes(b"\xff\xfe\n" + "".join(lines("Iteration 3, loss = 2")).encode())
    assert read_log(path).train[0].iteration == 3


def test_a_resumed_run_joins_the_one_before():
    first = [*lines("Initializing solver from parameters: "), "max_iter: 9\n"]
    first += lines(*[f"Iteration {i}, loss = {i}" for i in range(7)], "Iteration 6, Testing net (#0)")
    second = [*lines("Initializing solver from parameters: ", start="I0819 10:00:00"), "max_iter: 9\n"]
    second += lines("Resuming from x_iter_4.solverstate", start="I0819 10:00:00")
    second += lines(*[f"Iteration {i}, loss = {-i}" for i in range(4, 9)], start="I0819 10:00:10")
    (run,) = read_runs(first + second)
    assert [row.loss for row in run.train] == [0, 1, 2, 3, -4, -5, -6, -7, -8]
    assert run.test == []  # that test was of the part in vain
    assert run.train[4].seconds == pytest.approx(run.train[3].seconds, abs=0.001)
    assert run.train[8].seconds > run.train[4].seconds


def test_runs_one_after_another():
    log = (CLI / "train.log").read_text().splitlines(True)
    runs = read_runs(log + log)
    assert [run.line for run in runs] == [1, len(log) + 1]
    assert [len(run.nets) for run in runs] == [2, 2]
    assert runs[0].train[-1].loss == runs[1].train[-1].loss


def test_a_net_that_was_never_finished_does_not_swallow_the_next_run():
    log = (CLI / "train.log").read_text().splitlines(True)
    cut = next(n for n, line in enumerate(log) if "Creating Layer ip1" in line)
    runs = read_runs(log[:cut] + log)
    assert [len(run.train) for run in runs] == [0, 6]


def test_no_caffe_log_at_all(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("nothing\nof the kind\n")
    with pytest.raises(DataError, match=r"notes\.txt: none of its 2 lines is of a Caffe log"):
        read_log(path)
    with pytest.raises(DataError, match=r"gone\.log: cannot read the log: No such file"):
        read_log(tmp_path / "gone.log")
    with pytest.raises(DataError, match="<lines>: none of its 0 lines"):
        read_log([])


# -- our own ----------------------------------------------------------------------------------


def test_what_we_write_we_read():
    stream = io.StringIO()
    log = CommandLog(stream, progress=False)
    log.device()
    log.initializing_solver("max_iter: 3\n")
    log.train_net("net", "n.prototxt")
    log.initializing_net('name: "n"\nlayer {\n}\n')
    log.creating_layer("ip")
    log.created_layer("ip")
    log.top("ip", "(automatic)")
    log.setting_up("ip")
    log.top_shape((5, 3))
    log.loss_weight(0.5)
    log.memory(60)
    log.need_backward("ip", True)
    log.net_output("ip")
    log.net_initialized()
    log.solving("n", "1cycle")
    log.testing(0, 0)
    log.test_outputs([("accuracy", [0.1], 0), ("loss", [87.33654], 1)])
    log.iteration(0, 2.5, 0, 0, 1)
    log.train_outputs([("loss", [2.5], 1)])
    log.learning_rate(0, 0.1, 0.95, 1e-4)
    log.info("Iteration 5 of our own")
    log.optimization_done()
    run = read_log(stream.getvalue().splitlines(True))
    assert run.solver == "max_iter: 3\n"
    assert run.nets[0].layers[0].top_shapes == [(5, 3)]
    assert run.nets[0].layers[0].loss_weights == {0: 0.5}
    assert run.nets[0].memory == 60
    assert run.test[0].outputs == {"accuracy": 0.1, "loss": 87.3365}
    assert run.train[0].lr == 0.1
    assert run.train[0].momentum == 0.95
    assert len(run.train) == 1
    assert run.done


def test_nets_whose_echo_was_taken_out():
    run = read_log(CLI.parent / "adam" / "caffe.log")
    assert [(net.role, net.index, net.text) for net in run.nets] == [("train", 0, ""), ("test", 0, "")]
    assert run.nets[0].layers[2].name == "conv1"
    assert run.nets[0].layers[2].top_shapes == [(8, 6, 6, 6)]
    assert run.nets[1].memory == 55328


def test_weights_that_a_run_started_from():
    run = read_log(lines("Finetuning from a.caffemodel", "Finetuning from a.caffemodel", "Solving x"))
    assert run.weights == ["a.caffemodel"]


def test_a_run_stopped_early_is_not_done():
    lines = [
        "I0817 16:02:51.154722 17550 solver.cpp:279] Solving net",
        "I0817 16:02:52.154722 17550 solver.cpp:239] Iteration 5 (2 iter/s, 3s/5 iters), loss = 2.5",
        "I0817 16:02:53.154722 17550 solver.cpp:311] Optimization stopped early.",
        "I0817 16:02:53.254722 17550 caffe.cpp:250] Optimization Done.",
    ]
    run = read_log(lines)
    assert run.stopped and not run.done
    assert read_log([line for line in lines if "early" not in line]).done


def test_the_collector_is_as_before_after_reading():
    assert gc.isenabled()
    read_log(["I0817 16:02:51.000001 17550 solver.cpp:1] Iteration 1, loss = 2\n"])
    assert gc.isenabled()
    gc.disable()
    try:
        read_log(["I0817 16:02:51.000001 17550 solver.cpp:1] Iteration 1, loss = 2\n"])
        assert not gc.isenabled()
    finally:
        gc.enable()
