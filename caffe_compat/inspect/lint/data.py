"""Rules about data layers and what they read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from google.protobuf.message import Message

from caffe_compat.data.base import open_source
from caffe_compat.data.image_list import read_list
from caffe_compat.errors import DataError, MissingExtra
from caffe_compat.inspect.lint import NOTE, Found, Place, rule
from caffe_compat.inspect.lint.questions import DataMessage, data_messages, messages_of
from caffe_compat.inspect.lint.subject import Subject
from caffe_compat.proto import DataParameter, Datum, LayerParameter, is_repeated
from caffe_compat.proto.binary import read_binaryproto
from caffe_compat.proto.owners import takes
from caffe_compat.proto.text import Reader

# Caffe's own types that have a message, the ones whose messages are known for certain.
_STOCK = frozenset(
    "Accuracy ArgMax BatchNorm Bias Concat ContrastiveLoss Convolution Crop Data Deconvolution Dropout DummyData Eltwise "
    "ELU Embed Exp Flatten HDF5Data HDF5Output HingeLoss ImageData InnerProduct Input Log LRN LSTM MemoryData MVN "
    "Pooling Power PReLU Reduction ReLU Reshape RNN Scale Sigmoid Slice Softmax SoftmaxWithLoss SPP TanH Threshold Tile "
    "WindowData".split()
)
_PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\$\{\w+\}|\$\(\w+\)|%\(\w+\)[a-z]|<[A-Z][A-Z0-9_ ]*>|@[A-Z]\w*@"
)


@rule("unread-message")
def unread_message(subject: Subject) -> Found:
    """A layer carries a message that its type does not read, such as image_data_param { shuffle } of a Data layer."""
    for view in subject.views:
        for layer in view.layers:
            for name, _ in messages_of(layer) if layer.type in _STOCK else ():
                if not takes(layer.type, name) and any(takes(kind, name) for kind in _STOCK):
                    yield layer, f"{name} does nothing in a layer of type {layer.type}; remove it"


@rule("rand-skip")
def rand_skip(subject: Subject) -> Found:
    """data_param.rand_skip, which Caffe reads and does not use."""
    for view in subject.views:
        for layer in view.of("Data"):
            if layer.data_param.rand_skip:
                yield layer, f"rand_skip {layer.data_param.rand_skip} does nothing in a Data layer; remove it"


@rule("mirror-in-test")
def mirror_in_test(subject: Subject) -> Found:
    """mirror flips test pictures, too, at random."""
    for view in subject.test:
        for layer in view.layers:
            if layer.transform_param.mirror:
                yield (
                    layer,
                    "mirror: true flips pictures at random in TEST, too, so scores vary; give TEST a data layer without it",
                )


@rule("crop-without-effect", NOTE)
def crop_without_effect(subject: Subject) -> Found:
    """crop_size is the size of the pictures, so there is no random crop."""
    for view in subject.train:
        for layer in view.layers:
            size = layer.transform_param.crop_size
            if size and _picture_size(layer, subject.reader) == (size, size):
                yield (
                    layer,
                    (
                        f"crop_size {size} is the whole picture, so nothing is cropped at random; store larger pictures, or "
                        "pad them, to augment"
                    ),
                )


@rule("transforms-differ")
def transforms_differ(subject: Subject) -> Found:
    """TRAIN and TEST subtract another mean or scale differently."""
    for train in subject.train:
        for layer in train.layers:
            for other in (other for view in subject.test for other in view.layers):
                if other.top[:1] != layer.top[:1] or not (_data_message(layer) and _data_message(other)):
                    continue
                for name in ("scale", "mean_file", "mean_value"):
                    mine, theirs = (getattr(one.transform_param, name) for one in (layer, other))
                    if mine != theirs:
                        yield (
                            other,
                            f"{name} is {_shown(theirs)} in TEST and {_shown(mine)} in TRAIN ({layer.origin}); make them equal",
                        )


@rule("tests-on-training-data")
def tests_on_training_data(subject: Subject) -> Found:
    """The test net reads the records that the training net learns from."""
    learned = {_source(layer): layer for view in subject.train for layer in view.layers if _source(layer)}
    if subject.solver is not None:
        for view in subject.test:
            for layer in view.layers:
                if (source := _source(layer)) in learned:
                    yield (
                        layer,
                        (
                            f"reads '{source}' in TEST, which the net is trained on ({learned[source].origin}); give TEST a data "
                            "layer with a set of its own"
                        ),
                    )


@rule("unshuffled-list", NOTE)
def unshuffled_list(subject: Subject) -> Found:
    """ImageData in TRAIN goes through the list in its order, over and over."""
    for view in subject.train:
        for layer in view.of("ImageData"):
            if not layer.image_data_param.shuffle:
                yield (
                    layer,
                    (
                        "the list is read in its order, without shuffle; set image_data_param { shuffle: true } unless the list "
                        "is shuffled already: one sorted by class does not train"
                    ),
                )


@rule("test-set-size")
def test_set_size(subject: Subject) -> Found:
    """test_iter x batch_size is not the number of test records."""
    if subject.solver is None:
        return
    for view in subject.test:
        if view.index >= len(subject.solver.test_iter):
            continue
        batches = subject.solver.test_iter[view.index]
        for layer in view.layers:
            records = _count(layer, subject.reader)
            message = _data_message(layer)
            if not records or message is None or batches * message.batch_size == records:
                continue
            batch, seen = message.batch_size, batches * message.batch_size
            if seen < records:
                what = f"{records - seen} are not looked at, and the next test begins with them"
            elif seen % records:
                what = f"that is {seen / records:.3g} times the set: some count more, and others in the next test"
            else:
                what = f"that is {seen // records} times the set"
            advice = f"set test_iter to {records // batch}" if records % batch == 0 else (
                f"use a batch_size that divides {records}"
            )  # fmt: skip
            yield (
                subject.at("test_iter", view.index),
                (
                    f"test_iter {batches} x batch_size {batch} is {seen} and '{message.source}' has {records} records: {what}; "
                    f"{advice}"
                ),
            )


@rule("dummy-batch")
def dummy_batch(subject: Subject) -> Found:
    """A DummyData blob that joins the data has another batch size."""
    for view in subject.views:
        if len(view.batch_sizes) != 1:
            continue
        (batch,) = view.batch_sizes
        for i, layer in enumerate(view.layers):
            if layer.type != "DummyData" or not any(
                view.layers[k].type in ("Concat", "Eltwise") for k in view.read_by[i]
            ):
                continue
            p = layer.dummy_data_param
            sizes = {shape.dim[0] for shape in p.shape if shape.dim} | set(p.num)
            if sizes - {batch}:
                yield (
                    layer,
                    (
                        f"its first dimension is {min(sizes - {batch})} and batch_size is {batch}; a DummyData's batch is fixed in the "
                        "file: write the same number in both"
                    ),
                )


@rule("placeholder")
def placeholder(subject: Subject) -> Found:
    """A path or name still has a template's place to fill in."""
    messages: list[tuple[Place, Message]] = [] if subject.solver is None else [(subject.path, subject.solver)]
    messages += [(layer, layer) for view in subject.views for layer in view.layers]
    for place, message in messages:
        for value in _strings(message):
            if match := _PLACEHOLDER.search(value):
                yield place, f"'{value}' has the placeholder {match[0]}; fill the template in first"


