"""What the layers that serve batches share: replicas, random state, and where they stand in the data."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from caffe_compat.data import random_size
from caffe_compat.data.annotated import Annotated
from caffe_compat.data.augment import Augment
from caffe_compat.data.base import open_source
from caffe_compat.data.feed import Ahead, blocks, sent
from caffe_compat.data.images import planes
from caffe_compat.data.transform import Transformer
from caffe_compat.errors import DataError
from caffe_compat.layers.base import TRAIN, Layer, Shape, where
from caffe_compat.log.write import Log
from caffe_compat.proto import DataParameter
from caffe_compat.proto.binary import read_binaryproto


class DataLayer(Layer):
    """A layer that makes its tops by itself. A type defines `open`, `reshape` and `load`.

    Data parallelism is Caffe's: in TRAIN each of N replicas serves its own records. A process that holds n of
    them gets n times the rows that `reshape` says from `load`, row i those of the (i % n)-th it holds.
    Every process draws the random numbers of all replicas and uses its own, so N processes and one process
    with N replicas see the same batches, and one state fits all of them.

    position   records that all replicas together have been served
    generator  where all draws of this layer come from
    replicas   how many replicas share the records: 1 in TEST
    held       which of them are served here
    """

    num_bottom = 0
    is_data = True
    batch_size = 0  # records a replica gets from one load; 0 where there are no records

    def setup(self, *bottom: Shape) -> None:
        self.position = 0
        self.generator = torch.Generator()
        self.generator.manual_seed(int(torch.randint(0, 1 << 62, (1,), generator=self.context.generator)))
        self.replicas = self.context.replicas if self.phase == TRAIN else 1
        self.held = self.context.held if self.phase == TRAIN else range(1)
        self.open()

    def open(self) -> None:
        """Check the parameters and look at the source; its first record says the top shapes."""

    def get_state(self) -> dict[str, Any]:
        """Where this layer stands, as JSON-able values: records served so far, and the random state."""
        random = base64.b64encode(self.generator.get_state().numpy().tobytes()).decode("ascii")
        return {"position": self.position, "rng": random}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on as the layer that gave this state would."""
        self.position = state["position"]
        random = bytearray(base64.b64decode(state["rng"]))
        self.generator.set_state(torch.frombuffer(random, dtype=torch.uint8))

    def skip_batches(self, count: int) -> None:
        """Stand where `count` loads from the first record lead; the random state stays as it is."""
        self.set_state({**self.get_state(), "position": count * self.batch_size * self.replicas})

    def guess(self) -> list[Shape]:
        """The tops' shapes as the parameters alone tell them, for a look at a net whose source is not there.

        Raises DataError where they do not tell.
        """
        self.bad_data("its parameters do not tell the shapes of its tops")

    def guess_others(self, pictures: Shape) -> list[Shape]:
        """The shapes of the tops after the first, for a first top of this shape, as `guess` tells them: a label each."""
        return [pictures[:1]] * (len(self.param.top) - 1)

    def chances(self) -> list[str]:
        """What is drawn anew in every run, in words: ["mirrors", "crops"]."""
        return []

    def random_reason(self) -> str:
        *others, last = self.chances() or [""]
        return f"{', '.join(others)}{' and ' * bool(others)}{last} at random" if last else ""

    def mine(self) -> np.ndarray:
        """Which of a step's batch_size * replicas records are served here: record i is replica i % replicas'."""
        order = np.arange(self.batch_size * self.replicas).reshape(-1, self.replicas)
        return order[:, list(self.held)].reshape(-1)

    def bad_data(self, what: str) -> NoReturn:
        """Raise DataError, naming this layer."""
        raise DataError(f"{where(self.param)}: {what}")


_AUGMENTED = ("resize_param", "distort_param", "expand_param")
PREPARATIONS = tuple(f"transform_param.{name}" for name in (*_AUGMENTED, *random_size.FIELDS))

CROPS = ("transform_param.crop_height", "transform_param.crop_width")


