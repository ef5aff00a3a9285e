"""Python layers as users write them, for test_python."""

import numpy as np

from caffe_compat.layers.python import PythonLayer


class Double(PythonLayer):
    def setup(self, bottom, top):
        self.seen = []

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = 2 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.seen.append(list(propagate_down))
        bottom[0].diff[...] = 2 * top[0].diff


class Weighted(Double):
    """Two tops of two bottoms, each times a blob."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs.add_blob(2, 3)
        self.blobs[0].data[0] = float(self.param_str)
        self.blobs[1].data[...] = 3

    def reshape(self, bottom, top):
        for b, t in zip(bottom, top, strict=True):
            t.reshape(*b.shape)

    def forward(self, bottom, top):
        for b, t, w in zip(bottom, top, self.blobs, strict=True):
            t.data[...] = w.data * b.data

    def backward(self, top, propagate_down, bottom):
        for i, w in enumerate(self.blobs):
            bottom[i].diff[...] = w.data * top[i].diff
            w.diff[...] += (bottom[i].data * top[i].diff).sum() if i == 0 else bottom[i].data * top[i].diff


class Positive(PythonLayer):
    """As many items as are above 0, known in forward only."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(1, *bottom[0].shape[1:])

    def forward(self, bottom, top):
        kept = bottom[0].data[bottom[0].data[:, 0] > 0]
        top[0].reshape(*kept.shape)
        top[0].data[...] = kept


class Source(PythonLayer):
    def setup(self, bottom, top):
        top[0].reshape(2, 3)
        top[0].data[...] = self.phase
        self.chosen = {"TRAIN": 10, "TEST": 20}[str(self.phase)], {0: 30, 1: 40}[self.phase]

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        top[0].data[0, 0] += 1


class Sink(Double):
    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        self.total = bottom[0].data.sum()


class InPlace(Double):
    def reshape(self, bottom, top):
        assert top[0] is bottom[0]

    def forward(self, bottom, top):
        top[0].data[...] += 1

    def backward(self, top, propagate_down, bottom):
        self.kept = top[0].data.copy()
        bottom[0].diff[...] *= 5


class InForward(Double):
    """Has its gradient in forward already."""

    def forward(self, bottom, top):
        super().forward(bottom, top)
        bottom[0].diff[...] = 3 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] *= top[0].diff


class Flat(Double):
    """Sees its bottom as a matrix."""

    def reshape(self, bottom, top):
        bottom[0].reshape(bottom[0].num, bottom[0].count // bottom[0].num)
        top[0].reshape(*bottom[0].shape)

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff @ np.diag(range(6))


class Reshaping(PythonLayer):
    """A blob that gets its shape in reshape, and for a moment another one."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)

    def reshape(self, bottom, top):
        if self.blobs[0].count == 1:
            self.blobs[0].reshape(*bottom[0].shape)
            self.blobs[0].data[...] = 3
        top[0].reshape(*bottom[0].shape)
        self.sizes = [self.blobs[0].num, self.blobs[0].channels, self.blobs[0].height, self.blobs[0].width]

    def forward(self, bottom, top):
        self.blobs[0].reshape(self.blobs[0].count)
        top[0].data[...] = bottom[0].data * self.blobs[0].data.reshape(bottom[0].shape)
        self.blobs[0].reshape(*bottom[0].shape)

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].reshape(self.blobs[0].count)
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).ravel()
        self.blobs[0].reshape(*bottom[0].shape)


class Broken(PythonLayer):
    def setup(self, bottom, top):
        raise KeyError("mine")


class Bare(PythonLayer):
    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)


class NotALayer:
    pass
