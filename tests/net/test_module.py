"""A net as a torch.nn.Module: modes, copies, batches and inputs."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from caffe_compat.errors import LayerError, NetError
from caffe_compat.layers.base import TEST, TRAIN, Layer
from caffe_compat.net.module import Module, module
from caffe_compat.net.net import Net
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import parse
from tests.net.small_module import PARAMETERS, SMALL, STATISTICS, net, same, state, trained


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_modes_give_what_the_net_gives_in_either_phase(batch, phase):
    made = trained(batch, phase=phase)
    before = state(made)
    nets = {p: net(phase=p) for p in (TRAIN, TEST)}
    for each in nets.values():
        module(each).load_state_dict(before)
    inputs = batch[0], batch[1].float()
    torch.testing.assert_close(made(*batch), nets[TEST].graph(*inputs), rtol=0, atol=1e-6)
    assert same(before, made.state_dict()) and not made.training
    results = []
    for function in (made.train(), nets[TRAIN].graph):
        torch.manual_seed(4)
        results.append(function(*inputs))
    torch.testing.assert_close(*results, rtol=0, atol=1e-6)
    assert same(module(nets[TRAIN]).state_dict(), made.state_dict()) and not same(before, made.state_dict())


def test_a_module_begins_in_the_phase_of_its_net():
    assert module(net()).training
    assert not any(part.training for part in module(net(phase=TEST)).modules())


def test_statistics_are_buffers_and_names_are_the_layers(batch):
    made = module(net())
    assert [name for name, _ in made.named_parameters()] == PARAMETERS
    assert [n for n, _ in made.named_buffers() if n.startswith("bn.")] == STATISTICS
    assert sorted(made.state_dict()) == sorted(PARAMETERS + STATISTICS)
    assert not any(isinstance(buffer, nn.Parameter) for buffer in made.buffers())
    other = module(net(phase=TEST))
    other.load_state_dict(trained(batch).state_dict(), strict=True)


def test_one_layer_may_be_in_another_mode_and_modes_come_from_a_parent(batch):
    made = trained(batch).train()
    before = state(made)
    made.get_submodule("bn").eval()
    made(*batch)
    assert same(before, made.state_dict())
    parent = nn.ModuleDict({"backbone": made, "head": nn.Linear(1, 1)}).train()
    made(*batch)
    assert not same(before, made.state_dict())
    before = state(made)
    parent.eval()
    assert torch.equal(made(*batch)[0], made(*batch)[0]) and same(before, made.state_dict())


def test_what_the_file_says_of_a_layers_phase_holds_in_both_modes(batch):
    stored = trained(
        batch, SMALL.replace('"BatchNorm"', '"BatchNorm" batch_norm_param { use_global_stats: true }')
    )
    assert not state(stored.train())["bn.blobs.2"].any()
    own = trained(
        batch, SMALL.replace('"BatchNorm"', '"BatchNorm" batch_norm_param { use_global_stats: false }')
    )
    own(*batch)
    assert own.get_buffer("bn.blobs.2") > 2
    always = trained(batch, SMALL.replace('"Dropout"', '"Dropout" phase: TRAIN'))
    assert not torch.equal(always(*batch)[0], always(*batch)[0])


def test_phases_of_other_layers_are_refused_and_the_mode_stays(batch):
    made = module(net(SMALL.replace('"Accuracy"', '"Accuracy" include { phase: TEST }')))
    with pytest.raises(
        NetError, match=r"net.prototxt: .* in TEST \(TEST alone has 'acc' \(Accuracy\)\); .*caffe.TEST"
    ):
        made.eval()
    assert all(part.training for part in made.modules())
    made.train()(*batch)
    made.get_submodule("bn").eval()  # a single layer's mode is no other net
    ratio = 'name: "drop" type: "Dropout"'
    twice = SMALL.replace(ratio, f"{ratio} include {{ phase: TRAIN }} include {{ phase: TEST }}")
    module(net(twice)).eval()


def copies(made):
    """The module by deepcopy, by pickle and by torch.save."""
    file = io.BytesIO()
    torch.save(made, file)
    file.seek(0)
    return copy.deepcopy(made), pickle.loads(pickle.dumps(made)), torch.load(file, weights_only=False)


def test_copies_are_the_same_and_apart(batch):
    made = trained(batch)
    wanted, before = made(*batch), state(made)
    for other in copies(made):
        torch.testing.assert_close(other(*batch), wanted, rtol=0, atol=0)
        other.train()(*batch)
        with torch.no_grad():
            other.get_parameter("fc.blobs.0").zero_()
        assert same(before, made.state_dict()) and not same(before, other.state_dict())


def test_shared_blobs_are_one_parameter_in_copies_too():
    one = 'bottom: "%s" top: "%s" param { name: "w" } param { name: "b" } inner_product_param { num_output: 3 } }\n'
    tied = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
    tied += "".join(
        f'layer {{ name: "{n}" type: "InnerProduct" {one % ends}'
        for n, ends in (("a", ("x", "a")), ("b", ("a", "b")))
    )
    made = module(net(tied))
    for other in (made, *copies(made), copy.deepcopy(made).double()):
        assert [name for name, _ in other.named_parameters()] == ["a.blobs.0", "a.blobs.1"]
        assert other.a.blobs[0] is other.b.blobs[0]
        assert len(other.state_dict()) == 4


def loss_of(made, batch, queue):
    queue.put(made.eval()(*batch)[0].item())


@pytest.mark.slow
def test_a_spawned_process_runs_it(batch):
    """Through shared memory, as DataLoader's workers get what their data set holds."""
    context = torch.multiprocessing.get_context("spawn")
    made, queue = trained(batch), context.SimpleQueue()
    process = context.Process(target=loss_of, args=(made, batch, queue))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert queue.get() == pytest.approx(made(*batch)[0].item())