class PictureLayer(DataLayer):
    """A data layer whose first top is pictures, cut and scaled by transform_param."""

    def open(self) -> None:
        self.transform = Transformer(
            self.param.transform_param,
            self.phase,
            self.generator,
            self.fail,
            self.context.root,
            self.context.dtype,
        )

        self.preparation: Augment | None = None

    def prepare_pictures(self) -> None:
        """For types that distort, expand and resize pictures before the crop, as SSD's fork and others do."""
        param = self.param.transform_param
        if any(param.HasField(name) for name in random_size.FIELDS):
            self.preparation = random_size.RandomSize(param, self.fail)
        elif any(param.HasField(name) for name in _AUGMENTED):
            self.preparation = Augment(param, (), self.fail)

    def chances(self) -> list[str]:
        param = self.param.transform_param
        found = [(param.mirror, "mirrors"), (self.crops_at_random(), "crops")]
        changing = ("distort_param", "expand_param", *random_size.FIELDS)
        found.append(
            (self.preparation is not None and any(map(param.HasField, changing)), "changes pictures")
        )
        return [word for holds, word in found if holds]

    def crops_at_random(self) -> bool:
        """Whether the place of the crop is drawn."""
        return self.transform.random_crop

    def log_setup(self, log: Log) -> None:
        if self.param.transform_param.HasField("mean_file"):
            log.mean_file(self.param.transform_param.mean_file)

    def draw(self, count: int) -> Tensor:
        """The random numbers of `count` pictures: the transformation's, with a seed after the mirror's coin."""
        draws = self.transform.draw(count)
        if self.preparation is None:
            return draws
        seeds = torch.randint(0, 1 << 32, (count, 1), generator=self.generator)
        coins = int(self.transform.mirror)
        return torch.cat((draws[:, :coins], seeds, draws[:, coins:]), 1)

    def top_of(self, picture: np.ndarray, name: Callable[[], str]) -> Shape:
        """The shape of the top that a picture (C, H, W) becomes."""
        if self.preparation is not None:
            record = self.preparation.first_size(_record(picture), np.random.default_rng(0))
            picture = planes(record.picture)
        return self.transform.top_shape(picture.shape, name)

    def _prepared(self, images: Tensor | Sequence[np.ndarray], draws: Tensor) -> Tensor | list[np.ndarray]:
        """The pictures distorted, expanded and resized, each by its own seed; one tensor if they are of one size."""
        assert self.preparation is not None
        arrays = images.cpu().numpy() if isinstance(images, Tensor) else images
        seeds = draws[:, int(self.transform.mirror)].tolist()
        done = [
            planes(self.preparation(_record(array), np.random.default_rng(seed)).picture)
            for array, seed in zip(arrays, seeds, strict=True)
        ]
        return torch.from_numpy(np.stack(done)) if len({array.shape for array in done}) == 1 else done

    def guess(self) -> list[Shape]:
        messages = [value for field, value in self.param.ListFields() if field.name.endswith("_param")]
        sizes = [m.resize_param for m in messages if "resize_param" in m.DESCRIPTOR.fields_by_name]
        messages += [*self.param.transform_param.resize_param__list[:1], *sizes]
        given = {field.name: value for message in messages for field, value in message.ListFields()}
        sides = [
            next((given[name] for name in names if given.get(name)), 0)
            for names in (
                ("crop_height", "crop_size", "new_height", "height"),
                ("crop_width", "crop_size", "new_width", "width"),
            )
        ]
        channels = 1 if given.get("force_gray") or given.get("is_color") is False else 3
        if len(given.get("mean_value", ())) > 1:
            channels = len(given["mean_value"])
        mean = self.context.path(given.get("mean_file", ""))
        if os.path.isfile(mean):
            channels, *size = read_binaryproto(mean).shape[-3:]
            sides = [side or whole for side, whole in zip(sides, size, strict=True)]
        if not all(sides) or "batch_size" not in given:
            self.bad_data("neither batch_size and crop_size nor a mean_file tell the shape of its pictures")
        batch = int(given["batch_size"])
        pictures = (batch, channels, *sides)
        return [pictures, *self.guess_others(pictures)]

    def transformed(
        self,
        images: Tensor | Sequence[np.ndarray],
        draws: Tensor,
        device: torch.device,
        name: Callable[[int], str],
    ) -> Tensor:
        """The top of a batch of pictures, which may differ in size only if they are cropped.

        Args:
            images: (n, C, H, W), or n arrays (C, H, W).
            draws: the random numbers of each, from `self.draw`.
            name: says which picture images[i] is, for messages.
        """
        if self.preparation is not None:
            images = self._prepared(images, draws)
        draws = sent(draws, device)
        if isinstance(images, Tensor):
            self.transform.top_shape(tuple(images.shape[1:]), lambda: name(0))
            return self.transform(sent(images, device), draws)
        tops: list[Tensor] = []
        for i, image in enumerate(images):
            top = self.transform.top_shape(image.shape, lambda i=i: name(i))
            if i and top != tops[0].shape[1:]:
                self.bad_data(
                    f"{name(i)} has the shape {image.shape} and the first of its batch, {name(0)}, {images[0].shape}; "
                    "make them of one size, set crop_size, or use batch_size 1"
                )
            tops.append(self.transform(sent(torch.from_numpy(image)[None], device), draws[i : i + 1]))
        return torch.cat(tops)