def _strings(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        for item in value if is_repeated(field) else (value,):
            if field.message_type and field.message_type.name not in ("NetParameter", "LayerParameter"):
                yield from _strings(item)
            elif isinstance(item, str) and field.name not in ("origin", "param_str"):
                yield item


def _data_message(layer: LayerParameter) -> DataMessage | None:
    """The message of a layer that reads records, with its batch_size, or None."""
    found = (value for name, value in data_messages(layer).items() if takes(layer.type, name))
    return next(found, None)


def _source(layer: LayerParameter) -> str:
    return getattr(_data_message(layer), "source", "")


def _count(layer: LayerParameter, reader: Reader) -> int:
    """How many records a layer's source has; 0 where that cannot be seen."""
    try:
        if layer.type == "Data":
            p = layer.data_param
            return len(open_source(DataParameter.DB.Name(p.backend), p.source, reader.root))
        if layer.type == "ImageData":
            return len(read_list(reader.path(layer.image_data_param.source)))
    except (DataError, MissingExtra):
        pass  # to look at a net, its data need not be here
    return 0


def _picture_size(layer: LayerParameter, reader: Reader) -> tuple[int, int] | None:
    """Height and width of a layer's pictures, as far as its mean file or its first record tells."""
    mean = reader.path(layer.transform_param.mean_file)
    if layer.transform_param.mean_file and os.path.isfile(mean):
        height, width = read_binaryproto(mean).shape[-2:]
        return height, width
    if layer.type != "Data" or not _count(layer, reader):
        return None
    p = layer.data_param
    source = open_source(DataParameter.DB.Name(p.backend), p.source, reader.root)
    datum = Datum.FromString(bytes(source.read(0)))  # the record is in the source's memory
    return None if datum.encoded else (datum.height, datum.width)


def _shown(value: str | float | Sequence[float]) -> str:
    if isinstance(value, str):
        return f"'{value}'" if value else "absent"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(f"{v:g}" for v in value) or "absent"
