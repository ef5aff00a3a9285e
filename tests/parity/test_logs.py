"""Logs checked: golden ones, damaged ones, those of other nets and forks, and two runs side by side."""

import re
from pathlib import Path

import pytest

from caffe_compat.errors import DataError
from caffe_compat.layers.pooling import Pooling
from caffe_compat.parity.logs import validate_log
from caffe_compat.solver.schedule import Schedule

SOLVERS = Path(__file__).parents[1] / "reference" / "solvers"
TRAIN = SOLVERS / "cli" / "train.log"
WEIGHTS = str(SOLVERS / "sgd_triangular" / "init.caffemodel")


@pytest.fixture
def log(tmp_path):
    """Writes the golden training log with something replaced, and gives its path."""

    def write(*changes, cut=None):
        text = TRAIN.read_text()
        for pattern, new in changes:
            text, count = re.subn(pattern, new, text)
            assert count, pattern
        path = tmp_path / "caffe.log"
        path.write_text(text[:cut])
        return str(path)

    return write


def checks(report):
    return {check.name: check for check in report.checks}


def test_a_whole_log_agrees_in_everything():
    report = validate_log(str(TRAIN), weights=WEIGHTS, root=str(SOLVERS))
    assert report.exit_code == 0
    assert {name: check.status for name, check in checks(report).items()} == {
        "structure of the training net": "agrees",
        "structure of the test (#0) net": "agrees",
        "rates": "agrees",
        "displays": "agrees",
        "tests": "agrees",
        "loss at iteration 0": "agrees",
        "test (#0) at iteration 0": "agrees",
    }
    assert checks(report)["structure of the training net"].text == (
        "11 of 11 layers: order, blobs, shapes, memory, backward; 44,264 bytes"
    )
    assert "loss 2.40491 in the log, 2.40491 here (on the data; from the same weights)" in (
        checks(report)["loss at iteration 0"].text
    )
    assert report.curves["learning rate"][0][2][:2] == [0.05, 0.19]


def test_without_the_weights_the_first_loss_is_a_gap():
    report = validate_log(str(TRAIN), root=str(SOLVERS))
    assert report.exit_code == 3
    assert (
        "sgd_triangular/init.caffemodel; give it with --weights FILE"
        in checks(report)["loss at iteration 0"].text
    )


def test_a_random_start_is_compared_roughly_and_without_the_data(log):
    report = validate_log(log((r".*Finetuning from.*\n", "")))
    first = checks(report)["loss at iteration 0"]
    assert (report.exit_code, first.status) == (0, "agrees")
    assert "on noise, as the data are not here; random start: within a factor of 3" in first.text
    report = validate_log(log((r".*Finetuning from.*\n", ""), (r"= 2.40491", "= 19.2393")))  # times the batch
    assert report.exit_code == 1
    assert checks(report)["loss at iteration 0"].details[0].endswith("allowed: a factor of 3")


def test_a_wrong_rate_is_shown_with_its_line(log):
    report = validate_log(log((r"Iteration 4, lr = 0.33", "Iteration 4, lr = 0.3301")))
    rates = checks(report)["rates"]
    assert (report.exit_code, rates.status) == (1, "differs")
    (detail,) = rates.details
    assert re.fullmatch(r"line \d+: iteration 4: lr is 0.3301 in the log, ours 0.33", detail)


def test_our_schedule_broken_is_caught(monkeypatch):
    table = Schedule.table
    monkeypatch.setattr(
        Schedule, "table", lambda self, n: table(self, n)._replace(lr=table(self, n).lr * 1.001)
    )
    rates = checks(validate_log(str(TRAIN)))["rates"]
    assert len(rates.details) == 5
    assert rates.status == "differs"


def test_our_shapes_broken_are_caught(monkeypatch):
    setup = Pooling.setup

    def changed(self, bottom):
        setup(self, bottom)
        self.ceil = False

    monkeypatch.setattr(Pooling, "setup", changed)
    report = validate_log(str(TRAIN))
    details = checks(report)["structure of the training net"].details
    assert report.exit_code == 1
    assert details[0] == "layer 'pool1': top shapes (8, 6, 3, 3) in the log, (8, 6, 2, 2) in ours"
    assert details[1].startswith("layer 'pool1': memory so far ")


