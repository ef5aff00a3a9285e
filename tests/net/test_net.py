"""Net building: connections, shapes, sharing, what needs a gradient, and every refusal."""

import io
import re

import numpy as np
import pytest
import torch

from caffe_compat.data import lmdb
from caffe_compat.data.records import serialize
from caffe_compat.errors import LayerError, NetError
from caffe_compat.log.write import Log
from caffe_compat.net.net import Net
from caffe_compat.proto import TEST, TRAIN, NetParameter, text

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
LABEL = 'layer { name: "lab" type: "Input" top: "label" input_param { shape { dim: 2 } } }\n'
IP = """layer { name: "%s" type: "InnerProduct" bottom: "%s" top: "%s" %s
  inner_product_param { num_output: %d weight_filler { type: "xavier" } } }
"""
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }\n'


def ip(name="ip", bottom="x", top="y", extra="", num_output=5):
    return IP % (name, bottom, top, extra, num_output)


def net(prototxt, phase=TRAIN, log=None):
    param = text.parse(prototxt, NetParameter, "net.prototxt")
    param.state.phase = phase
    return Net(param, **({"log": log} if log else {}))


def needs(made):
    return dict(zip(made.layer_names, made.layer_need_backward, strict=True))


def test_names_shapes_outputs_and_memory():
    made = net(INPUT + LABEL + ip() + LOSS)
    assert made.layer_names == ["in", "lab", "ip", "loss"]
    assert made.blob_shapes == {"x": (2, 3), "label": (2,), "y": (2, 5), "loss": ()}
    assert (made.inputs, made.outputs) == (["x", "label"], ["loss"])
    assert made.memory == 4 * (6 + 2 + 10 + 1)
    assert made.loss_weights[-1] == [1.0]
    assert [tuple(blob.tensor.shape) for blob in made.learned] == [(5, 3), (5,)]


@pytest.mark.parametrize("name", ["class", "self", "graph", "_code", "train", "x²", "1", "None"])
def test_any_name_will_do_for_blobs_and_layers(name):
    """Also a word of Python, and what the graph's module has already; the graph is Python code."""
    made = net(f"""
        layer {{ name: "{name}" type: "DummyData" top: "{name}" top: "a.b" top: "a/b" dummy_data_param {{
          shape {{ dim: 2 dim: 3 }} shape {{ dim: 2 dim: 3 }} shape {{ dim: 2 dim: 3 }}
          data_filler {{ value: 1 }} data_filler {{ value: 2 }} data_filler {{ value: 4 }} }} }}
        layer {{ name: "{name}" type: "Eltwise" bottom: "{name}" bottom: "a.b" bottom: "a/b" top: "sum"
          eltwise_param {{ coeff: 1 coeff: 10 coeff: 100 }} }}
        layer {{ name: "{name}" type: "ReLU" bottom: "sum" top: "end" }}""")
    assert made.forward_backward()[1]["end"].tolist() == [[421.0] * 3] * 2


def test_outputs_are_alphabetical():
    made = net(INPUT + ip(name="b", top="zeta") + ip(name="a", bottom="x", top="alpha"))
    assert made.outputs == ["alpha", "zeta"]
    assert made.layer_names == ["in", "x_in_0_split", "b", "a"]


def test_a_loss_without_a_top_gets_an_anonymous_one():
    made = net(INPUT + LABEL + ip() + LOSS.replace('top: "loss"', ""))
    assert made.blob_names[-1] == "(automatic)"
    assert made.outputs == []
    loss, outputs = made.forward()
    assert loss.item() > 0 and outputs == {}


def test_phase_comes_from_the_net_unless_the_layer_says_otherwise():
    dropout = 'layer { name: "%s" type: "Dropout" bottom: "%s" top: "%s" %s }\n'
    made = net(INPUT + dropout % ("d", "x", "e", "") + dropout % ("t", "e", "f", "phase: TEST"))
    assert [layer.phase for layer in made.layers] == [TRAIN, TRAIN, TEST]
    assert [param.phase for param in made.param.layer] == [TRAIN, TRAIN, TEST]


def test_only_what_lies_under_a_loss_needs_a_gradient():
    made = net(INPUT + LABEL + ip() + ip("side", "x", "z") + LOSS)
    assert needs(made) == {
        "in": False,
        "x_in_0_split": False,
        "lab": False,
        "ip": True,
        "side": False,
        "loss": True,
    }


def test_lr_mult_0_stops_the_gradient_below():
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    made = net(INPUT + LABEL + ip("low", "x", "h", frozen) + ip("high", "h") + LOSS)
    assert needs(made)["low"] is False and needs(made)["high"] is True
    assert [blob.tensor.requires_grad for blob in made.learned] == [False, False, True, True]