def test_any_batch_size_and_what_comes_after_a_refused_one(batch):
    made = trained(batch)
    scores = nn.Module.get_submodule(made, "fc")
    seen = []
    wanted = made(*batch)
    scores.register_forward_hook(lambda layer, bottoms, top: seen.append(top))
    for count in (6, 1, 4):
        made(*(value[:count] for value in batch))
    torch.testing.assert_close(seen[1], seen[0][:1])
    torch.testing.assert_close(seen[2], seen[0][:4])
    with pytest.raises(
        LayerError, match=r"layer 'fc' \(InnerProduct\): bottom shape \(6, 4, 6, 6\) gives K = 144"
    ):
        made(torch.rand(6, 1, 8, 8), batch[1])
    with pytest.raises(LayerError, match=r"layer 'conv' \(Convolution\): .* has 3 channels, .* made for 1"):
        made(torch.rand(6, 3, 9, 8), batch[1])
    with pytest.raises(LayerError, match=r"layer 'loss' .*\(6, 5\) and bottom 1 of shape \(3,\)"):
        made(batch[0], batch[1][:3])
    with pytest.raises(LayerError, match="label 7 is outside 0 to 4"):
        made(batch[0], batch[1] * 0 + 7)
    torch.testing.assert_close(made(*batch), wanted)
    made.train()(batch[0][:1], batch[1][:1])[0].backward()


def test_inputs_by_name_and_of_any_number_type(batch):
    pictures, label = (batch[0] * 255).to(torch.uint8), batch[1]
    made = trained(batch)
    wanted = made(pictures.float(), label.float())
    for data, labels in (
        (pictures, label),
        (pictures.double(), label.int()),
        (pictures.half(), label.to(torch.uint8)),
    ):
        torch.testing.assert_close(made(label=labels, data=data), wanted)
    made.bfloat16()
    torch.testing.assert_close(made(pictures, label)[0].float(), wanted[0], rtol=0.05, atol=0.05)


def test_labels_stay_exact_in_half_precision():
    many = SMALL.replace("num_output: 5", "num_output: 300")
    made = module(net(many, TEST)).bfloat16()
    with torch.no_grad():
        made.get_parameter("fc.blobs.1").copy_(torch.arange(300) % 2)
    losses = [made(torch.zeros(6, 1, 9, 8), torch.full((6,), label))[0] for label in (256, 257)]
    assert losses[0] - losses[1] > 0.9  # 257 would be 256 in bfloat16


