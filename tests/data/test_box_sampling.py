"""Which parts of a picture are cut out, and what becomes of its boxes."""

import numpy as np
import pytest

from caffe_compat.data import box_sampling
from caffe_compat.proto import (
    BatchSampler,
    EmitConstraint,
    SampleConstraint,
)
from caffe_compat.proto.text import parse


@pytest.mark.parametrize(
    "constraint, wanted",
    [
        ("", True),
        ("min_jaccard_overlap: 0.25", True),
        ("min_jaccard_overlap: 0.26", False),
        ("max_jaccard_overlap: 0.2", True),  # the second box has none
        ("min_sample_coverage: 0.25", True),
        ("min_sample_coverage: 0.3", False),
        ("min_object_coverage: 1", True),
        ("min_object_coverage: 0.5 max_jaccard_overlap: 0.2", False),
    ],
)
def test_constraints(constraint, wanted):
    sample = np.array([0, 0, 0.5, 0.5], np.float32)
    boxes = np.array([[0.25, 0.25, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]], np.float32)
    assert box_sampling.allowed(sample, boxes, parse(constraint, SampleConstraint)) is wanted
    assert box_sampling.allowed(sample, boxes[:0], parse(constraint, SampleConstraint)) is (constraint == "")


def test_samples_keep_to_their_scales():
    text = (
        "max_trials: 40 sampler { min_scale: 0.3 max_scale: 0.9 min_aspect_ratio: 0.5 max_aspect_ratio: 2 }"
    )
    found = np.array(
        box_sampling.sampled(parse(text, BatchSampler), np.zeros((0, 4)), np.random.default_rng(1))
    )
    size = found[:, 2:] - found[:, :2]
    assert len(found) == 40 and (found > -1e-6).all() and (found < 1 + 1e-6).all()
    scale, ratio = np.sqrt(size.prod(1)), size[:, 0] / size[:, 1]
    assert scale.min() > 0.299 and scale.max() < 0.901 and ratio.min() > 0.499 and ratio.max() < 2.001
    assert not box_sampling.sampled(
        parse("use_original_image: false", BatchSampler), found, np.random.default_rng(1)
    )


def test_emit_constraint_by_overlap():

    boxes = np.zeros((2, 7), np.float32)
    boxes[:, 2:6] = [[0.4, 0.4, 0.6, 0.6], [0, 0, 0.2, 0.2]]
    crop = np.array([0.5, 0, 1, 1], np.float32)
    half = parse("emit_type: MIN_OVERLAP emit_overlap: 0.45", EmitConstraint)
    more = parse("emit_type: MIN_OVERLAP emit_overlap: 0.55", EmitConstraint)
    np.testing.assert_allclose(
        box_sampling.project(boxes, crop, half)[:, 2:6], [[0, 0.4, 0.2, 0.6]], atol=1e-6
    )
    assert len(box_sampling.project(boxes, crop, more)) == 0
