"""The files of prototxt/: written by their generator, read by our reader, of the right size and names."""

from pathlib import Path

import pytest

from caffe_compat.proto import TEST, TRAIN, text
from tools import make_prototxt

PROTOTXT = Path(make_prototxt.OUT)
RESNETS = {"resnet20": 20, "resnet38": 38, "resnet56": 56, "resnet74": 74, "resnet92": 92, "resnet110": 110}


def read_net(name):
    return text.read_net(str(PROTOTXT / f"{name}.prototxt"))


def of_phase(net, phase):
    """The layers of one phase: these files use no rule but `include { phase }`."""
    return [layer for layer in net.layer if not layer.include or layer.include[0].phase == phase]


def learned_parameters(net, phase=TRAIN):
    """How many numbers the solver learns: counted by following the channels from layer to layer."""
    channels, count = {"data_top": 3, "data": 1}, 0
    for layer in of_phase(net, phase):
        bottoms = [channels.get(bottom) for bottom in layer.bottom]
        out = bottoms[0] if bottoms else None
        if layer.type == "Convolution":
            p = layer.convolution_param
            out, area = p.num_output, p.kernel_size[0] ** 2
            count += out * bottoms[0] // p.group * area + (out if p.bias_term else 0)
        elif layer.type == "InnerProduct":
            out = layer.inner_product_param.num_output
            count += out * bottoms[0] + out
        elif layer.type == "Scale":
            count += 2 * out
        elif layer.type == "Concat":
            out = sum(bottoms)
        elif layer.type == "DummyData":
            out = layer.dummy_data_param.shape[0].dim[1]
        if layer.type != "Data":
            channels.update(dict.fromkeys(layer.top, out))
    return count


def test_the_files_are_what_the_generator_writes(tmp_path):
    assert make_prototxt.main(["--out", str(tmp_path)]) == 0
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    present = {path.name: path.read_text() for path in PROTOTXT.glob("*.prototxt")}
    assert made.keys() == present.keys(), "run python tools/make_prototxt.py"
    different = [name for name in made if made[name] != present[name]]
    assert not different, "run python tools/make_prototxt.py"


@pytest.mark.parametrize("name", make_prototxt.NETS)
def test_a_net_is_read_whole(name):
    net, description = read_net(name), make_prototxt.NETS[name][1]()
    assert net.name == description["name"]
    assert [layer.name for layer in net.layer] == [layer["name"] for layer in description["layer"]]
    assert net.layer[0].origin.startswith(str(PROTOTXT / name))


@pytest.mark.parametrize("name", make_prototxt.SOLVERS)
def test_a_solver_is_read_and_its_net_exists(name):
    solver = text.read_solver(str(PROTOTXT / f"{name}.prototxt"))
    assert (PROTOTXT.parent / solver.net).is_file()
    assert solver.max_iter > 0 and solver.snapshot_prefix
    assert solver.lr_policy == make_prototxt.SOLVERS[name][1]["lr_policy"]


@pytest.mark.parametrize(("name", "depth"), RESNETS.items())
def test_a_resnet_has_its_depth(name, depth):
    layers = of_phase(read_net(name), TRAIN)
    assert sum(layer.type in ("Convolution", "InnerProduct") for layer in layers) == depth
    assert sum(layer.type == "Eltwise" for layer in layers) == (depth - 2) // 2


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("resnet20", 224_042),
        ("resnet56", 808_682),  # the figure of the paper's net
        ("resnet56_pc", 808_682),
        ("resnet56_dropout", 808_682),
        ("resnet110", 1_685_642),
        ("densenet40", 1_019_722),  # as of the authors' own DenseNet (L = 40, k = 12)
        ("wide_resnet32_4", 7_399_130),
    ],
)
def test_learned_parameters(name, count):
    assert learned_parameters(read_net(name), TRAIN) == count
    assert learned_parameters(read_net(name), TEST) == count