def test_propagate_down_false_cuts_the_gradient_in_the_graph():
    made = net(INPUT + LABEL + ip("low", "x", "h") + ip("high", "h", extra="propagate_down: false") + LOSS)
    assert needs(made)["low"] is False
    made.forward_backward()
    gradients = {blob.layer: blob.tensor.grad for blob in made.learned}
    assert gradients[2] is None and gradients[3].abs().sum() > 0


def test_force_backward_wants_everything_but_labels():
    made = net("force_backward: true\n" + INPUT + LABEL + ip() + LOSS)
    assert all(made.layer_need_backward)
    assert made.bottom_need_backward[-1] == [True, False]
    assert made.bottom_need_backward[2] == [True]


def test_shared_params_are_one_tensor_with_one_update():
    shared = 'param { name: "w" lr_mult: 2 } param { name: "b" }'
    made = net(
        INPUT + ip("one", "x", "h", shared) + ip("two", "x", "y", 'param { name: "w" } param { name: "b" }')
    )
    one, two = made.layer("one"), made.layer("two")
    assert one.blobs[0] is two.blobs[0] and one.blobs[1] is two.blobs[1]
    assert [(blob.name, blob.lr_mult) for blob in made.learned] == [("w", 2.0), ("b", 1.0)]


def test_a_later_sharer_may_give_the_lr_mult():
    made = net(
        INPUT
        + ip("one", extra='param { name: "w" }')
        + ip("two", top="z", extra='param { name: "w" lr_mult: 3 }')
    )
    assert [blob.lr_mult for blob in made.learned] == [3.0, 1.0, 1.0]


def test_permissive_sharing_views_the_owner_in_its_own_shape():
    other = 'layer { name: "in2" type: "Input" top: "x2" input_param { shape { dim: 2 dim: 5 } } }\n'
    param = 'param { name: "w" share_mode: PERMISSIVE }'
    made = net(INPUT + other + ip("one", "x", "h", param, 5) + ip("two", "x2", "y", param, 3))
    one, two = made.layer("one"), made.layer("two")
    assert tuple(two.blobs[0].shape) == (3, 5) and tuple(one.blobs[0].shape) == (5, 3)
    assert two.blobs[0].data_ptr() == one.blobs[0].data_ptr()
    assert two.owned_blobs()[0] is one.blobs[0]
    (two.blobs[0].sum()).backward()
    assert torch.equal(one.blobs[0].grad, torch.ones(5, 3))


def test_test_net_shares_blobs_by_layer_name():
    train, test = (
        net(INPUT + LABEL + ip() + LOSS),
        net(INPUT + LABEL + ip() + ip("new", "x", "z") + LOSS, TEST),
    )
    test.share_trained_layers_with(train)
    assert test.layer("ip").blobs[0] is train.layer("ip").blobs[0]


def test_log_has_caffes_lines():
    stream = io.StringIO()
    net(INPUT + LABEL + ip() + LOSS, log=Log(stream, progress=False))
    said = [re.sub(r"^.*?\] ", "", line) for line in stream.getvalue().splitlines()]
    tail = said[said.index("Creating Layer loss") :]
    assert tail == [
        "Creating Layer loss", "loss <- y", "loss <- label", "loss -> loss", "Creating layer loss", "Setting up loss", "Top shape: (1)",
        "    with loss weight 1", "Memory required for data: 76", "loss needs backward computation.",
        "ip needs backward computation.", "lab does not need backward computation.",
        "in does not need backward computation.", "This network produces output loss", "Network initialization done.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("prototxt", "match"),
    [
        (INPUT + ip(bottom="xx"), r"net.prototxt:2: layer 'ip' \(InnerProduct\): bottom 0 'xx' is unknown.*'x'"),
        (INPUT + ip(top="y") + ip("ip2", top="y"), r"net.prototxt:4: layer 'ip2'.*top 0 'y' is produced by multiple sources"),
        (INPUT + 'layer { name: "a" type: "Concatt" bottom: "x" top: "y" }', r"net.prototxt:2: .*unknown layer type 'Concatt'.*'Concat'"),
        (INPUT + ip(extra="propagate_down: true propagate_down: true"), "2 propagate_down for 1 bottoms"),
        (INPUT + ip(extra="param { } param { } param { }"), "3 `param` blocks for 2 blobs"),
        (INPUT + ip(extra="loss_weight: 1 loss_weight: 2"), r"2 loss_weight for 1 top\(s\)"),
        (INPUT + 'layer { name: "s" type: "ReLU" bottom: "x" }', r"takes 1 top blob\(s\) and has 0"),
        (INPUT + 'layer { name: "f" type: "Flatten" bottom: "x" top: "x" }', "top 'x' is in place, which this layer does not allow"),
        (
            INPUT + ip("one", extra='param { name: "w" }') + ip("two", top="z", extra='param { name: "w" }', num_output=4),
            r"layer 'two'.*cannot share param 'w' owned by layer 'one': shape mismatch, owner \(5, 3\), here \(4, 3\)",
        ),
        (
            INPUT + ip("one", extra='param { name: "w" lr_mult: 1 }') + ip("two", top="z", extra='param { name: "w" lr_mult: 2 }'),
            "shared param 'w' has lr_mult 2.0 here and 1.0 in layer 'one'",
        ),
    ],
)  # fmt: skip
def test_refusals(prototxt, match):
    with pytest.raises((NetError, LayerError), match=match):
        net(prototxt)


