"""Which sizes stay open in a file: the batch's, and the height and width of pictures."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from caffe_compat.errors import LayerError, NetError, some
from caffe_compat.export.plan import Plan, Shapes, Value
from caffe_compat.layers.base import Dim, Shape

Axes = dict[Value, int]  # of some inputs, one axis each
_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # in which heights and widths may have to go
_TRIALS = 16  # as many sizes tell two of them apart that are rounded differently


@dataclass
class Group:
    """Sizes that change together.

    word  what they are called
    axes  where in the inputs they are
    base  how large they are in the net as it stands
    step  what they may be larger by is a multiple of it
    place those of one place are larger by the same number of steps
    """

    word: str
    axes: Axes
    base: int
    step: int = 1
    place: int = 0


@dataclass
class Open:
    """Shapes in which sizes are words where they change from run to run.

    batch  the groups of inputs' batch sizes; none where the batch is fixed
    sizes  those of heights and widths, two for pictures that change together
    why    what keeps the batch fixed, if anything does
    """

    shapes: dict[Value, tuple[Dim, ...]] = field(default_factory=dict)
    batch: list[Group] = field(default_factory=list)
    sizes: list[Group] = field(default_factory=list)
    why: str = ""

    @property
    def axes(self) -> Axes:
        """Per input whose batch is open, the axis that it is on."""
        return {value: axis for group in self.batch for value, axis in group.axes.items()}

    def word(self, value: Value) -> str:
        """What the batch size of an input is called, or ""."""
        return next((group.word for group in self.batch if value in group.axes), "")

    def resized(self, shapes: Shapes, size: Callable[[Group], int]) -> Shapes:
        """Input shapes with the size that `size` gives each group."""
        for group in (*self.batch, *self.sizes):
            shapes = changed(shapes, group.axes, size(group))
        return shapes


def open_shapes(plan: Plan, dynamic: bool | None, size: bool = False, held: Collection[str] = ()) -> Open:
    """Find by trial which sizes depend on the batch's, and with `size` on those of pictures.

    `dynamic` None keeps the batch fixed if layers do not allow another; True fails then; False always does. With
    None the inputs `held` keep theirs, if it cannot change on its own.

    Raises LayerError for what fixes a size that is to be open.
    """
    base = plan.input_shapes()
    found = Open()
    with plan.undisturbed():
        known = plan.propagate(base)
        if dynamic is not False:
            try:
                found.batch = _batches(
                    plan, base, {v for v in base if dynamic is None and plan.name(v) in held}
                )
            except LayerError as error:
                if dynamic:
                    raise
                found.why = str(error)
        if size:
            found.sizes = _pictures(plan, base)
        trials: list[tuple[dict[str, int], Shapes]] = [({}, known)]
        for group in found.batch:
            larger = changed(base, group.axes, 2 * group.base)
            trials.append(({group.word: 2 * group.base}, plan.propagate(larger)))
        for sizes in _trials(found.sizes):
            shapes = found.resized(base, lambda group, sizes=sizes: sizes.get(group.word, group.base))  # type: ignore[misc]
            trials.append((sizes, plan.propagate(shapes)))
        stretched = [
            (i, plan.propagate(base, stretched=i))
            for i in plan.layers
            if plan.net.layers[i].dynamic and not plan.is_input(i)
        ]
    # How large each size is in every trial tells which one it is.
    groups = (*found.batch, *found.sizes)
    named = {tuple(sizes.get(g.word, g.base) for sizes, _ in trials): g.word for g in reversed(groups)}
    for value, shape in known.items():
        dims: list[Dim] = []
        for axis, n in enumerate(shape):
            seen = tuple(shapes[value][axis] for _, shapes in trials)
            new = f"{plan.name(value)}_{axis}"
            dims.append(n if len(set(seen)) == 1 else _word(named, seen, new))
            for i, shapes in stretched:  # known only as the layer runs
                if shapes[value][axis] != n:
                    whole = known[i, 0][plan.net.layers[i].dynamic_axis]
                    word: dict[tuple[int, ...], str] = {(whole, 2 * whole): f"N_{plan.net.top_names[i][0]}"}
                    dims[axis] = _word(word, (n, shapes[value][axis]), new)
        found.shapes[value] = tuple(dims)
    return found


def _word(named: dict[tuple[int, ...], str], seen: tuple[int, ...], new: str) -> str:
    """The word for a size that is as large as this in the trials: a known one, or a multiple of it, or else `new`."""
    if seen in named:
        return named[seen]
    for sizes, word in named.items():
        factor, rest = divmod(seen[0], sizes[0]) if sizes[0] else (0, 1)
        if not rest and "*" not in word and tuple(factor * n for n in sizes) == seen:
            return named.setdefault(seen, f"{factor}*{word}")
    return named.setdefault(seen, new)


# -- the batch ----------------------------------------------------------------------------------


def _batches(plan: Plan, base: Shapes, held: set[Value]) -> list[Group]:
    """Inputs whose batch axes change together, or none. Raises LayerError if none can change."""
    able = [value for value, shape in base.items() if shape]
    alone = [value for value in able if value not in plan.fills and _fits(plan, double(base, {value: 0}))]
    tied = [value for value in able if value not in alone and value not in plan.fills and value not in held]
    if len(alone) > 1:  # beside pictures, what changes no output's shape is no batch, but said about one
        alone = [
            value for value in alone if len(base[value]) > 3 or _is_heard(plan, base, {value: 0})
        ] or alone
    filled = [value for value in able if value in plan.fills]
    groups = [(plan.name(value), {value: 0}) for value in alone]
    # Recurrent layers have the streams on axis 1, and some inputs are the same for every batch: None.
    choices = itertools.product((0, 1, None), repeat=len(tied)) if len(tied) < 6 else [(0,) * len(tied)]
    for choice in sorted(choices, key=lambda axes: (axes.count(None), [axis or 0 for axis in axes])):
        for fill in (0, 1, None) if filled else (None,):
            given = zip([*tied, *filled], [*choice, *[fill] * len(filled)], strict=True)
            trial = {value: axis for value, axis in given if axis is not None}
            real = any(value not in plan.fills for value in trial)
            rows = any(axis == 0 and v in plan.fills and plan.fills[v].ndim for v, axis in trial.items())
            if (
                real
                and not rows  # each has its number
                and all(axis < len(base[v]) for v, axis in trial.items())
                and _fits(plan, double(base, trial))
                and (0 in trial.values() or _is_heard(plan, base, trial))
            ):
                groups.insert(0, ("", trial))
                return _named(groups, base)
    if able and not groups:
        # This raises what keeps them from changing.
        plan.propagate(double(base, {value: 0 for value in able if value not in held}))
    return _named(groups, base)


def _is_heard(plan: Plan, base: Shapes, axes: Axes) -> bool:
    """Whether these sizes of inputs change the shape of an output."""
    before, after = plan.propagate(base), plan.propagate(double(base, axes))
    return any(before[output] != after[output] for output in plan.outputs.values())


def _named(groups: list[tuple[str, Axes]], base: Shapes) -> list[Group]:
    found: list[Group] = []
    for name, axes in groups:
        value, axis = next(iter(axes.items()))
        found.append(Group(f"N_{name}" if found else "N", axes, base[value][axis]))
    return found


# -- heights and widths -------------------------------------------------------------------------


def _pictures(plan: Plan, base: Shapes) -> list[Group]:
    """The heights and widths of pictures, those on their own that can be, the others together.

    Raises LayerError, naming the layer that fixes them, and NetError if no input is a picture.
    """
    able = [value for value, shape in base.items() if value not in plan.fills and len(shape) > 3]
    able = [value for value in able if min(base[value][-2:]) > 1] or able
    if not able:
        names = some(plan.inputs.values())
        raise NetError(
            f"no input is a picture, with four axes or more, whose size could stay open; inputs: {names}"
        )
    groups: list[Group] = []
    tied: list[Value] = []
    for value in able:
        try:
            groups += _stepped(plan, base, [value], [], len(groups))
        except LayerError:
            tied.append(value)
    if not tied:
        return groups
    if groups:  # what has to be as large as a layer makes of another may go along with that
        with suppress(LayerError):
            return _stepped(plan, base, tied, groups, 0)
    return _stepped(plan, base, tied, groups, len(groups))


def _stepped(plan: Plan, base: Shapes, values: list[Value], others: list[Group], place: int) -> list[Group]:
    """The groups of the heights and widths of these inputs, in the smallest steps that the layers allow, after `others`.

    Those of one size are one group; all heights change together, and all widths.
    """
    first = values[0]
    for step in _STEPS:
        groups = list(others)
        for value in values:
            same = next((v for v in values if base[v][-2:] == base[value][-2:]), value)
            if same != value:
                continue
            mark = f"_{plan.name(value)}" if groups or place else ""
            alike = [v for v in values if base[v][-2:] == base[value][-2:]]
            for at, letter in enumerate("HW"):
                axes = {v: len(base[v]) - 2 + at for v in alike}
                groups.append(Group(f"{letter}{mark}", axes, base[value][at - 2], step, place + at))
        groups = [replace(group, step=max(group.step, step)) for group in groups] if others else groups
        found = Open(sizes=groups)
        try:
            for sizes in _trials(groups):
                plan.propagate(found.resized(base, lambda group, sizes=sizes: sizes[group.word]))  # type: ignore[misc]
            return groups
        except LayerError as error:
            failure = error
    raise LayerError(f"{failure}; this fixes the size of '{plan.name(first)}': leave --dynamic-size out")


def _trials(groups: Sequence[Group]) -> Iterator[dict[str, int]]:
    """Sizes to try, each place's in an order of its own."""
    for k in range(_TRIALS if groups else 0):
        yield {
            group.word: group.base
            + group.step * (1 + ((3 + 4 * group.place) * k % _TRIALS if group.place else k))
            for group in groups
        }


# -- shapes -------------------------------------------------------------------------------------


def _fits(plan: Plan, shapes: Shapes) -> bool:
    try:
        plan.propagate(shapes)
    except LayerError:
        return False
    return True


def double(shapes: Shapes, axes: Axes) -> Shapes:
    return {v: with_size(s, axes[v], 2 * s[axes[v]]) if v in axes else s for v, s in shapes.items()}


def changed(shapes: Shapes, axes: Axes, size: int) -> Shapes:
    """The shapes with these axes of this size."""
    return {v: with_size(shape, axes[v], size) if v in axes else shape for v, shape in shapes.items()}


def with_size(shape: Sequence[int], axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])
