"""Solvers: the seed of those whose file gives none."""

import pytest

import caffe_compat as caffe

NET = """layer { name: "x" type: "DummyData" top: "x" top: "label" dummy_data_param {
  shape { dim: 6 dim: 4 } shape { dim: 6 } data_filler { type: "gaussian" } data_filler { type: "constant" } } }
layer { name: "drop" type: "Dropout" bottom: "x" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "y" top: "z"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "z" bottom: "label" top: "loss" }"""


@pytest.fixture
def trained(tmp_path):
    """A function that gives the weights of a new solver after three steps."""
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" snapshot_prefix: "{tmp_path}/s"'
    )

    def weights():
        solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
        solver.step(3)
        return solver.net.params["ip"][0].data.tolist()

    return weights


def test_set_random_seed_makes_solvers_repeatable(trained):
    found = []
    for seed in (7, 7, 8):
        caffe.set_random_seed(seed)
        found.append(trained())
    assert found[0] == found[1] != found[2]


def test_without_a_seed_each_solver_begins_with_other_weights(trained):
    assert trained() != trained()
