"""Python layers."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.layers import python
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.registry import create_layer
from tests.layers.harness import draws, layer_param, make, run

SOURCE = Path(__file__).with_name("python_layers.py")


@pytest.fixture
def layer(tmp_path, monkeypatch):
    """make_python(class, *bottom shapes, ...): a Python layer, set up; its module lives in tmp_path."""
    shutil.copy(SOURCE, tmp_path / "python_layers_under_test.py")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "python_layers_under_test", raising=False)

    def make_python(name, *shapes, extra="", module="python_layers_under_test", param_str="", **kwargs):
        text = f'type: "Python" {extra} python_param {{ module: "{module}" layer: "{name}" param_str: "{param_str}" }}'
        return make(text, *shapes, **kwargs)

    return make_python


def tensor(shape, seed=1, grad=True):
    return torch.from_numpy(draws(shape, seed)).requires_grad_(grad)


def test_a_diff_written_in_forward_is_there_in_backward(layer):
    x = tensor((2, 3))
    layer("InForward", (2, 3))(x).backward(torch.full((2, 3), 5.0, dtype=torch.float64))
    torch.testing.assert_close(x.grad, 15 * x.detach())


def test_a_bottom_reshaped_by_the_layer(layer):
    x = tensor((4, 2, 3))
    top = layer("Flat", (4, 2, 3))(x)
    assert top.shape == (4, 6)
    top.backward(torch.ones(4, 6, dtype=torch.float64))
    assert torch.equal(x.grad, torch.arange(6.0, dtype=torch.float64).view(2, 3).expand(4, 2, 3))


def test_a_blob_reshaped_by_the_layer(layer):
    made = layer("Reshaping", (2, 3))
    assert made.instance.sizes == [2, 3, 1, 1]
    x = tensor((2, 3))
    top = made(x)
    top.backward(torch.full((2, 3), 5.0, dtype=torch.float64))
    assert torch.equal(top, 3 * x)
    torch.testing.assert_close(made.blobs[0].grad, 5 * x.detach())


def test_forward_and_backward(layer):
    double = layer("Double", (2, 3))
    x = tensor((2, 3))
    assert double.reshape((4, 3)) == [(4, 3)]
    top = double(x)
    top.backward(torch.full((2, 3), 5.0, dtype=torch.float64))
    assert top.dtype == torch.float64
    assert torch.equal(top, 2 * x)
    assert torch.equal(x.grad, torch.full_like(x, 10))
    assert double.instance.seen == [[True]]
    assert double.instance.phase == 0
    assert double.instance.type == "Python"
    assert double.blobs is not double.instance.blobs
    assert len(double.instance.blobs) == 0


def test_a_top_is_not_overwritten_by_the_next_forward(layer):
    double = layer("Double", (2, 3))
    first = double(tensor((2, 3), 1))
    kept = first.detach().clone()
    double(tensor((2, 3), 2))
    assert torch.equal(first, kept)


def test_blobs(layer):
    weighted = layer("Weighted", (4,), (2, 3), extra='top: "a" top: "b"', param_str="1.5")
    assert weighted.instance.param_str_ == weighted.instance.param_str == "1.5"
    assert [tuple(blob.shape) for blob in weighted.blobs] == [(1,), (2, 3)]
    assert [blob.shape for blob in weighted.instance.blobs] == [(1,), (2, 3)]
    assert [blob.count for blob in weighted.instance.blobs] == [1, 6]
    assert weighted.random_reason() == "runs the user's own code, which may be random"
    x, y = tensor((4,)), tensor((2, 3), grad=False)
    tops = run(weighted, x, y)
    torch.testing.assert_close(tops, (1.5 * x, 3 * y))
    for round in (1, 2):  # gradients add up, as the layer adds to its diff
        torch.autograd.backward(run(weighted, x, y), [torch.ones(4), torch.ones(2, 3)])
        assert weighted.blobs[0].grad.item() == pytest.approx(round * x.sum().item())
        np.testing.assert_allclose(weighted.instance.blobs[1].diff, round * y.numpy())
    assert y.grad is None
    # What the layer sees is what the net holds, also when the net puts another tensor in its place.
    weighted.share_blob(0, torch.nn.Parameter(torch.tensor([7.0], dtype=torch.float64)))
    assert weighted.instance.blobs[0].data.tolist() == [7]
    assert weighted.instance.blobs[0].diff.tolist() == [0]
    weighted.instance.blobs[0].data[0] = -1
    assert run(weighted, x, y)[0].equal(-x)


def test_blobs_that_need_no_gradient(layer):
    weighted = layer("Weighted", (4,), (2, 3), extra='top: "a" top: "b"', param_str="2")
    for blob in weighted.blobs:
        blob.requires_grad_(False)
    assert not run(weighted, tensor((4,), grad=False), tensor((2, 3), grad=False))[0].requires_grad
    x = tensor((4,))
    run(weighted, x, tensor((2, 3), grad=False))[0].sum().backward()
    assert x.grad.tolist() == [2] * 4
    assert weighted.blobs[0].grad is None


def test_shape_known_in_forward_only(layer):
    positive = layer("Positive", (5, 2))
    x = np.array([[1, 2], [-1, 3], [4, -5], [0, 1], [2, 2]], float)
    np.testing.assert_array_equal(positive(torch.from_numpy(x)), x[[0, 2, 4]])
    np.testing.assert_array_equal(positive(torch.from_numpy(x[:2])), x[:1])


def test_without_bottoms_a_top_keeps_its_values(layer):
    source = layer("Source", phase=TEST)
    assert source.reshape() == [(2, 3)]
    assert [source()[0, 0].item() for _ in range(3)] == [2, 3, 4]
    assert source()[1].tolist() == [1, 1, 1]
    assert source.instance.chosen == (20, 40)
    phase = source.instance.phase
    assert (f"{phase}", f"{phase:03}", phase + 1) == ("TEST", "001", 2)
    assert phase == TEST == 1


def test_without_tops(layer):
    param = layer_param('type: "Python" python_param { module: "python_layers_under_test" layer: "Sink" }')
    del param.top[:]
    sink = create_layer(param, TRAIN)
    sink.setup((2, 3))
    assert sink.reshape((2, 3)) == []
    assert sink(torch.ones(2, 3, requires_grad=True)) == ()
    assert sink.instance.total == 6


def test_in_place(layer):
    in_place = layer("InPlace", (2, 3), extra='bottom: "x" top: "x"')
    x = tensor((2, 3))
    before = x.detach().clone()
    top = in_place(x)
    assert torch.equal(x, before)
    assert torch.equal(top, before + 1)
    top.backward(torch.full((2, 3), 2.0, dtype=torch.float64))
    assert torch.equal(x.grad, torch.full_like(x, 10))
    np.testing.assert_array_equal(in_place.instance.kept, before + 1)  # one blob: backward sees the top


# Dynamo looks at .grad of the tensors that live across the break in its graph.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
def test_compiled_equals_eager(layer):
    double = layer("Double", (2, 3))
    compiled = torch.compile(lambda x: double(x + 1) * 3, backend="eager")
    x = tensor((2, 3))
    compiled(x).sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 6))


def test_errors_of_the_class_come_through(layer):
    with pytest.raises(KeyError, match="mine"):
        layer("Broken", (2,))
    bare = layer("Bare", (2,))
    with pytest.raises(LayerError, match="layer 'l' .*must run forward, which class Bare does not define"):
        bare(torch.ones(2))
    bare.instance.forward = lambda bottom, top: None
    top = bare(torch.ones(2, requires_grad=True))
    with pytest.raises(LayerError, match="must run backward, which class Bare does not define"):
        top.sum().backward()


def test_a_layer_that_imports_caffe(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name == "caffe" or name.startswith("caffe.")]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "imports_caffe.py").write_text(
        """import caffe
