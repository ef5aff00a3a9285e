"""Small data sets in the layout of `caffe-compat data`: CIFAR-10 and its subsets, CIFAR-100, MNIST."""

import os

import numpy as np

from caffe_compat.data.shapes import generate
from caffe_compat.data.stage import write_set


def make(root, names=("cifar10", "cifar100", "mnist"), train=60, test=20):
    """Write the sets below `root`; `cifar10_20000` is a subset's folder."""
    chunks = [list(generate(train, 0)), list(generate(test, 1))]
    for name in names:
        base = name.split("_")[0]
        parts = [[_as(base, *chunk) for chunk in part] for part in chunks]
        files = [f"{base}_train_lmdb", f"{base}_test_lmdb", "mean.binaryproto"]
        write_set(os.path.join(root, name), files, *parts)


def _as(name, pictures, labels):
    if name == "cifar100":
        labels = labels * 10 + np.arange(len(labels)) % 10
    return (pictures[:, :1, 2:30, 2:30] if name == "mnist" else pictures), labels
