"""Blobs that are one memory in Caffe: values and gradients are what a real Caffe gave, or a small model of memory gives."""

import pickle
import random

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import Context
from caffe_compat.net.fuse import fuse
from caffe_compat.net.lower import lower
from caffe_compat.net.net import Net
from caffe_compat.net.sharing import rereads, resolved
from caffe_compat.proto import TEST, TRAIN, NetParameter, text
from caffe_compat.pycaffe import Net as PycaffeNet

X = [[1.0, -2, 3], [-4, 5, -6]]
INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
ALIASES = {
    "Flatten": 'type: "Flatten" top: "f" flatten_param { axis: 0 }',
    "Reshape": 'type: "Reshape" top: "f" reshape_param { shape { dim: 3 dim: 2 } }',
    "Split": 'type: "Split" top: "f" top: "g"',
    "Concat": 'type: "Concat" top: "f"',
    "Slice": 'type: "Slice" top: "f"',
    "Permute": 'type: "Permute" top: "f" permute_param { order: 0 order: 1 }',
}
NET = (
    "force_backward: true\n"
    + INPUT
    + """layer { name: "t" type: "Power" bottom: "x" top: "t" power_param { scale: 2 } }
layer { name: "before" type: "Power" bottom: "t" top: "u" power_param { scale: 3 } }
layer { name: "alias" bottom: "t" ALIAS }
layer { name: "relu" type: "ReLU" bottom: "f" top: "f" relu_param { negative_slope: 0.5 } }
layer { name: "after" type: "Power" bottom: "t" top: "v" power_param { power: 2 } }
layer { name: "a" type: "Reduction" bottom: "u" top: "lu" loss_weight: 1 }
layer { name: "b" type: "Reduction" bottom: "f" top: "lf" loss_weight: 10 }
layer { name: "c" type: "Reduction" bottom: "v" top: "lv" loss_weight: 1 }
"""
)
STATE = """layer { name: "in" type: "Input" top: "x" top: "c" input_param { shape { dim: 1 dim: 1 dim: 2 } shape { dim: 1 dim: 1 } } }
layer { name: "l" type: "LSTM" bottom: "x" bottom: "c" top: "l"
  recurrent_param { num_output: 2 weight_filler { value: 0.5 } } }
"""


def make(source, phase=TRAIN, **options):
    param = text.parse(source, NetParameter, "net.prototxt")
    param.state.phase = phase
    return Net(param, context=Context(torch.Generator().manual_seed(3), dtype=torch.float64, **options))


def by_graph(net, x):
    """Every blob, and the gradient of the loss by x, from the fused graph."""
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    loss, blobs = fuse(lower(net.wiring, net.blob_names))(x)
    loss.backward()
    return {name: value.detach().numpy() for name, value in blobs.items()}, x.grad.numpy()


def by_layer(net, x, pinned=()):
    for name in pinned:
        net.layerwise.pin(name)
    views = {name: net.layerwise.data(name).numpy() for name in pinned}
    net.layerwise.data("x").copy_(torch.tensor(x, dtype=torch.float64))
    net.layerwise.forward()
    net.layerwise.backward()
    blobs = {name: net.layerwise.data(name).numpy() for name in net.blob_names}
    return blobs | views, net.layerwise.diff("x").numpy()


@pytest.mark.parametrize("alias", ALIASES.values(), ids=ALIASES)
def test_a_layer_in_place_is_seen_by_later_readers_of_the_memory(alias):
    """The numbers are a real Caffe's; the gradient of the later reader goes past the layer in place."""
    net = make(NET.replace("ALIAS", alias))
    after = [2, -2, 6, -4, 10, -6]
    for blobs, diff in (by_graph(net, X), by_layer(net, X), by_layer(net, X, net.blob_names)):
        np.testing.assert_array_equal(blobs["u"].ravel(), [6, -12, 18, -24, 30, -36])
        for name in ("t", "f", "t_t_0_split_0", "t_t_0_split_2"):
            np.testing.assert_array_equal(blobs[name].ravel(), after)
        np.testing.assert_array_equal(blobs["v"].ravel(), np.square(after))
        np.testing.assert_array_equal(diff.ravel(), [34, 8, 50, 0, 66, -8])


@pytest.mark.parametrize("alias", ["Flatten", "Split"])
def test_a_module_does_as_the_net_of_each_mode(alias):
    source = NET.replace("ALIAS", ALIASES[alias]).replace("relu_param", "relu_param { } dropout_param")
    source = source.replace('type: "ReLU"', 'type: "Dropout"').replace("negative_slope", "dropout_ratio")
    module = PycaffeNet.over(make(source, TEST)).module()
    x = torch.tensor(X, dtype=torch.float64)
    for phase, run in (
        (TEST, module.eval()),
        (TRAIN, module.train()),
        (TEST, pickle.loads(pickle.dumps(module)).eval()),
    ):
        run.train(phase == TRAIN)
        torch.manual_seed(2)
        expected = lower(make(source, phase).wiring)(x)
        torch.manual_seed(2)
        torch.testing.assert_close(run(x), expected)


