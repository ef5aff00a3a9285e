"""Accuracy: ties against the label, NaN for it, ignored labels, per class, any axis."""

import math

import numpy as np
import pytest
import torch

from caffe_compat.cli import main
from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make, run

LABELS = np.array([0, 3, 2, 3, 1])
MAP = (np.arange(24) * 7 % 5).reshape(2, 3, 4)
TIES = np.array(
    [
        [2.0, 2.0, 1.0, 0.0],
        [1.0, 1.0, 1.0, 1.0],
        [5.0, 1.0, 4.0, 4.0],
        [0.0, 1.0, 2.0, 3.0],
        [1.0, 9.0, 9.0, 9.0],
    ]
)


def accuracy(top_k=1, axis=1, ignore=None, per_class=False):
    def formula(scores, labels):
        classes = scores.shape[axis]
        outer, inner = math.prod(scores.shape[:axis]), math.prod(scores.shape[axis + 1 :])
        x, labels = scores.reshape(outer, classes, inner), np.trunc(labels).astype(int).reshape(outer, inner)
        right, count = np.zeros(classes), np.zeros(classes)
        for i, j in np.ndindex(outer, inner):
            label = labels[i, j]
            if label != ignore:
                count[label] += 1
                right[label] += (x[i, :, j] >= x[i, label, j]).sum() - 1 < top_k
        top = np.array(right.sum() / max(1, count.sum()))
        return (top, right / np.maximum(count, 1)) if per_class else top

    return formula


def param(fields, tops=""):
    return f'type: "Accuracy" {tops} accuracy_param {{ {fields} }}'


BOTH = 'top: "all" top: "class"'
NAN = np.where(np.arange(20).reshape(5, 4) % 5 == 0, np.nan, draws((5, 4)))

CASES = [
    Case("top-1", 'type: "Accuracy"', [(5, 4), LABELS], accuracy(), gradient=()),
    Case("top-3", param("top_k: 3"), [(5, 4), LABELS], accuracy(3), gradient=()),
    Case("top-all", param("top_k: 4"), [(5, 4), LABELS], lambda *_: np.array(1.0), gradient=()),
    Case("ties", param(""), [TIES, LABELS], accuracy(), gradient=()),
    Case("ties-top-2", param("top_k: 2", BOTH), [TIES, LABELS], accuracy(2, per_class=True), gradient=()),
    Case(
        "ignore",
        param("ignore_label: 3", BOTH),
        [(5, 4), LABELS],
        accuracy(ignore=3, per_class=True),
        gradient=(),
    ),
    Case(
        "ignore-no-class",
        param("ignore_label: 255"),
        [(5, 4), np.array([255, 3, 2, 255, 1])],
        accuracy(ignore=255),
        gradient=(),
    ),
    Case(
        "ignore-all",
        param("ignore_label: 2", BOTH),
        [(5, 4), np.full(5, 2)],
        lambda *_: (np.array(0.0), np.zeros(4)),
        gradient=(),
    ),
    Case("fractions-are-cut", param(""), [TIES, LABELS + 0.9], accuracy(), gradient=()),
    Case("map", param("", BOTH), [(2, 5, 3, 4), MAP], accuracy(per_class=True), gradient=()),
    Case(
        "axis-last", param("axis: -1 top_k: 2"), [(2, 3, 5), MAP[:, :, 0]], accuracy(2, axis=2), gradient=()
    ),
    Case("nan", param("", BOTH), [NAN, LABELS], accuracy(per_class=True), gradient=()),
]

ERRORS = [
    Error(param("top_k: 5"), [(5, 4), (5,)], "top_k is 5, it must be at most the number of classes, 4"),
    Error(
        param(""),
        [(5, 4, 3), (5,)],
        r"\(5, 4, 3\) has 15 predictions \(4 classes on axis 1\) and bottom 1 .* has 5 labels",
    ),
    Error(param("axis: 2"), [(5, 4), (5,)], "axis 2 is out of range"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)


def test_all_nan_is_right():
    layer = make('type: "Accuracy"', (3, 4), (3,))
    (top,) = run(layer, torch.full((3, 4), torch.nan), torch.zeros(3))
    assert top == 1


@pytest.mark.parametrize("wanted", [0, 1])
def test_gradient_is_refused_when_it_is_wanted(wanted):
    layer = make('type: "Accuracy" top: "a" top: "b"', (5, 4), (5,))
    tops = layer(*(torch.zeros(shape, requires_grad=i == wanted) for i, shape in enumerate([(5, 4), (5,)])))
    for top in tops:
        with pytest.raises(
            LayerError, match=r"layer 'l' \(Accuracy\): has no gradient; take it out of the loss"
        ):
            top.sum().backward()


@pytest.mark.parametrize("top_k", [1, 2])
@pytest.mark.parametrize("ignore", ["", "ignore_label: 3"])
def test_label_that_is_no_class_is_wrong(capsys, top_k, ignore):
    """SegNet's nets label void pixels with the number of classes and have no ignore_label."""
    layer = make(
        f'type: "Accuracy" top: "all" top: "class" accuracy_param {{ top_k: {top_k} {ignore} }}', (5, 4), (5,)
    )
    scores, labels = torch.eye(5, 4), torch.tensor([0.0, 1, 4, -1, 3])
    for _ in range(2):
        share, by_class = layer(scores, labels)  # row 4 is all 0, so class 3 has 4 scores >= its own
        assert share == (2 / 4 if ignore else 2 / 5) and by_class.tolist() == [1, 1, 0, 0]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        "layer 'l' (Accuracy): label 4 is outside 0 to 3 (there are 4 classes); such labels count as wrong, "
        "set ignore_label to leave them out"
    )


def test_label_that_is_no_class_where_nobody_looks(capsys):
    layer = make('type: "Accuracy"', (5, 4), (5,))
    top = torch.compile(layer, backend="eager", fullgraph=True)(
        torch.eye(5, 4), torch.tensor([0.0, 1, -4, 2, 3])
    )
    assert top == 2 / 5 and not capsys.readouterr().err
    layer.verify()
    layer.verify()
    assert capsys.readouterr().err.count("label -4 is outside 0 to 3") == 1


def test_nets_of_a_run_warn_of_labels_once(tmp_path, capsys):
    (tmp_path / "net").write_text(
        """layer { name: "d" type: "DummyData" top: "s" top: "l" dummy_data_param {
             shape { dim: 2 dim: 3 } shape { dim: 2 } data_filler {} data_filler { value: 3 } } }
           layer { name: "ip" type: "InnerProduct" bottom: "s" top: "y" inner_product_param { num_output: 3 } }
           layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "l" loss_param { ignore_label: 3 } }
           layer { name: "a" type: "Accuracy" bottom: "y" bottom: "l" top: "a" }"""
    )
    (tmp_path / "solver").write_text(
        f'net: "{tmp_path}/net" base_lr: 1 lr_policy: "fixed" max_iter: 2 test_iter: 1 test_interval: 1 '
        f'display: 1 snapshot_after_train: false snapshot_prefix: "{tmp_path}/s" solver_mode: CPU'
    )
    assert main(["train", "-solver", str(tmp_path / "solver")]) == 0
    log = capsys.readouterr().err
    assert log.count("such labels count as wrong") == 1 and "Test net output #0: a = 0" in log
