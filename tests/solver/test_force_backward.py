"""force_backward gives blobs of lr_mult 0 a gradient, and the histories of some solver types take it in.

The numbers are a real Caffe's: item 0 of each blob's histories after two iterations, and of the diffs in the caffemodel.
"""

import pytest

from caffe_compat.proto import NetParameter, SolverParameter, SolverState
from caffe_compat.proto.text import parse
from caffe_compat.solver.solver import Solver

NET = """net_param {
force_backward: true
layer { name: "data" type: "DummyData" top: "x" top: "y" dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 4 }
  data_filler { value: 0.5 } data_filler { value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param { lr_mult: 0 } param { lr_mult: 1 }
  inner_product_param { num_output: 4 weight_filler { value: 0.25 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
}"""


@pytest.mark.parametrize(
    "solver, histories, bias_diff",
    [
        ('type: "SGD" momentum: 0.9', [0, -0.112499997], -0.112499997),
        ('type: "Nesterov" momentum: 0.9', [0, -0.106875002], -0.146812499),
        ('type: "AdaGrad"', [0.166562498, 0.66624999], -0.0643192083),
        ('type: "RMSProp"', [0.00131835882, 0.00527343526], 0.516398311),
        (
            'type: "AdaDelta" momentum: 0.9',
            [0.018553704, 0.0742148161, 1.95257925e-08, 1.95258085e-08],
            -3.24435023e-05,
        ),
        (
            'type: "Adam" momentum: 0.9',
            [-0.0543750152, -0.10875003, 0.00016646272, 0.000665850879],
            -0.0991723686,
        ),
    ],
)
def test_histories_and_diffs(tmp_path, solver, histories, bias_diff):
    text = f"{solver} base_lr: 0.1 lr_policy: 'fixed' max_iter: 2 snapshot_prefix: 'snap' snapshot_diff: true {NET}"
    Solver(parse(text, SolverParameter), root=str(tmp_path)).solve()
    state = SolverState.FromString((tmp_path / "snap_iter_2.solverstate").read_bytes())
    assert [blob.data[0] for blob in state.history] == pytest.approx(histories, rel=2e-4)
    net = NetParameter.FromString((tmp_path / "snap_iter_2.caffemodel").read_bytes())
    (weight, bias) = next(layer.blobs for layer in net.layer if layer.name == "ip")
    assert (weight.data[0], weight.diff[0]) == (0.25, 0)
    assert bias.diff[0] == pytest.approx(bias_diff, rel=2e-4)