def test_a_module_goes_on_from_what_a_layer_in_place_leaves_in_the_state():
    source = STATE + 'layer { name: "s" type: "Power" bottom: "l" top: "l" power_param { scale: 3 } }'
    inputs = torch.ones(1, 1, 2, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    module, graph = PycaffeNet.over(make(source, TEST)).module(), lower(make(source, TEST).wiring)
    copy = pickle.loads(pickle.dumps(module))
    for _ in range(3):
        expected = graph(*inputs)[1]["l"]
        for run in (module, copy):
            torch.testing.assert_close(run(*inputs)[1]["l"], expected)


def test_no_layer_is_added_where_all_readers_come_before():
    usual = (
        INPUT
        + """layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 4 } }
layer { name: "relu" type: "ReLU" bottom: "y" top: "y" }
layer { name: "flat" type: "Flatten" bottom: "y" top: "f" }
layer { name: "drop" type: "Dropout" bottom: "f" top: "f" }
layer { name: "a" type: "Power" bottom: "f" top: "a" }
layer { name: "b" type: "Power" bottom: "f" top: "b" }"""
    )
    net = make(usual)
    assert not list(rereads(net.wiring, net.outputs)) and resolved(net.wiring, net.outputs) is net.wiring
    assert [found.blob for found in rereads(net.wiring, ["y"])] == [
        "y"
    ]  # which only somebody who asks for it sees


class Memory:
    """Caffe's memory in numpy: blobs are views of one array, diffs are each blob's own."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = [INPUT]
        self.data = {"x": np.array(X)}
        self.diff = {}
        self.read = set()
        self.tape = []  # (bottom, top, slope), in order
        self.loss = {}

    def build(self):
        for i in range(9):
            name = self.random.choice([*self.data])
            kind = self.random.choice(["alias", "alias", "reader", "in place", "in place"])
            if kind == "in place" and name not in self.read:
                self.scale(i, name, name)
            elif kind == "reader":
                self.scale(i, name, f"b{i}")
            else:
                self.alias(i, name)
        for name in [name for name in self.data if name not in self.read]:
            self.lines.append(
                f'layer {{ name: "loss_{name}" type: "Reduction" bottom: "{name}" top: "loss_{name}" loss_weight: {len(self.loss) + 1} }}'
            )
            self.loss[name] = len(self.loss) + 1
        return "".join(self.lines)

    def scale(self, i, bottom, top):
        old = self.data[bottom].copy()
        slope = np.where(old > 0, 1, 0.5)
        self.lines.append(
            f'layer {{ name: "l{i}" type: "ReLU" bottom: "{bottom}" top: "{top}" relu_param {{ negative_slope: 0.5 }} }}\n'
        )
        if bottom == top:
            self.data[top][...] = old * slope
        else:
            self.data[top] = old * slope
            self.read.add(bottom)
        self.tape.append((bottom, top, slope))

    def alias(self, i, bottom):
        kind, top = self.random.choice(["Flatten", "Reshape", "Split", "Concat"]), f"b{i}"
        words = {
            "Flatten": "flatten_param { axis: 0 }",
            "Reshape": "reshape_param { shape { dim: 3 dim: 2 } }",
            "Concat": "concat_param { axis: 0 }",
        }
        shape = {"Flatten": (6,), "Reshape": (3, 2)}.get(kind, self.data[bottom].shape)
        self.lines.append(
            f'layer {{ name: "l{i}" type: "{kind}" bottom: "{bottom}" top: "{top}" {words.get(kind, "")} }}\n'
        )
        self.data[top] = self.data[bottom].reshape(shape)
        self.read.add(bottom)
        self.tape.append((bottom, top, np.ones(self.data[bottom].shape)))

    def backward(self):
        diff = {name: np.full(data.shape, float(self.loss.get(name, 0))) for name, data in self.data.items()}
        for bottom, top, slope in reversed(self.tape):
            if bottom == top:
                diff[top] = diff[top] * slope
            else:
                diff[bottom] = diff[bottom] + diff[top].reshape(slope.shape) * slope
        return diff["x"]


def test_graph_and_layers_are_a_model_of_memory():
    depend = 0
    for seed in range(50):
        model = Memory(seed)
        net = make("force_backward: true\n" + model.build())
        depend += bool(list(rereads(net.wiring, net.outputs)))
        expected = model.backward()
        for blobs, diff in (by_graph(net, X), by_layer(net, X, net.blob_names[seed % 3 :: 3])):
            for name, value in model.data.items():
                np.testing.assert_allclose(blobs[name], value, err_msg=f"{seed}: {name}")
            np.testing.assert_allclose(diff, expected, err_msg=f"{seed}")
    assert depend > 10


def test_an_lstm_of_one_step_goes_on_from_what_is_in_its_top():
    """0.912 is a real Caffe's."""
    net = PycaffeNet.over(make(STATE, TEST))
    net.blobs["x"].data[...] = 1
    net.forward()
    net.blobs["l"].data[...] = 5
    net.blobs["c"].data[...] = 1
    np.testing.assert_allclose(net.forward()["l"].ravel(), 0.912, atol=5e-4)


@pytest.mark.parametrize("flatten", ["", 'layer { name: "f" type: "Flatten" bottom: "l" top: "f" }\n'])
def test_a_layer_in_place_on_the_top_of_one_step_changes_the_state(flatten):
    name = "f" if flatten else "l"
    source = (
        STATE
        + flatten
        + f'layer {{ name: "s" type: "Power" bottom: "{name}" top: "{name}" power_param {{ scale: 3 }} }}'
    )
    apart = STATE + 'layer { name: "s" type: "Power" bottom: "l" top: "f" power_param { scale: 3 } }'
    x, on = torch.ones(1, 1, 2, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    graph, layers, same = make(source), make(source), make(apart)
    run = fuse(lower(graph.wiring))
    for _ in range(3):
        expected = lower(same.wiring)(x, on)[1]["f"]
        same.layer("l").carried[0] *= 3
        torch.testing.assert_close(run(x, on)[1][name].reshape(1, 1, 2), expected)
        for blob in ("x", "c"):
            layers.layerwise.data(blob).fill_(1)
        layers.layerwise.forward()
        torch.testing.assert_close(layers.layerwise.data(name).reshape(1, 1, 2), expected)


def test_exposed_states_of_one_step_are_the_top_itself():
    source = """layer { name: "in" type: "Input" top: "x" top: "c" top: "h" top: "m"
  input_param { shape { dim: 1 dim: 1 dim: 2 } shape { dim: 1 dim: 1 } shape { dim: 1 dim: 1 dim: 2 } } }
layer { name: "l" type: "LSTM" bottom: "x" bottom: "c" bottom: "h" bottom: "m" top: "l" top: "h1" top: "m1"
  recurrent_param { num_output: 2 expose_hidden: true weight_filler { value: 0.5 } } }
layer { name: "s" type: "Power" bottom: "l" top: "l" power_param { scale: 3 } }"""
    source = source.replace(
        "shape { dim: 1 dim: 1 dim: 2 } } }",
        "shape { dim: 1 dim: 1 dim: 2 } shape { dim: 1 dim: 1 dim: 2 } } }",
    )
    net = make(source)
    values = [torch.ones(shape, dtype=torch.float64) for shape in ((1, 1, 2), (1, 1), (1, 1, 2), (1, 1, 2))]
    blobs = lower(net.wiring)(*values)[1]
    assert torch.equal(blobs["h1"], blobs["l"]) and not torch.equal(blobs["m1"], blobs["l"])
    for name in net.inputs:
        net.layerwise.data(name).fill_(1)
    net.layerwise.forward()
    assert torch.equal(net.layerwise.data("h1"), blobs["l"])


@pytest.mark.parametrize("observed", [False, True])
def test_what_is_filled_once_stays_as_a_layer_in_place_leaves_it(observed):
    """A constant DummyData's top, and a Parameter's, which is its blob."""
    net = make("""layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 2 } data_filler { value: 1 } } }
layer { name: "w" type: "Parameter" top: "w" parameter_param { shape { dim: 2 } } }
layer { name: "r" type: "Reshape" bottom: "d" top: "r" reshape_param { shape { dim: 1 dim: 2 } } }
layer { name: "twice" type: "Power" bottom: "r" top: "r" power_param { scale: 2 } }
layer { name: "more" type: "Power" bottom: "w" top: "w" power_param { shift: 1 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "w" bottom: "d" top: "loss" }""")  # fmt: skip
    net.observed = observed
    for turn in range(1, 4):
        loss, _ = net.forward_backward()
        assert loss == (turn - 2**turn) ** 2 / 2
        np.testing.assert_array_equal(net.layer("w").blobs[0].detach(), [turn] * 2)


def test_memory_that_is_read_again_must_be_filled():
    net = make("""layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 2 } data_filler { value: 1 } } }
layer { name: "sum" type: "Reduction" bottom: "d" top: "d" }""")
    with pytest.raises(
        LayerError, match=r"layer 'd' \(DummyData\): top 0 has 2 values, of which a layer in place makes 1"
    ):
        net.forward()


def test_flat_and_reshaped_blobs_have_their_bottoms_diffs():
    """Backward of a layer in place on the bottom shows in the top's diff, as in Caffe."""
    net = PycaffeNet.over(make("force_backward: true\n" + INPUT + """layer { name: "t" type: "TanH" bottom: "x" top: "t" }
layer { name: "relu" type: "ReLU" bottom: "t" top: "t" relu_param { negative_slope: 0.5 } }
layer { name: "r" type: "Reshape" bottom: "t" top: "r" reshape_param { shape { dim: 6 } } }"""))  # fmt: skip
    net.blobs["x"].data[...] = X
    net.forward()
    net.blobs["r"].diff[...] = 1
    net.backward()
    for name in ("t", "r"):
        np.testing.assert_array_equal(net.blobs[name].diff.ravel(), [1, 0.5, 1, 0.5, 1, 0.5])