@pytest.mark.parametrize(
    "pattern, new, detail",
    [
        (r"Top shape: 8 10 \(80\)", "Top shape: 8 11 (88)", "layer 'ip1': top shapes (8, 11) in the log, (8, 10) in ours"),
        (r"conv1 needs backward", "conv1 does not need backward", "layer 'conv1': needs backward False in the log, True"),
        (r"scale1 -> bn1 \(in-place\)", "scale1 -> bn1", "layer 'scale1': in-place tops False in the log, True in ours"),
        (r"Creating Layer relu1", "Creating Layer relu2", "layer 5 is 'relu2' in the log and 'relu1' in ours"),
        (r"with loss weight 1", "with loss weight 2", "layer 'loss': loss weights {0: 2.0} in the log, {0: 1.0} in ours"),
        (r"produces output accuracy", "produces output acc", "outputs are acc, loss in the log, accuracy, loss in ours"),
    ],
)  # fmt: skip
def test_structure_departures_are_named(pattern, new, detail, log):
    details = checks(validate_log(log((pattern, new))))["structure of the training net"].details
    assert any(text.startswith(detail) for text in details), details


def test_missing_and_surplus_rows_are_named(log):
    report = validate_log(log((r".*Iteration 4[ ,].*loss = .*\n", ""), (r".*Iteration 4, lr.*\n", "")))
    assert "displayed: iteration 4 is missing in the log" in checks(report)["displays"].details
    report = validate_log(log((r"Iteration 4, Testing net", "Iteration 5, Testing net")))
    assert checks(report)["tests"].details == [
        "tests of net #0: iteration 4 is missing in the log",
        "tests of net #0: iteration 5 is not expected",
    ]


def test_a_log_that_ends_early_is_compared_as_far_as_it_goes(log):
    text = TRAIN.read_text()
    report = validate_log(log(cut=text.index("Iteration 6, lr")))
    assert report.exit_code == 3
    assert checks(report)["displays"].details == ["the log ends at iteration 6 of 10"]
    assert checks(report)["rates"].status == "agrees"

    report = validate_log(log(cut=text.index("Creating Layer relu1")))
    structure = checks(report)["structure of the training net"]
    assert structure.details == ["the log ends before the net was finished"]
    assert structure.text.startswith("5 of 11 layers")
    assert checks(report)["rates"].text == "the log shows no learning rate"

    report = validate_log(log(cut=text.index('name: "pool1"')))
    assert report.exit_code == 3


def test_a_log_without_a_line_of_caffe_is_an_error(tmp_path):
    (tmp_path / "x.log").write_text("hello\n")
    with pytest.raises(DataError, match="none of its 1 lines is of a Caffe log"):
        validate_log(str(tmp_path / "x.log"))


def cut_by_glog(text, layer):
    """The log's nets cut off inside `layer`, after so much text that only glog can have done it."""
    echoed = re.compile(rf'(?s)(Initializing net from parameters: \n)(.*?)\n  name: "{layer}".*?(\nI\d)')
    padding = "# " + "x" * 30_000
    return echoed.sub(lambda m: f"{m[1]}{padding}\n{m[2]}{m[3]}", text)


def test_a_net_cut_by_glog_is_carried_on_with_stand_ins(tmp_path):
    path = tmp_path / "caffe.log"
    path.write_text(cut_by_glog(TRAIN.read_text(), "pool1"))
    report = validate_log(str(path))
    structure = checks(report)["structure of the training net"]
    assert (report.verdict, structure.status) == ("agrees", "agrees"), report.checks
    assert structure.text.startswith("6 of 11 layers") or structure.text.startswith("7 of 11 layers")
    assert any("glog keeps 30,000 characters" in note for note in report.notes)
    assert checks(report)["loss at iteration 0"].text.startswith(
        "not run: the training net is not known wholly"
    )

    whole = validate_log(str(path), net=str(SOLVERS / "net.prototxt"), weights=WEIGHTS, root=str(SOLVERS))
    assert whole.exit_code == 0
    assert checks(whole)["structure of the training net"].text.startswith("11 of 11 layers")


