"""ShuffleChannel."""

from tests.layers.harness import Case, Error, cases, errors


def shuffle(group):
    def formula(x):
        rest = x.shape[1] // group
        return x[:, [i * rest + j for j in range(rest) for i in range(group)]]

    return formula


def shuffle_param(group):
    return f'type: "ShuffleChannel" shuffle_channel_param {{ group: {group} }}'


CASES = [
    Case("shuffle", shuffle_param(2), [(5, 6, 3, 4)], shuffle(2)),
    Case("shuffle-three", shuffle_param(3), [(5, 6, 4)], shuffle(3)),
    Case("shuffle-default", 'type: "ShuffleChannel"', [(2, 5)], lambda x: x),
]

ERRORS = [
    Error(shuffle_param(0), [(2, 3)], "group is 0, it must be above 0"),
    Error(shuffle_param(2), [(2, 3, 4)], r"group 2 must divide .* \(2, 3, 4\)"),
    Error(shuffle_param(1), [(4,)], "axis 1 of bottom shape"),
]

test_case = cases(CASES)
test_error = errors(ERRORS)
