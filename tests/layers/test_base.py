"""Layer.drawn: random numbers are a replica's, wherever it runs. Layer.add_blob: how large a blob may be."""

import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN, Context
from caffe_compat.layers.registry import create_layer
from tests.layers.harness import layer_param, make

REPLICAS, PROCESSES = 4, 2

# every layer type that draws for records, and bottom shapes of one replica
LAYERS = [
    ('type: "Dropout" dropout_param { dropout_ratio: 0.3 }', [(3, 5, 2)]),
    ('type: "Dropout" dropout_param { dropout_ratio: 0.3 scale_train: false }', [(3, 5, 2, 4)]),
    ('type: "Insanity"', [(3, 5, 2)]),
    ('type: "RReLU" rrelu_param { lb: 3 ub: 8 }', [(3, 5)]),
    ('type: "GuidedDropout" guided_dropout_param { type: "stochastic" }', [(3, 5, 2), (3, 5)]),
    ('type: "SeLUDropout" selu_dropout_param { dropout_ratio: 0.4 }', [(3, 5, 2)]),
    ('type: "ScaleFilter" scale_filter_param { min_scale: 0.5 max_scale: 2 }', [(3, 5, 2, 4)]),
    ('type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 2 }', [(3, 5, 6, 4)]),
]


def layer(text, shapes, rank=None, ranks=None):
    context = Context(torch.Generator().manual_seed(1), replicas=REPLICAS, rank=rank, ranks=ranks)
    made = create_layer(layer_param(text, len(shapes)), TRAIN, context)
    made.setup(*shapes)
    made.reshape(*shapes)
    return made


CASES = [
    (text, shapes, innermost)
    for text, shapes in LAYERS
    for innermost in (False, True)
    if not innermost or len(shapes[0]) == 4
]


@pytest.mark.parametrize(
    ("text", "shapes", "innermost"), CASES, ids=[f"{text[:30]}-{innermost}" for text, _, innermost in CASES]
)
def test_processes_draw_what_one_would(text, shapes, innermost):
    """Record i of the whole batch is record i // 2 of process i % 2, in two passes."""
    sign = -1 if "RReLU" in text or "Insanity" in text else 1  # the one that random numbers are for
    bottoms = [sign * (torch.rand(REPLICAS * size[0], *size[1:]) + 0.5) for size in shapes]
    places = [(None, None), *((rank, PROCESSES) for rank in range(PROCESSES))]
    found = []
    for rank, ranks in places:
        one = layer(text, shapes, rank, ranks)
        rows = bottoms if rank is None else [bottom[rank::ranks] for bottom in bottoms]
        if innermost:
            rows = [bottom.contiguous(memory_format=torch.channels_last) for bottom in rows]
        torch.manual_seed(3)
        found.append([one(*rows) for _ in range(2)])
    whole, *parts = found
    for turn in range(2):
        for rank, part in enumerate(parts):
            torch.testing.assert_close(part[turn], whole[turn][rank::PROCESSES])
    assert not torch.equal(whole[0], whole[1])
    assert len({tuple(record.flatten().tolist()) for record in whole[0]}) == len(whole[0])


def test_layers_that_see_one_replica_at_a_time():
    """What is no matter of single records is drawn for the replicas one after the other."""
    one, *parts = (
        layer('type: "Softmax"', [(3, 5)], rank, ranks)
        for rank, ranks in ((None, None), *((rank, PROCESSES) for rank in range(PROCESSES)))
    )
    like, found = torch.zeros(3, 5), []
    for each in (one, *parts):
        each.per_record = lambda: False
        torch.manual_seed(3)
        found.append([each.drawn(like, torch.rand_like) for _ in each.context.held])
    whole, first, second = found
    assert len(whole) == 4
    assert all(map(torch.equal, first, whole[0::2]))
    assert all(map(torch.equal, second, whole[1::2]))


def test_replicas_that_run_in_turn_draw_for_themselves():
    alone = layer('type: "Dropout"', [(3, 5)], rank=1, ranks=PROCESSES)
    alone.context.grouped = False
    torch.manual_seed(3)
    found = alone.drawn(torch.zeros(6, 5), torch.rand_like)
    torch.manual_seed(3)
    assert torch.equal(found, torch.rand(6, 5))


def test_blobs_that_are_too_large():
    text = 'type: "InnerProduct" inner_product_param { num_output: 70000 }'
    message = (
        r"layer 'l' \(InnerProduct\): blob 0 of shape \(70000, 65536\) has 4587520000 values, and a blob has at most "
        "2147483647; correct the sizes"
    )
    with pytest.raises(LayerError, match=message):
        make(text, (2, 65536))