def test_constants_of_dummy_data_may_be_left_out(batch):
    """As the zeros that the paper's nets put beside their channels: they have as many records as the pictures."""
    zeros = """layer { name: "zeros" type: "DummyData" top: "zeros"
      dummy_data_param { shape { dim: 6 dim: 2 dim: 7 dim: 6 } data_filler { value: 0.5 } } }
    layer { name: "both" type: "Concat" bottom: "conv" bottom: "zeros" top: "both" }
    layer { name: "fc\""""
    made = trained(
        batch,
        SMALL.replace('layer { name: "fc"', zeros).replace(
            'bottom: "conv" top: "fc"', 'bottom: "both" top: "fc"'
        ),
    )
    for other in (made, copy.deepcopy(made)):
        for count in (6, 2):
            some = [value[:count] for value in batch]
            torch.testing.assert_close(other(*some), other(*some, zeros=torch.full((count, 2, 7, 6), 0.5)))
    made.double()
    assert made(*batch)[0].dtype == torch.float64


def test_inputs_that_cannot_be_are_named(batch):
    made = module(net())
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'label'"):
        made(batch[0])
    with pytest.raises(TypeError, match="unexpected keyword argument 'lable'"):
        made(batch[0], lable=batch[1])
    with pytest.raises(TypeError, match="input 'data' is of type ndarray; give a torch.Tensor"):
        made(batch[0].numpy(), batch[1])
    with pytest.raises(NetError, match="input 'data' is on meta and the net on cpu; move one of them"):
        made(batch[0].to("meta"), batch[1])


def test_the_net_follows_where_its_module_goes(batch):
    whole = net()
    made = module(whole)
    made.train()(*batch)
    made.double()
    assert all(blob.dtype == torch.float64 for layer in whole.layers for blob in layer.blobs)
    assert torch.equal(whole.layer("bn").blobs[0], made.get_buffer("bn.blobs.0"))
    other = trained(batch).double()
    made.load_state_dict(other.state_dict(), assign=True)
    for name in ("conv", "bn"):
        assert torch.equal(whole.layer(name).blobs[0], other.get_submodule(name).blobs[0])
    assert made(batch[0].double(), batch[1])[0].dtype == torch.float64


def test_what_a_phase_makes_of_a_layer_is_the_layers_own_affair(batch):
    """Everything that a layer of another phase has comes with the mode, whatever attribute it is."""

    class Odd(Layer):
        num_bottom = num_top = 1

        def setup(self, bottom):
            self.add_blob((1,))
            self.register_buffer("seen", torch.zeros(1), persistent=False)
            if self.phase == TEST and self.param.top[0] == "only_in_train":
                self.fail("is for TRAIN")
            if self.phase == TEST:
                self.factor = 3.0
                self.register_buffer("shift", torch.ones(1), persistent=False)

        def reshape(self, bottom):
            self.rows = bottom[0]
            return [bottom]

        def forward(self, bottom):
            factor, shift = getattr(self, "factor", 2.0), getattr(self, "shift", 0)
            return bottom * factor + self.blobs[0] + shift + self.rows

    def create(param, phase, context, log):
        from caffe_compat.layers.registry import create_layer

        return Odd(param, phase, context) if param.type == "Odd" else create_layer(param, phase, context, log)

    param = parse(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "odd" type: "Odd" bottom: "x" top: "y" }',
        NetParameter,
    )
    param.state.phase = TRAIN
    core = Net(param, create=create)
    core.layer("odd").seen.fill_(7)  # what it carries on goes along
    made = module(core)
    assert made.get_buffer("odd.seen") == 7
    x = torch.ones(2, 3)
    assert made(x)[1]["y"].unique() == 4 and made.eval()(x)[1]["y"].unique() == 6
    assert made(x[:1])[1]["y"].unique() == 5 and made.train()(x[:1])[1]["y"].unique() == 3
    made.eval().double()
    assert made.train()(x)[1]["y"].dtype == torch.float64 and made.eval()(x)[1]["y"].unique() == 6
    made.train().float()
    assert made.eval().get_buffer("odd.shift").dtype == torch.float32 and isinstance(made, Module)
    param.layer.add().CopyFrom(param.layer[1])
    param.layer[2].name, param.layer[2].top[0] = "last", "only_in_train"
    made = module(Net(param, create=create))
    with pytest.raises(LayerError, match=r"layer 'last' \(Odd\): is for TRAIN"):
        made.eval()
    assert all(part.training for part in made.modules()) and made(x)[1]["y"].unique() == 4