def test_another_net_is_a_gap_and_other_sizes_differ(tmp_path):
    text = (SOLVERS / "net.prototxt").read_text()
    other = tmp_path / "net.prototxt"
    other.write_text(text.replace('"conv1"', '"conv2"'))
    report = validate_log(str(TRAIN), net=str(other))
    structure = checks(report)["structure of the training net"]
    assert (report.exit_code, structure.status) == (3, "partly compared")
    assert structure.text == f"{other} is another net than the log's"
    assert structure.details == ["layer 1: the log has 'conv1', the file 'conv2'"]

    other.write_text(text.replace("num_output: 6", "num_output: 5"))
    report = validate_log(str(TRAIN), net=str(other))
    assert report.exit_code == 1


def test_a_solver_file_is_compared_with_the_echo(tmp_path):
    text = (SOLVERS / "cli" / "solver.prototxt").read_text()
    solver = tmp_path / "solver.prototxt"
    solver.write_text(text)
    report = validate_log(str(TRAIN), solver=str(solver), weights=WEIGHTS, root=str(SOLVERS))
    assert checks(report)["solver"].status == "agrees"
    assert report.exit_code == 0
    solver.write_text(text.replace("max_lr: 0.4", "max_lr: 0.5"))
    report = validate_log(str(TRAIN), solver=str(solver), weights=WEIGHTS, root=str(SOLVERS))
    assert checks(report)["solver"].details[0].startswith("max_lr: the log has 0.4")
    assert checks(report)["rates"].status == "differs"


def test_unknown_layers_and_fields_of_a_fork_are_gaps(log):
    report = validate_log(log((r'type: "ReLU"', 'type: "MyActivation"\n  my_param {\n    x: 3\n  }')))
    structure = checks(report)["structure of the training net"]
    assert (report.exit_code, structure.status) == (3, "partly compared")
    assert structure.text.startswith("10 of 11 layers")
    assert structure.details == [
        "layer 'relu1': type MyActivation is not one of this package's; Caffe's shapes were taken for it"
    ]


def test_an_unknown_policy_is_a_gap(log):
    report = validate_log(log((r'lr_policy: "triangular"', 'lr_policy: "mystery"')))
    assert checks(report)["rates"].text.startswith("the schedule cannot be computed: ")
    assert report.exit_code == 3


NVIDIA = """\
I0301 10:00:00.000001 77 solver.cpp:45] Initializing solver from parameters:
test_iter: 2
test_interval: 20
base_lr: 0.1
display: 10
max_iter: 20
lr_policy: "poly"
power: 2
momentum: 0.9
weight_decay: 0.001
my_own_field: 4
I0301 10:00:00.000002 77 solver.cpp:84] Creating training net specified in net.prototxt
I0301 10:00:00.000003 77 net.cpp:58] Initializing net from parameters:
name: "tiny"
state { phase: TRAIN }
layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "nowhere" batch_size: 5 backend: LMDB threads: 2 }
}
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 7 weight_filler { type: "xavier" } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss"
}
I0301 10:00:00.000004 77 net.cpp:100] Creating Layer data
I0301 10:00:00.000005 77 net.cpp:413] data -> data
I0301 10:00:00.000005 77 net.cpp:413] data -> label
I0301 10:00:00.000006 77 net.cpp:150] Top shape: 5 3 4 6 (360)
I0301 10:00:00.000006 77 net.cpp:150] Top shape: 5 (5)
I0301 10:00:00.000007 77 net.cpp:165] Memory required for data: 1460
I0301 10:00:00.000008 77 net.cpp:100] Creating Layer ip
I0301 10:00:00.000009 77 net.cpp:150] Top shape: 5 7 (35)
I0301 10:00:00.000010 77 net.cpp:100] Creating Layer loss
I0301 10:00:00.000011 77 net.cpp:150] Top shape: (1)
I0301 10:00:00.000012 77 net.cpp:257] Network initialization done.
I0301 10:00:00.000013 77 solver.cpp:300] Iteration 0 (0 iter/s, 0s/10 iter), 0/3ep, loss = 1.94591
I0301 10:00:00.000014 77 solver.cpp:310]     [0.0] Train net output #0: loss = 1.94591 (* 1 = 1.94591 loss)
I0301 10:00:00.000015 77 sgd_solver.cpp:170] Iteration 0, lr = 0.1, m = 0.9, lrm = 0.1, wd = 0.001, gs = 1
I0301 10:00:00.000013 77 solver.cpp:300] Iteration 10 (9 iter/s, 1s/10 iter), 1/3ep, loss = 1.5
I0301 10:00:00.000015 77 sgd_solver.cpp:170] Iteration 10, lr = 0.025, m = 0.9, lrm = 0.1, wd = 0.001, gs = 1
"""


