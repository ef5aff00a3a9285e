"""HDF5Output: two blobs into a file."""

from __future__ import annotations

import os

from torch import Tensor

from caffe_compat.data.hdf5 import h5py
from caffe_compat.layers.base import Layer, Shape, layer

_DATASETS = ("data", "label")


@layer("HDF5Output")
class HDF5Output(Layer):
    """Appends bottom 0 to dataset `data` and bottom 1 to dataset `label` of file_name; no top

    Caffe: src/caffe/layers/hdf5_output_layer.cpp
    Rows have Caffe's four axes: bottoms with fewer get ones at the end. The file is started anew by the first
    batch of a net. Caffe can save that one only and aborts at the second; here later rows are appended.
    """

    num_bottom = 2
    num_top = 0
    on_host = True

    def setup(self, *bottom: Shape) -> None:
        name = self.param.hdf5_output_param.file_name
        if not name:
            self.fail("hdf5_output_param.file_name must be set")
        self.path = self.context.path(name)
        folder = os.path.dirname(self.path) or "."
        if not os.access(folder, os.W_OK) or os.path.isdir(self.path):
            self.fail(
                f"file_name '{self.path}' cannot be written; make the folder '{folder}' or choose another"
            )
        self.started = False

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for index, shape in enumerate(bottom):
            if not 1 <= len(shape) <= 4:
                self.fail(
                    f"bottom {index} has {len(shape)} axes {shape}; HDF5Output takes 1 to 4: reshape it first"
                )
        if bottom[0][0] != bottom[1][0]:
            self.fail(f"bottoms have {bottom[0][0]} and {bottom[1][0]} rows; both need as many")
        return []

    def forward(self, *bottom: Tensor) -> tuple[Tensor, ...]:
        with h5py().File(self.path, "a" if self.started else "w") as file:
            for name, blob in zip(_DATASETS, bottom, strict=True):
                rows = blob.detach().cpu().numpy()
                rows = rows.reshape(rows.shape + (1,) * (4 - rows.ndim))
                if name in file:
                    file[name].resize(len(file[name]) + len(rows), axis=0)
                    file[name][-len(rows) :] = rows
                else:
                    file.create_dataset(name, data=rows, maxshape=(None, *rows.shape[1:]))
        self.started = True
        return ()