def test_resnet56_pc_differs_in_the_fraction_alone():
    slow, fast = read_net("resnet56_pc"), read_net("resnet56")
    for layer in slow.layer:
        if layer.type == "BatchNorm":
            assert layer.batch_norm_param.moving_average_fraction == pytest.approx(0.999)
            layer.batch_norm_param.moving_average_fraction = 0.95
    assert text.messages_equal(slow, fast)


def test_the_wide_and_the_dense_net_have_their_depths():
    for name, depth, shortcuts in (("wide_resnet32_4", 32, 3), ("densenet40", 40, 0)):
        layers = of_phase(read_net(name), TRAIN)
        assert sum(layer.type in ("Convolution", "InnerProduct") for layer in layers) == depth + shortcuts
        assert not any(p.convolution_param.bias_term for p in layers if p.type == "Convolution")
        assert all(len(layer.param) == 1 for layer in layers if layer.type == "Convolution")


@pytest.mark.parametrize(
    "name", [*RESNETS, "resnet56_pc", "resnet56_dropout", "wide_resnet32_4", "densenet40"]
)
def test_batch_norm_uses_stored_statistics_in_test_alone(name):
    net = read_net(name)
    for phase, stored in ((TRAIN, False), (TEST, True)):
        norms = [layer.batch_norm_param for layer in of_phase(net, phase) if layer.type == "BatchNorm"]
        assert norms and all(norm.use_global_stats == stored for norm in norms)


@pytest.mark.parametrize("name", ["bottleneck_resnet56", "resnext56"])
def test_batch_norm_of_the_preactivation_nets_never_uses_stored_statistics(name):
    norms = [layer for layer in read_net(name).layer if layer.type == "BatchNorm"]
    assert len(norms) == 3 * 18 + 1  # one a unit, one in front of the last pooling
    for layer in norms:
        assert not layer.include
        assert layer.batch_norm_param.HasField("use_global_stats")
        assert not layer.batch_norm_param.use_global_stats


def test_resnext_has_32_groups():
    convolutions = [
        layer.convolution_param for layer in read_net("resnext56").layer if layer.type == "Convolution"
    ]
    grouped = [p for p in convolutions if p.group > 1]
    assert len(grouped) == 18
    assert {(p.group, p.kernel_size[0]) for p in grouped} == {(32, 3)}
    assert sorted({p.num_output for p in grouped}) == [32, 64, 128]


@pytest.mark.parametrize("name", make_prototxt.NETS)
def test_zeros_have_the_batch_of_the_data(name):
    net = read_net(name)
    batches = {layer.data_param.batch_size for layer in of_phase(net, TRAIN) if layer.type == "Data"}
    zeros = {layer.dummy_data_param.shape[0].dim[0] for layer in net.layer if layer.type == "DummyData"}
    assert zeros <= batches


def test_dropout_stands_between_scale_and_relu_or_sum():
    layers = of_phase(read_net("resnet56_dropout"), TRAIN)
    places = [i for i, layer in enumerate(layers) if layer.type == "Dropout"]
    assert len(places) == 2 * 27
    for i in places:
        assert layers[i - 1].type == "Scale"
        assert layers[i + 1].type in ("ReLU", "Eltwise", "Pooling")
        assert list(layers[i].bottom) == list(layers[i].top) == list(layers[i - 1].top)
        assert layers[i].dropout_param.dropout_ratio == pytest.approx(0.2)


def test_lenet_has_the_shapes_of_caffes_example():
    layers = {layer.name: layer for layer in of_phase(read_net("lenet"), TRAIN)}
    assert list(layers) == ["mnist", "conv1", "pool1", "conv2", "pool2", "ip1", "relu1", "ip2", "loss"]
    assert [layers[n].convolution_param.num_output for n in ("conv1", "conv2")] == [20, 50]
    assert [layers[n].inner_product_param.num_output for n in ("ip1", "ip2")] == [500, 10]
    assert layers["mnist"].transform_param.scale == pytest.approx(1 / 256)