def _record(picture: np.ndarray) -> Annotated:
    """A picture (C, H, W) as one with its channels last and no boxes."""
    return Annotated(np.ascontiguousarray(picture.transpose(1, 2, 0)), np.empty((0, 7), np.float32))


class SeededPictureLayer(PictureLayer):
    """A picture layer that reads ahead, in an order that follows from a seed and the position alone."""

    def draw_seed(self) -> None:
        """Take the seed from the layer's generator; nothing is read ahead yet."""
        self._seed = int(torch.randint(0, 1 << 62, (1,), generator=self.generator))
        self._ahead: Ahead[Any] | None = None

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "seed": self._seed}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._seed = state["seed"]
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None


class DatabaseLayer(SeededPictureLayer):
    """A picture layer that reads the records of a database (data_param) ahead. A type defines `block`.

    `open` calls `open_database`, then looks at the first record, then calls `draw_seed`.
    """

    def open_database(self) -> None:
        """Make self.source; raises DataError where it is not there."""
        p = self.param.data_param
        if p.batch_size == 0:
            self.fail("data_param.batch_size must be set and above 0")
        self.batch_size = p.batch_size
        self.order = self.mine()
        try:
            self.source = open_source(DataParameter.DB.Name(p.backend), p.source, self.context.root)
        except DataError as error:
            self.bad_data(str(error))

    def block(self, start: int, values: Sequence[Any]) -> tuple[list[np.ndarray], list[Tensor], Tensor]:
        """Pictures, the other tops, and the draws of mirror and crop, of what is served here of a step's records.

        values: all records of the step, the first of them at position `start`.
        """
        self._undefined("block")

    def load(self, device: torch.device) -> tuple[Tensor, ...]:
        step = self.batch_size * self.replicas
        if self._ahead is None:
            self._ahead = Ahead(
                blocks(self.source, self.position, step),
                lambda block: (*self.block(*block), block[0]),
                self.param.data_param.prefetch,
            )
        try:
            pictures, others, draws, start = self._ahead.next()
        except DataError as error:
            self.bad_data(str(error))
        same = all(picture.shape == pictures[0].shape for picture in pictures)
        batch = torch.from_numpy(np.stack(pictures)) if same else pictures
        data = self.transformed(batch, draws, device, lambda i: self.record_name(start + self.order[i]))
        self.position += step
        tops = (data, *(sent(other, device, self.context.dtype) for other in others))
        return tops[: len(self.param.top)]

    def record_name(self, position: int) -> str:
        """What messages call the record at a position."""
        position = int(position) % len(self.source)
        key = self.source.keys[position].decode("utf-8", "replace")
        return f"record {position} (key {key!r}) of '{self.source.path}'"
