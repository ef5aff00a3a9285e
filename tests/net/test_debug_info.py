"""debug_info: the lines of a real Caffe for a net whose blobs are not all learned."""

import io

from caffe_compat.log.write import Log
from caffe_compat.proto import SolverParameter
from caffe_compat.proto.text import parse
from caffe_compat.solver.solver import Solver

SOLVER = """base_lr: 0.1 lr_policy: "fixed" max_iter: 1 display: 1 debug_info: true snapshot_after_train: false
net_param {
layer { name: "data" type: "DummyData" top: "x" top: "y" dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 4 }
  data_filler { value: 0.5 } data_filler { value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param { lr_mult: 0 } param { name: "b" lr_mult: 1 }
  inner_product_param { num_output: 4 weight_filler { value: 0.25 } } }
layer { name: "bn" type: "BatchNorm" bottom: "ip" top: "bn" }
layer { name: "still" type: "BatchNorm" bottom: "bn" top: "bn" param { lr_mult: 0 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "bn" bottom: "y" top: "loss" }
}"""
FORWARD = [
    "net.cpp:593]     [Forward] Layer data, top blob x data: 0.5",
    "net.cpp:593]     [Forward] Layer data, top blob y data: 1",
    "net.cpp:593]     [Forward] Layer ip, top blob ip data: 0.375",
    "net.cpp:605]     [Forward] Layer ip, param blob 0 data: 0.25",
    "net.cpp:605]     [Forward] Layer ip, param blob b data: 0",
    "net.cpp:593]     [Forward] Layer bn, top blob bn data: 0",
    "net.cpp:605]     [Forward] Layer bn, param blob 0 data: 0.375",
    "net.cpp:605]     [Forward] Layer bn, param blob 1 data: 0",
    "net.cpp:605]     [Forward] Layer bn, param blob 2 data: 1",
    "net.cpp:593]     [Forward] Layer still, top blob bn data: 0",
    "net.cpp:605]     [Forward] Layer still, param blob 0 data: 0",
    "net.cpp:605]     [Forward] Layer still, param blob 1 data: 0",
    "net.cpp:605]     [Forward] Layer still, param blob 2 data: 1",
    "net.cpp:593]     [Forward] Layer loss, top blob loss data: 2",
]
BACKWARD = [
    "net.cpp:621]     [Backward] Layer loss, bottom blob bn diff: 0.5",
    "net.cpp:621]     [Backward] Layer still, bottom blob bn diff: 0",
    "net.cpp:632]     [Backward] Layer still, param blob 1 diff: 0",
    "net.cpp:632]     [Backward] Layer still, param blob 2 diff: 0",
    "net.cpp:621]     [Backward] Layer bn, bottom blob ip diff: 0",
    "net.cpp:632]     [Backward] Layer bn, param blob 0 diff: 0",
    "net.cpp:632]     [Backward] Layer bn, param blob 1 diff: 0",
    "net.cpp:632]     [Backward] Layer bn, param blob 2 diff: 0",
    "net.cpp:632]     [Backward] Layer ip, param blob 1 diff: 0",
    "net.cpp:721]     [Backward] All net params (data, diff): L1 norm = (6.5, 0); L2 norm = (1.82003, 0)",
]


def test_the_lines_of_caffe():
    """BatchNorm's statistics have diffs, which stay 0; only a lr_mult of 0 in the file says that a blob has none."""
    stream = io.StringIO()
    Solver(parse(SOLVER, SolverParameter), log=Log(stream, progress=False)).solve()
    lines = [line.split(None, 3)[3] for line in stream.getvalue().splitlines() if "ward]" in line]
    assert lines[: len(FORWARD + BACKWARD)] == FORWARD + BACKWARD
    assert len(lines) == len(FORWARD + BACKWARD + FORWARD)  # a last forward pass shows the loss
