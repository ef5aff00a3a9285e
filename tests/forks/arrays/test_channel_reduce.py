"""ChannelReduce."""

from tests.layers.harness import Case, Error, cases, errors

SHAPE = (2, 6, 3, 4)


def runs(count):
    return lambda x: x.reshape(2, count, 6 // count, 3, 4)


CASES = [
    Case(
        "max",
        'type: "ChannelReduce" channel_reduce_param { num_channels: 2 }',
        [SHAPE],
        lambda x: runs(2)(x).max(2),
    ),
    Case("max-of-all", 'type: "ChannelReduce"', [SHAPE], lambda x: x.max(1, keepdims=True)),
    Case(
        "sum",
        'type: "ChannelReduce" channel_reduce_param { num_channels: 3 operation: SUM }',
        [SHAPE],
        lambda x: runs(3)(x).sum(2),
    ),
]

ERRORS = [
    Error(
        'type: "ChannelReduce" channel_reduce_param { num_channels: 4 }',
        [SHAPE],
        "num_channels 4 must divide the 6",
    ),
    Error('type: "ChannelReduce"', [(2, 6)], r"\(2, 6\) has 2 axes, 4 are needed"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
