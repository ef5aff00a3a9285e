"""The graph that layers write into: shapes with open sizes, constants, names."""

import numpy as np
import pytest

from caffe_compat.errors import NetError
from caffe_compat.export.graph import Graph


def graph_with(shape):
    return Graph(18, {"x"}, shapes={"x": shape})


@pytest.mark.parametrize(
    "shape, wanted, operator, sizes",
    [
        (("N", 3, 4), ("N", 3, 4), "Identity", None),
        (("N", 3, 4), ("N", 12), "Flatten", None),
        (("N", 3, 4), ("N", 4, 3), "Reshape", [0, 4, 3]),
        (("N", 3, 4), ("3*N", 4), "Reshape", [-1, 4]),
        (("N", 3, 4), (3, "N", 4), "Reshape", [3, -1, 4]),
        (("N", 3, 4), (-1, 12, 1), "Reshape", [-1, 12, 1]),
        ((5, 3, 4), (15, 4), "Reshape", [15, 4]),
    ],
)
def test_reshape_stays_right_for_any_batch(shape, wanted, operator, sizes):
    graph = graph_with(shape)
    graph.reshape("x", wanted)
    (node,) = graph.nodes
    assert node.op_type == operator
    if sizes is not None:
        assert graph.constants[node.inputs[1]].tolist() == sizes


def test_reshape_with_two_open_sizes_reads_them():
    graph = graph_with(("N", "T", 6))
    graph.reshape("x", ("T", 6, "2*N"))
    assert [node.op_type for node in graph.nodes] == ["Shape", "Gather", "Concat", "Reshape"]
    with pytest.raises(
        NetError, match=r"for a batch of any size: the top \('2\*N', '3\*T'\) .* --static-batch"
    ):
        graph.reshape("x", ("2*N", "3*T"))


def test_constants_that_are_equal_are_one():
    graph = Graph(18)
    assert graph.constant(0.5) == graph.constant(np.float32(0.5)) != graph.constant([0.5])
    assert graph.constant(1) != graph.constant(1.0)
    assert graph.constant([1.0, 2.0], name="a") != graph.constant([1.0, 2.0], name="a")
    kinds = {array.dtype.str for array in graph.constants.values()}
    assert kinds == {"<f4", "<i8"}


def test_axes_of_a_reduction_are_where_the_opset_has_them():
    for opset, operator, inputs in ((13, "ReduceSum", 2), (13, "ReduceMean", 1), (18, "ReduceMean", 2)):
        graph = Graph(opset)
        graph.reduce(operator, "x", [1, 2], keepdims=True)
        (node,) = graph.nodes
        assert len(node.inputs) == inputs and node.attributes.get("axes", [1, 2]) == [1, 2]


def test_names_are_given_once():
    graph = Graph(18, {"a"})
    assert [graph.unique("a"), graph.unique("a"), graph.unique("b")] == ["a_2", "a_3", "b"]
