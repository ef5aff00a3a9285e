"""A net as a torch.nn.Module in loops of PyTorch: optimizers, gradients, hooks, wrappers, compilers."""

import copy

import torch
from torch import nn

from caffe_compat.layers.base import TEST
from caffe_compat.net import weights
from caffe_compat.net.module import module
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.schedule import Rates
from caffe_compat.solver.update import UpdateRule
from tests.layers.harness import compiling
from tests.net.small_module import SMALL, net, same, state, trained


def test_a_step_of_torchs_sgd_is_caffes(batch):
    """Of every lr_mult and decay_mult, with the momentum as long as the rate stays."""
    scores = "inner_product_param { num_output: 5 weight"
    mixed = SMALL.replace(scores, f"param {{ lr_mult: 0.5 decay_mult: 3 }} param {{ lr_mult: 0 }} {scores}")
    caffes, torchs = net(mixed, dtype=torch.float64), module(net(mixed, dtype=torch.float64))
    module(caffes).load_state_dict(torchs.state_dict())
    solver = parse("momentum: 0.9 weight_decay: 0.01", SolverParameter)
    learned = caffes.learned
    rule = UpdateRule(
        solver, [b.tensor for b in learned], [b.lr_mult for b in learned], [b.decay_mult for b in learned]
    )
    groups = torchs.parameter_groups(0.1, 0.01)
    assert [(g["lr_mult"], g["decay_mult"], len(g["params"])) for g in groups] == [
        (1, 1, 3), (2, 0, 1), (0.5, 3, 1), (0, 1, 1)
    ]  # fmt: skip
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    for count in range(3):
        for part, function in ((caffes, caffes.graph), (torchs, torchs)):
            torch.manual_seed(3)
            if part is torchs:
                optimizer.zero_grad()
            else:
                caffes.clear_param_diffs()
            function(batch[0].double(), batch[1].double())[0].backward()
        optimizer.step()
        rule.apply(Rates(0.1, 0.9, 0.01), count)
    for name, value in module(caffes).state_dict().items():
        torch.testing.assert_close(torchs.state_dict()[name], value, rtol=1e-12, atol=1e-12)


def test_what_a_loop_trains_is_what_the_net_saves(batch, tmp_path):
    whole = net()
    made = module(whole)
    optimizer = torch.optim.SGD(made.parameter_groups(0.1))
    made(*batch)[0].backward()
    optimizer.step()
    weights.save(whole, str(tmp_path / "x.caffemodel"))
    other = net(phase=TEST)
    weights.copy_trained_layers_from(other, str(tmp_path / "x.caffemodel"))
    assert same(module(other).state_dict(), made.state_dict())
    apart = copy.deepcopy(made)
    apart(*batch)
    assert not same(apart.state_dict(), made.state_dict())
    module(whole).load_state_dict(apart.state_dict())
    assert same(apart.state_dict(), made.state_dict())


def test_gradients_reach_what_the_user_wants_and_stop_where_the_file_says(batch):
    frozen = module(
        net(
            SMALL.replace(
                "param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }",
                "param { lr_mult: 0 } param { lr_mult: 0 }",
            )
        )
    )
    data = batch[0].clone().requires_grad_()
    frozen(data, batch[1])[0].backward()
    assert data.grad.any() and frozen.get_parameter("conv.blobs.0").grad is None
    frozen.requires_grad_(True)(*batch)[0].backward()
    assert frozen.get_parameter("conv.blobs.0").grad.any()
    cut = module(
        net(SMALL.replace('bottom: "conv" top: "fc"', 'bottom: "conv" top: "fc" propagate_down: false'))
    )
    cut(*batch)[0].backward()
    assert cut.get_parameter("conv.blobs.0").grad is None and cut.get_parameter("fc.blobs.0").grad.any()


