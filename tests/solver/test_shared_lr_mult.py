"""A blob that two layers share, one of them with lr_mult 0: only the other one's gradient counts, as in Caffe.

The blob stays as it is; its gradient shows in adaptive histories (and in the norm that clip_gradients compares).
"""

import pytest

from caffe_compat.proto import SolverParameter, SolverState
from caffe_compat.proto.text import parse
from caffe_compat.solver.solver import Solver

SOLVER = """type: "AdaGrad" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "s"
net_param {
layer { name: "data" type: "DummyData" top: "x" top: "y" dummy_data_param { shape { dim: 2 dim: 3 }
  data_filler { value: 0.5 } data_filler { value: 1 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" FIRST }
  inner_product_param { num_output: 3 weight_filler { value: 0.25 } bias_filler { value: 0.125 } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" SECOND }
  inner_product_param { num_output: 3 weight_filler { value: 0.25 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "b" bottom: "y" top: "loss" }
}"""


@pytest.mark.parametrize(
    ("first", "second", "histories"),
    [
        ("lr_mult: 0", "", [0.09765625, 0.2197265625, 0.390625]),
        ("", "lr_mult: 0", [0.054931640625, 0.2197265625, 0.390625]),
    ],
)
def test_histories_of_a_real_caffe(tmp_path, first, second, histories):
    """Item 0 of each history: of the shared weights, then of the layers' biases."""
    text = SOLVER.replace("FIRST", first).replace("SECOND", second)
    solver = Solver(parse(text, SolverParameter), root=str(tmp_path))
    solver.solve()
    state = SolverState.FromString((tmp_path / "s_iter_1.solverstate").read_bytes())
    assert [blob.data[0] for blob in state.history] == pytest.approx(histories, rel=1e-5)
    assert (solver.net.params["a"][0] == 0.25).all()
