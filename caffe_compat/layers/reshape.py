"""Reshape: the same values in another shape."""

from math import prod

from caffe_compat.layers.base import Layer, layer


@layer("Reshape")
class Reshape(Layer):
    """top = bottom with `num_axes` axes from `axis` on replaced by `shape`

    Caffe: src/caffe/layers/reshape_layer.cpp
    In `shape`, 0 copies the bottom's dimension at that position (counted from `axis`) and one -1 is
    worked out from the rest. num_axes -1 means all, 0 inserts; a negative `axis` counts from one past the end.
    """

    drawn_as = "arrangement"
    num_bottom = num_top = 1
    in_place = False
    shares_memory = shares_diff = True

    def setup(self, bottom):
        p = self.param.reshape_param
        self.dims, self.first, self.replaced = list(p.shape.dim), p.axis, p.num_axes
        if self.dims.count(-1) > 1:
            self.fail(
                f"shape {self.dims} has {self.dims.count(-1)} dims of -1; at most one can be worked out"
            )
        if self.dims and min(self.dims) < -1:
            self.fail(f"shape has dim {min(self.dims)}; a dim is above 0, or 0 (copy) or -1 (work out)")
        if self.replaced < -1:
            self.fail(f"num_axes is {self.replaced}; use 0 or more, or -1 for all")

    def reshape(self, bottom):
        self.start = self._start(len(bottom))
        return [self._top(tuple(bottom))]

    def _start(self, axes):
        return self.first if self.first >= 0 else axes + self.first + 1

    def _top(self, bottom):
        axes = len(bottom)
        start = self._start(axes)
        if not 0 <= start <= axes:
            self.fail(
                f"axis {self.first} is out of range for bottom shape {bottom}; use {-axes - 1} to {axes}"
            )
        end = axes if self.replaced == -1 else start + self.replaced
        if end > axes:
            self.fail(f"axis {start} + num_axes {self.replaced} = {end} is past the {axes} axes of {bottom}")
        dims = []
        for i, dim in enumerate(self.dims):
            if dim == 0 and start + i >= axes:
                self.fail(f"dim {i} of shape is 0, but bottom {bottom} has no axis {start + i} to copy")
            dims.append(bottom[start + i] if dim == 0 else dim)
        top = [*bottom[:start], *dims, *bottom[end:]]
        count = prod(bottom)
        if -1 in top:
            rest = -prod(top)
            if rest == 0 or count % rest:
                self.fail(
                    f"bottom {bottom} has {count} values, which the other dims of {tuple(top)}, "
                    f"{rest} together, do not divide; change shape"
                )
            top[top.index(-1)] = count // rest
        if prod(top) != count:
            self.fail(
                f"bottom {bottom} has {count} values and top {tuple(top)} has {prod(top)}; "
                "make them equal, or give one dim as -1"
            )
        return tuple(top)

    def per_record(self) -> bool:
        return self.start > 0 or self.dims[:1] == [0]

    def forward(self, bottom):
        return bottom.reshape(self._top(bottom.shape))

    def to_onnx(self, graph, bottoms, tops):
        graph.reshape(bottoms[0], graph.shape(tops[0]), tops)