def test_nvidias_log(tmp_path):
    path = tmp_path / "nv.log"
    path.write_text(NVIDIA.replace("test_iter: 2\ntest_interval: 20\n", ""))
    report = validate_log(str(path))
    assert report.exit_code == 3  # it ends early
    assert checks(report)["rates"].text == "poly: 2 of lr, 2 of momentum, 2 of weight decay rows"
    assert checks(report)["structure of the training net"].status == "agrees"
    assert checks(report)["displays"].details == ["the log ends at iteration 10 of 20"]
    assert "on noise" in checks(report)["loss at iteration 0"].text
    assert any("my_own_field" in note and "ignored" in note for note in report.notes)
    path.write_text(
        path.read_text().replace("Iteration 10, lr = 0.025, m = 0.9", "Iteration 10, lr = 0.025, m = 0.8")
    )
    assert (
        checks(validate_log(str(path)))["rates"].details[0].endswith("momentum is 0.8 in the log, ours 0.9")
    )


def test_shapes_of_four_axes_of_an_old_caffe(tmp_path):
    text = NVIDIA.replace("Top shape: 5 (5)", "Top shape: 5 1 1 1 (5)")
    text = text.replace("Top shape: 5 7 (35)", "Top shape: 5 7 1 1 (35)").replace(
        "Top shape: (1)", "Top shape: 1 1 1 1 (1)"
    )
    (tmp_path / "old.log").write_text(text)
    assert checks(validate_log(str(tmp_path / "old.log")))["structure of the training net"].status == "agrees"


# -- two runs -------------------------------------------------------------------------------------


def test_our_run_beside_caffes(log):
    report = validate_log(str(TRAIN), run=str(TRAIN), weights=WEIGHTS, root=str(SOLVERS))
    assert report.exit_code == 0
    assert "final 0.7 and 0.7, best 0.7 and 0.7" in checks(report)["our run: test accuracy"].text
    assert list(report.curves) == ["test accuracy", "test loss", "training loss", "learning rate"]

    ours = log((r"accuracy = 0.7", "accuracy = 0.4"))
    report = validate_log(str(TRAIN), run=ours)
    assert report.exit_code == 1
    assert checks(report)["our run: test accuracy"].details == [
        "the final values differ by 0.3, more than 0.02",
        "the best values differ by 0.267, more than 0.02",
    ]


def test_our_run_of_another_schedule_or_shorter(log):
    report = validate_log(str(TRAIN), run=log((r"lr = 0.19", "lr = 0.2")))
    assert checks(report)["our run: rates"].details == ["iteration 2: 0.19 in Caffe's, 0.2 in ours"]
    text = TRAIN.read_text()
    report = validate_log(str(TRAIN), run=log(cut=text.index("Iteration 8, Testing net")))
    short = checks(report)["our run: test accuracy"]
    assert (short.status, short.details) == ("partly compared", ["our log ends at iteration 4, Caffe's at 8"])
    report = validate_log(str(TRAIN), run=log((r"(?m)^.*sgd_solver.*\n", "")))
    assert checks(report)["our run: rates"].text.endswith("are they of the same solver?")


def test_several_runs_in_one_file(tmp_path):
    path = tmp_path / "two.log"
    path.write_text(TRAIN.read_text() * 2)
    report = validate_log(str(path), weights=WEIGHTS, root=str(SOLVERS))
    assert report.exit_code == 0
    assert re.search(r"holds 2 runs; the last, from line \d+ on, is compared", report.notes[0])