def test_pictures_of_several_sizes_pass_one_at_a_time(tmp_path):
    """Every forward reshapes the net, so batch_size 1 serves pictures of any size (N10)."""
    pictures = [np.full((2, size, size + 1), 40, np.uint8) for size in (5, 8, 6)]
    lmdb.write(str(tmp_path / "db"), [(b"%d" % i, serialize(p, i)) for i, p in enumerate(pictures)])
    made = net(f"""
        layer {{ name: "data" type: "Data" top: "x" top: "label"
          data_param {{ source: "{tmp_path / "db"}" batch_size: 1 backend: LMDB }} }}
        layer {{ name: "pool" type: "Pooling" bottom: "x" top: "small" pooling_param {{ kernel_size: 2 stride: 2 }} }}
        layer {{ name: "mean" type: "Pooling" bottom: "small" top: "y" pooling_param {{ pool: AVE global_pooling: true }} }}
        """, TEST)  # fmt: skip
    for size in (5, 8, 6, 5):
        _, outputs = made.forward()
        assert made.blob_shapes["x"] == (1, 2, size, size + 1)
        assert made.blob_shapes["small"] == (1, 2, -(-size // 2), -(-(size + 1) // 2))
        assert torch.equal(outputs["y"], torch.full((1, 2, 1, 1), 40.0))


@pytest.mark.parametrize(("records", "gradient"), [(1, [5, 9, 13]), (2, [44, 60, 76])])
def test_two_passes_of_iter_size(records, gradient):
    """In a batch of one Caffe overwrites the gradient of Scale's blob, which it adds to in larger ones."""
    made = net(f"""
        layer {{ name: "one" type: "DummyData" top: "x"
          dummy_data_param {{ shape {{ dim: {records} dim: 3 dim: 2 }} data_filler {{ value: 1 }} }} }}
        layer {{ name: "steps" type: "Parameter" top: "p" parameter_param {{ shape {{ dim: {records} dim: 3 dim: 2 }} }} }}
        layer {{ name: "sum" type: "Eltwise" bottom: "x" bottom: "p" top: "s" }}
        layer {{ name: "scale" type: "Scale" bottom: "s" top: "y" loss_weight: 2 }}
        """)  # fmt: skip
    with torch.no_grad():
        made.params["steps"][0].copy_(torch.arange(6.0 * records).view(records, 3, 2) / 2)
    made.forward_backward()
    made.forward_backward()
    assert made.params["scale"][0].grad.tolist() == gradient
    assert torch.equal(made.params["steps"][0].grad, torch.full((records, 3, 2), 2.0))  # always overwritten


LOSS_READ = """layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param { shape { dim: 2 dim: 3 } data_filler { value: 2 } data_filler { value: 1 } } }
layer { name: "s" type: "Scale" bottom: "x" top: "y" scale_param { filler { value: 2 } } }
layer { name: "e" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "e" %s }
"""


@pytest.mark.parametrize(
    ("weight", "reader", "loss", "gradient"),
    [  # the loss itself is 13.5, and its gradient for each of three scales 6
        ("loss_weight: 0.5", 'type: "Eltwise" bottom: "e" bottom: "e" top: "z" loss_weight: 2', 74.25, 27),
        ("", 'type: "ReLU" bottom: "e" top: "e" loss_weight: 2', 54, 12),
        ("", 'type: "Power" bottom: "e" top: "z" loss_weight: 1 power_param { scale: 3 }', 54, 18),
        ("", 'type: "Power" bottom: "e" top: "z"', 13.5, 0),
        ("", 'type: "Silence" bottom: "e"', 13.5, 0),
    ],
)
def test_a_loss_that_another_layer_reads(weight, reader, loss, gradient):
    """Its loss_weight stands in the diff of its top. The reader's backward overwrites that, and where the reader is
    under no loss, Caffe takes the loss for one that nothing needs the gradient of."""
    for observed in (False, True):
        made = net(LOSS_READ % weight + f'layer {{ name: "r" {reader} }}')
        made.observed = observed
        total, _ = made.forward_backward()
        assert total == loss
        found = made.params["s"][0].grad
        assert (torch.zeros(3) if found is None else found).tolist() == [gradient] * 3


def test_a_net_without_layers_is_called_so():
    net = Net(text.parse("", NetParameter, "empty.prototxt"))
    with pytest.raises(NetError, match=r"empty.prototxt: the net has no layers; look at its file"):
        net.layerwise.forward()