def test_hooks_see_every_layer_as_it_is(batch):
    made = trained(batch)
    wanted, seen = made(*batch), {}
    handles = [
        layer.register_forward_hook(
            lambda layer, bottoms, top: seen.setdefault(layer.name, top.detach().clone())
        )
        for layer in made.children()
    ]
    torch.testing.assert_close(made(*batch), wanted)
    assert list(seen) == ["conv", "bn", "scale", "relu", "drop", "fc", "loss", "acc"]
    torch.testing.assert_close(seen["relu"], seen["scale"].relu())
    assert (seen["conv"] < 0).any() and (seen["scale"] < 0).any()
    for handle in handles:
        handle.remove()
    gradients = []
    made.get_submodule("scale").register_full_backward_hook(
        lambda layer, bottoms, tops: gradients.append(tops)
    )
    made(*batch)[0].backward()
    assert len(gradients) == 1


def test_a_layer_may_be_replaced(batch):
    made = trained(batch)
    made.fc = nn.Sequential(nn.Flatten(), nn.Linear(4 * 7 * 6, 5))
    for count in (6, 2):
        made(*(value[:count] for value in batch))[0].backward()
    assert made.fc[1].weight.grad.any()
    made.train()(*batch)
    groups = made.parameter_groups(0.1)
    assert [(group["lr"], len(group["params"])) for group in groups] == [(0.1, 5), (0.2, 1)]


def test_averages_replicas_checkpoints_and_parallel_wrappers_take_it(batch):
    made = trained(batch)
    wanted = made(*batch)
    average = torch.optim.swa_utils.AveragedModel(made, use_buffers=True)
    average.update_parameters(made)
    torch.testing.assert_close(average.eval()(*batch), wanted)
    doubled = {name: 2 * value for name, value in made.named_parameters()}
    by_call = torch.func.functional_call(made, doubled, batch)
    assert not torch.equal(by_call[1]["loss"], wanted[1]["loss"])
    torch.testing.assert_close(_replica(made, doubled)(*batch), by_call)  # as DataParallel makes them
    torch.testing.assert_close(made(*batch), wanted)
    torch.utils.checkpoint.checkpoint(made.train(), *batch, use_reentrant=False)[0].backward()
    nn.utils.clip_grad_norm_(made.parameters(), 1.0)
    made.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        made(*batch)[0].backward()
    assert made.get_buffer("bn.blobs.0").dtype == torch.float32


def _replica(made, parameters):
    replicas = {part: part._replicate_for_data_parallel() for part in made.modules()}
    for prefix, part in made.named_modules():
        for name, child in part._modules.items():
            setattr(replicas[part], name, replicas[child])
        for name in part._parameters:
            setattr(replicas[part], name, parameters[f"{prefix}.{name}"])
    return replicas[made]


@compiling
def test_it_compiles_as_one_graph_for_any_batch(batch):
    torch.compiler.reset()
    made = trained(batch)
    compiled = torch.compile(made, backend="eager", fullgraph=True)
    for count in (6, 3, 5):
        some = [value[:count] for value in batch]
        torch.testing.assert_close(compiled(*some), made(*some))
    made.train()
    before = state(made)
    compiled(*batch)[0].backward()
    assert not same(before, made.state_dict())


def test_it_exports_with_an_open_batch(batch):
    made = trained(batch)
    size = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(made, batch, dynamic_shapes={"data": {0: size}, "label": {0: size}})
    some = [value[:3] for value in batch]
    torch.testing.assert_close(program.module()(*some), made(*some))


def test_a_layers_name_may_be_any(batch):
    made = trained(batch)
    for name in ("scale_fused", "parameter_groups", "training", "eval", "_run", "forward"):
        other = trained(batch, SMALL.replace('"fc"', f'"{name}"'))
        wanted = other(*batch)
        assert len(list(other.parameters())) == 6
        handle = other.get_submodule("conv").register_forward_hook(
            lambda *call: None
        )  # the graph that is not fused
        torch.testing.assert_close(other(*batch), wanted)
        handle.remove()
        torch.testing.assert_close(wanted[0], made(*batch)[0])
