"""MatWrite: blobs as MATLAB files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from torch import Tensor

from caffe_compat.errors import MissingExtra, SnapshotError
from caffe_compat.layers.base import Layer, Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.proto.binary import write_atomic


@layer("MatWrite")
class MatWrite(Layer):
    """No tops: every `period`-th pass writes bottom i to <prefix><name>_blob_<i>.mat, which has one array `data`

    Fork: xiaolonw/DeepLab, aharley/segaware, src/caffe/layers/mat_write_layer.cpp
    data is (width, height, channels, num), in MATLAB's format 5. The name of a pass stands in the file `source`, a line
    each, without its last `strip` characters; without a source it is iter_<pass>. The source is read at the first pass.
    Files that are there are written anew.
    """

    num_bottom = (1, None)
    num_top = 0
    on_host = True
    fork_fields = ("mat_write_param",)

    def setup(self, *bottom: Shape) -> None:
        p = self.param.mat_write_param
        if p.period < 1 or p.strip < 0:
            self.fail(
                f"mat_write_param has period {p.period} and strip {p.strip}; period must be above 0, strip at least 0"
            )
        self.prefix, self.period, self.strip = p.prefix, p.period, p.strip
        self.source = p.source
        self.names: list[str] = []
        self.passes = 0

    def reshape(self, *bottom: Shape) -> list[Shape]:
        for shape in bottom:
            legacy_shape(self, shape)
        return []

    def forward(self, *bottom: Tensor) -> tuple[Tensor, ...]:
        if self.passes % self.period == 0:
            name = self._name()
            for i, blob in enumerate(bottom):
                path = Path(self.context.path(f"{self.prefix}{name}_blob_{i}.mat"))
                array = blob.detach().cpu().numpy()
                array = array.reshape(array.shape + (1,) * (4 - array.ndim))
                try:
                    write_atomic(str(path), mat_file(array.transpose()))
                except SnapshotError as error:
                    self.fail(str(error))
        self.passes += 1
        return ()

    def _name(self) -> str:
        if not self.source:
            return f"iter_{self.passes}"
        if not self.names:
            self.names = self._read_names()
        if self.passes >= len(self.names):
            self.fail(
                f"pass {self.passes + 1} has no name: '{self.source}' has {len(self.names)} lines; add one, or run less often"
            )
        return self.names[self.passes]

    def _read_names(self) -> list[str]:
        try:
            lines = (
                Path(self.context.path(self.source))
                .read_text(encoding="utf-8", errors="surrogateescape")
                .splitlines()
            )
        except (OSError, ValueError) as error:
            self.fail(f"mat_write_param.source: {error}; correct the path, or remove it")
        names = [line.split()[0] if line.split() else "" for line in lines]
        for name in names:
            if len(name) <= self.strip:
                self.fail(
                    f"mat_write_param.strip is {self.strip}, which leaves nothing of '{name}' in '{self.source}'"
                )
        return [name[: len(name) - self.strip] for name in names]


def mat_file(array: np.ndarray) -> bytes:
    """A MATLAB 5 file with the array as `data`."""
    try:
        from scipy.io import savemat
    except ImportError as error:
        raise MissingExtra("scipy", "writing a MATLAB file (MatWrite)") from error
    savemat(file := BytesIO(), {"data": array})
    return file.getvalue()
