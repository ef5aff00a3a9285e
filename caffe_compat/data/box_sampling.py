"""Parts cut out of pictures with boxes, and what becomes of the boxes.

Fork: weiliu89/caffe (SSD), src/caffe/{data_transformer,util/sampler}.cpp.
"""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.data.annotated import CORNERS
from caffe_compat.proto import BatchSampler, EmitConstraint, SampleConstraint, Sampler


def project(boxes: np.ndarray, crop: np.ndarray, emit: EmitConstraint | None = None) -> np.ndarray:
    """The boxes as shares of the part `crop` of their picture, cut to it; those that have no part in it are left out.

    emit: an EmitConstraint that boxes must meet beside.
    """
    corners = boxes[:, CORNERS]
    kept = (corners[:, :2] < crop[2:]).all(1) & (corners[:, 2:] > crop[:2]).all(1)
    if emit is not None:
        kept &= _emitted(corners, crop, emit)
    moved = (corners - np.tile(crop[:2], 2)) / np.tile(crop[2:] - crop[:2], 2)
    moved = moved.clip(0, 1)
    kept &= (moved[:, 2:] > moved[:, :2]).all(1)
    result = boxes[kept].copy()
    result[:, CORNERS] = moved[kept]
    return result


def _emitted(corners: np.ndarray, crop: np.ndarray, emit: EmitConstraint) -> np.ndarray:
    if emit.emit_type == EmitConstraint.MIN_OVERLAP:
        return _shared(corners, crop) > emit.emit_overlap * _area(corners)
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    return ((centre >= crop[:2]) & (centre <= crop[2:])).all(1)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[..., 2:] - boxes[..., :2]).clip(0).prod(-1)


def _shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The area of the intersection."""
    return (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(0).prod(-1)


def sampled(batch: BatchSampler, boxes: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """The parts of a picture, as corners, that a BatchSampler finds and its constraint allows."""
    found: list[np.ndarray] = []
    if not batch.use_original_image:
        return found
    for _ in range(batch.max_trials):
        if batch.HasField("max_sample") and len(found) >= batch.max_sample:
            break
        sample = _sample(batch.sampler, random)
        if allowed(sample, boxes, batch.sample_constraint):
            found.append(sample)
    return found


def _sample(sampler: Sampler, random: np.random.Generator) -> np.ndarray:
    scale = random.uniform(sampler.min_scale, sampler.max_scale)
    ratio = random.uniform(sampler.min_aspect_ratio, sampler.max_aspect_ratio)
    ratio = min(max(ratio, scale**2), 1 / scale**2)
    width, height = scale * math.sqrt(ratio), scale / math.sqrt(ratio)
    left, top = random.uniform(0, max(0.0, 1 - width)), random.uniform(0, max(0.0, 1 - height))
    return np.array([left, top, left + width, top + height], np.float32)


def jittered(jitter: float, keep_aspect: bool, random: np.random.Generator) -> np.ndarray:
    """A part of a picture, as corners, that lacks up to `jitter` of each side.

    Fork: eric612/MobileNet-YOLO, src/caffe/util/sampler.cpp: one in five is the whole picture, one in five lacks up to
    half as much.
    """
    most = jitter * random.choice([0, 0.5, 1], p=[0.2, 0.2, 0.6])
    width, height = random.uniform(1 - most, 1, 2)
    if keep_aspect:
        height = width
    left, top = random.uniform(0, 1 - width), random.uniform(0, 1 - height)
    return np.array([left, top, left + width, top + height], np.float32)


def allowed(sample: np.ndarray, boxes: np.ndarray, constraint: SampleConstraint) -> bool:
    """Whether any box meets all that a SampleConstraint says of it and the sample."""
    shared, own, all_areas = _shared(boxes, sample), _area(sample), _area(boxes)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {
            "jaccard_overlap": np.where(shared > 0, shared / (own + all_areas - shared), 0),
            "sample_coverage": np.where(shared > 0, shared / own, 0),
            "object_coverage": np.where(shared > 0, shared / all_areas, 0),
        }
    fits, limits = np.ones(len(boxes), bool), 0
    for what, value in values.items():
        for end, compare in (("min", np.greater_equal), ("max", np.less_equal)):
            if constraint.HasField(f"{end}_{what}"):
                limits += 1
                fits &= compare(value, np.float32(getattr(constraint, f"{end}_{what}")))
    return not limits or bool(fits.any())
