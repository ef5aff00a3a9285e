"""Seconds between the stamps of a log, over midnight and the end of a year."""

import pytest

from caffe_compat.log.clock import Clock


@pytest.mark.parametrize(
    ("before", "after", "seconds"),
    [
        ("I0817 23:59:59", "I0818 00:00:01", 2),
        ("I1231 23:59:59", "I0101 00:00:00", 1),
        ("I20161231 23:59:59", "I20170101 00:00:00", 1),
        ("I0228 12:00:00", "I0301 12:00:00", 86400),
        ("I0229 12:00:00", "I0301 12:00:00", 86400),
        ("I20160228 12:00:00", "I20160301 12:00:00", 2 * 86400),
    ],
)
def test_days_and_years(before, after, seconds):
    clock = Clock()
    first, second = (clock.microseconds(f"{stamp}.154722 17550 net.cpp:1] ") for stamp in (before, after))
    assert second - first == seconds * 1_000_000