from caffe import layers as L, params as P
class Scored(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top): top[0].data[0] = bottom[0].data.sum()
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    scored = make('type: "Python" python_param { module: "imports_caffe" layer: "Scored" }', (2, 3))
    assert scored(torch.ones(2, 3)).item() == 6
    for name in [name for name in sys.modules if name == "caffe" or name.startswith("caffe.")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.gpu
def test_on_another_device(layer):
    weighted = layer("Weighted", (4,), (2, 3), extra='top: "a" top: "b"', param_str="1.5").to("cuda")
    x, y = tensor((4,)).detach().cuda().requires_grad_(), tensor((2, 3), grad=False).cuda()
    for round in (1, 2):
        tops = run(weighted, x, y)
        torch.testing.assert_close(tops, (1.5 * x, 3 * y))
        torch.autograd.backward(tops, [torch.ones_like(top) for top in tops])
        assert weighted.blobs[0].grad.item() == pytest.approx(round * x.sum().item())
    with pytest.raises(ValueError, match="read-only"):
        weighted.instance.blobs[0].data[0] = 7
    weighted.instance.forward = lambda bottom, top: weighted.instance.blobs[0].data.fill(7)
    weighted(x, y)
    assert weighted.blobs[0].item() == 7
    weighted.blobs[0].data.fill_(8)
    assert weighted.instance.blobs[0].data.item() == 8


@pytest.mark.parametrize(
    ("name", "module", "message"),
    [
        ("Double", "no_such_module", "cannot import python_param.module 'no_such_module': .* PYTHONPATH"),
        (
            "Dubble",
            "python_layers_under_test",
            "'Dubble' is not a class in module .* derives from caffe.Layer",
        ),
        (
            "NotALayer",
            "python_layers_under_test",
            "'NotALayer' is not a class in module .* derives from caffe.Layer",
        ),
        ("np", "python_layers_under_test", "'np' is not a class in module"),
    ],
)
def test_what_is_no_layer(layer, name, module, message):
    with pytest.raises(LayerError, match=rf"test.prototxt:1: layer 'l' \(Python\): .*{message}"):
        layer(name, (2, 3), module=module)


def test_a_module_that_python_cannot_read(layer, tmp_path, monkeypatch):
    (tmp_path / "unreadable_layer.py").write_text("\nprint 3")
    monkeypatch.syspath_prepend(str(tmp_path))
    message = r"cannot import python_param.module 'unreadable_layer': .*unreadable_layer.py:2: .*convert it with 2to3"
    with pytest.raises(LayerError, match=message):
        layer("Double", (2, 3), module="unreadable_layer")


def test_not_allowed(layer, monkeypatch):
    monkeypatch.setattr(python, "allow_python_layers", False)
    with pytest.raises(LayerError, match="would run Double of the Python module .*--allow-python-layers"):
        layer("Double", (2, 3))


def test_blob_reshape_keeps_what_fits(layer):
    blob = python.Blob(layer("Double", (2, 3)), (2, 3))
    blob.data[...] = np.arange(6).reshape(2, 3)
    blob.diff[...] = 1
    blob.reshape(4)
    assert blob.data.tolist() == [0, 1, 2, 3]
    assert (blob.shape, blob.count, blob.num, blob.channels, blob.height, blob.width) == ((4,), 4, 4, 1, 1, 1)
    blob.reshape(3, 2, 1)
    assert blob.data.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    blob.reshape(5, 2)
    assert not blob.data.any()
    assert blob.diff.shape == (5, 2)
    blob.reshape()
    assert blob.data.shape == ()
    with pytest.raises(LayerError, match=r"cannot be reshaped to \(2, -1\): -1 is negative"):
        blob.reshape(2, -1)
    blob.reshape(1, 1, 1, 1, 2)
    with pytest.raises(LayerError, match="at most 4 axes .* which has 5"):
        blob.height  # noqa: B018
