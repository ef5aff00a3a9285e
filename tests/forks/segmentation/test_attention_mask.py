"""CheckAtt, ConvertIndices, SplitIndices, FlagsToIndices, SlidingWindowIndex, ArgMaxMy, ArgMaxAll, TopK, TopKOld."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from tests.layers.harness import Case, Error, cases, draws, errors, make, run

TWO = 'top: "a" top: "b"'
ROW = (1, 1, 1, 7)


def checked(a, b):
    a, b = a.copy(), b.copy()
    if not (a > b).any():
        a.flat[0], b.flat[0] = 0.51, 0.49
    return a, b


def converted(index, scores):
    flags = np.zeros_like(scores)
    for i in index.flat:
        flags[0, 0, 0, int(i)] = 1
    return flags, np.array([scores[0, 0, 0, int(i)] for i in index.flat]).reshape(-1, 1, 1, 1)


def windows(data, flags):
    """The windows of 4 x 2 around flagged corners."""
    height, width = data.shape[2:]
    found = []
    for n in np.flatnonzero(flags):
        i, j = divmod(int(n), width + 1)
        window = np.zeros((data.shape[1], 4, 2))
        for y, x in np.ndindex(4, 2):
            if 0 <= i + y - 2 < height and 0 <= j + x - 1 < width:
                window[:, y, x] = data[0, :, i + y - 2, j + x - 1]
        found.append(window)
    return np.array(found or [np.zeros((data.shape[1], 4, 2))])


INDEX = np.array([5, 0, 2, 2.0]).reshape(1, 1, 1, 4)
test_case = cases(
    [
        Case("check", f'type: "CheckAtt" {TWO}', [(2, 3, 1, 4), draws((2, 3, 1, 4), 9)], checked, gradient=()),
        Case("check-none", f'type: "CheckAtt" {TWO}', [(1, 1, 1, 4), np.full((1, 1, 1, 4), 3)], checked, gradient=()),
        Case("convert", f'type: "ConvertIndices" {TWO}', [INDEX, ROW], converted, gradient=()),
        Case(
            "split",
            f'type: "SplitIndices" {TWO}',
            [ROW, (1, 1, 1, 3), (1, 1, 1, 4)],
            lambda x, *_: (x[..., :3], x[..., 3:]),
            gradient=(),
        ),
    ]
)  # fmt: skip


def top_of(text, *bottoms, gradient=False):
    leaves = [torch.tensor(np.asarray(b, float), requires_grad=gradient) for b in bottoms]
    tops = run(make(text, *(b.shape for b in leaves)), *leaves)
    return (leaves, tops) if gradient else [top.numpy() for top in tops]


def test_flags_to_indices():
    flags = np.array([0, 1, 0, 1, 1, 0, 0]).reshape(ROW)
    layer = make('type: "FlagsToIndices"', ROW)
    assert layer.reshape(ROW) == [(7, 1, 1, 1)] and layer.dynamic
    (top,) = top_of('type: "FlagsToIndices"', flags)
    assert top.shape == (3, 1, 1, 1) and top.flatten().tolist() == [1, 3, 4]
    assert top_of('type: "FlagsToIndices"', flags * 0)[0].shape == (0, 1, 1, 1)


WINDOW = 'type: "SlidingWindowIndex" sliding_window_param { window_h: 4 window_w: 2 %s }'


@pytest.mark.parametrize("count", [0, 1, 9, 30])
def test_sliding_windows(count):
    data, flags = draws((1, 3, 5, 4), 2), np.zeros((1, 1, 1, 30))
    flags.flat[np.random.default_rng(3).permutation(30)[:count]] = 1
    (leaf, _), (top,) = top_of(WINDOW % "", data, flags, gradient=True)
    np.testing.assert_array_equal(top.detach(), windows(data, flags))
    weight = draws(top.shape, 4)
    if count:
        (top * torch.from_numpy(weight)).sum().backward()
        wanted = np.zeros_like(data)
        for at in np.ndindex(data.shape):
            one = np.zeros_like(data)
            one[at] = 1
            wanted[at] = (windows(one, flags) * weight).sum()
        np.testing.assert_allclose(leaf.grad, wanted, atol=1e-12)
    layer = make(WINDOW % "", data.shape, flags.shape)
    assert layer.reshape(data.shape, flags.shape) == [(1, 3, 4, 2)]
    assert [layer.allow_force_backward(i) for i in range(2)] == [True, False]


@pytest.mark.parametrize(
    "fields, shape, rows",
    [
        ("axis: -1", (1, 1, 1, 3), [[3, 6, 1]]),
        ("axis: 3 out_max_val: true", (1, 1, 1, 3), [[0.9, 0.7, 0.5]]),
        ("", (1, 1, 3, 1), [[3, 6, 1]]),
        ("out_max_val: true", (1, 2, 3, 1), [[3, 6, 1], [0.9, 0.7, 0.5]]),
    ],
)
def test_as_many_as_are_positive(fields, shape, rows):
    scores = np.array([0.1, 0.5, 0.3, 0.9, 0.2, 0.4, 0.7]).reshape(ROW)
    other = np.array([0.2, 0.4, 0.6, 0.1, 0.8, 0.5, 0.9]).reshape(ROW)  # three are less: those at 1, 3
    other.flat[5] = 0.0
    text = 'type: "%s" argmax_param { %s }'
    (top,) = top_of(text % ("ArgMaxMy", fields), scores, other)
    assert top.shape == shape
    np.testing.assert_allclose(top.reshape(len(rows), 3), rows)
    many = draws((1, 1, 1, 1200), 3)
    for other, count in ((many - 1, 1200), (many + 1, 1000)):
        (top,) = top_of(text % ("ArgMaxAll", "axis: -1"), many, other)
        assert top.flatten().tolist() == np.argsort(-many.flatten())[:count].tolist()
    assert top_of(text % ("ArgMaxAll", "axis: -1"), scores, scores)[0].shape == ROW  # there are no more


SCORES = np.array([0.3, 0.9, 0.1, 0.7, 0.5])


@pytest.mark.parametrize("kind", ["TopK", "TopKOld"])
@pytest.mark.parametrize("wanted, kept, which", [(2, [1, 3], [1, 3]), (5, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4])])
def test_best_rows(kind, wanted, kept, which):
    data = draws((5, 3, 2))
    text = f'type: "{kind}" {TWO}'
    bottoms = data, SCORES[:, None], np.zeros((wanted, 1, 1, 1))
    (leaf, *_), (top, index) = top_of(text, *bottoms, gradient=True)
    np.testing.assert_array_equal(top.detach(), data[kept])
    assert index.shape == (wanted, 1, 1, 1) and index.flatten().tolist() == which
    (top * torch.from_numpy(draws(top.shape, 3))).sum().backward()
    gradient = np.zeros_like(data)
    gradient[kept] = draws(top.shape, 3)
    np.testing.assert_array_equal(leaf.grad, gradient)


def test_scores_of_classes():
    """The first, of the background, does not count, nor do negative ones."""
    scores = np.array([[9, 0.1, 0.2], [0, 0.3, -1], [5, -2, -3], [0, -1, -1], [1, 0.1, 0.4]])
    (top,) = top_of('type: "TopK"', np.arange(5.0)[:, None], scores, np.zeros((3, 1)))
    assert top.flatten().tolist() == [0, 1, 4]
    (top,) = top_of('type: "TopK"', np.arange(5.0)[:, None], scores, np.zeros((4, 1)))
    assert top.flatten().tolist() == [0, 1, 2, 4]  # 2 and 3 are both 0


def test_fewer_rows_than_wanted():
    data, wanted = draws((5, 3)), np.zeros((7, 2))
    top, index = top_of(f'type: "TopK" {TWO}', data, SCORES, wanted)
    np.testing.assert_array_equal(top, data)
    assert index.flatten().tolist() == [0, 1, 2, 3, 4, -1, -1]
    top, _ = top_of(f'type: "TopKOld" {TWO}', data, SCORES, wanted)
    np.testing.assert_array_equal(top, np.concatenate((data, np.zeros((2, 3)))))


def test_positions_outside():
    with pytest.raises(LayerError, match="position 7 is outside 0 to 6, the scores in bottom 1"):
        top_of(f'type: "ConvertIndices" {TWO}', INDEX + 2, draws(ROW))


SLIDE = [(1, 3, 5, 4), (1, 1, 1, 30)]
test_error = errors(
    [
        Error(f'type: "CheckAtt" {TWO}', [(2, 3), (2, 4)], r"shapes \(2, 3\) and \(2, 4\) must be the same"),
        Error(f'type: "ConvertIndices" {TWO}', [(4, 1), ROW], r"bottom 0 of shape \(4, 1\) must be 1 x 1 x 1 x M"),
        Error(f'type: "SplitIndices" {TWO}', [ROW, (1, 1, 1, 3), (1, 1, 1, 3)], r"splits 7 values .* of \[3, 3\], together 6"),
        Error('type: "SplitIndices"', [ROW, (1, 1, 1, 3), (1, 1, 1, 4)], "into 1 tops by 2 bottoms"),
        Error('type: "FlagsToIndices"', [(2, 1, 1, 4)], r"bottom 0 of shape \(2, 1, 1, 4\) must be 1 x 1 x 1 x M"),
        Error(WINDOW.replace("4", "3") % "", SLIDE, "window_h is 3 and window_w 2; both must be set, even"),
        Error(WINDOW % "stride_h: 0", SLIDE, "stride_h is 0 and stride_w 1; both must be above 0"),
        Error(WINDOW % "", [(2, 3, 5, 4), SLIDE[1]], r"must be one map and bottom 1 of shape .* have 6 x 5 = 30 flags"),
        Error(WINDOW % "", [SLIDE[0], (1, 1, 1, 20)], "have 6 x 5 = 30 flags"),
        Error('type: "ArgMaxMy"', [ROW, (1, 1, 1, 8)], "must be the same"),
        Error('type: "ArgMaxMy" argmax_param { axis: 1 }', [ROW, ROW], r"argmax_param.axis is 1 and must be 3 \(or -1\)"),
        Error('type: "TopK"', [(5, 2), (4, 1), (3, 1)], "has 5 rows and bottom 1 of shape .* has scores of 4"),
    ]
)  # fmt: skip


def test_top_shapes():
    layer = make(f'type: "TopKOld" {TWO}', (5, 2), (5, 1), (7, 1))
    assert layer.reshape((5, 2), (5, 1), (7, 1)) == [(7, 2), (7, 1, 1, 1)]
    assert make('type: "TopK"', (5, 2), (5, 1), (7, 1)).reshape((5, 2), (5, 1), (7, 1)) == [(5, 2)]
    layer = make('type: "ArgMaxAll" argmax_param { axis: -1 }', (1, 1, 1, 1200), (1, 1, 1, 1200))
    assert layer.reshape((1, 1, 1, 1200), (1, 1, 1, 1200)) == [(1, 1, 1, 1000)]
