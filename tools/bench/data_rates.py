"""Rows of the benchmark about data: batches a second, and the memory they take.

Ours is the Data layer. Beside it: a plain loop over an lmdb cursor, which decodes nothing, and torch's
DataLoader over the same LMDB with the same parsing, decoding and transformation of each picture, two workers.
Training pictures are cropped, mirrored and the mean is subtracted. "uint8" rows give what a GPU is sent:
pictures before the transformation, which runs there.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from tools.bench import real_caffe
from tools.bench.run import OURS, Row, Setup, in_turns, peak_of_this_process, row, seconds
from tools.bench.training import hand_written, our_solver

CURSOR, LOADER = "lmdb cursor", "DataLoader"
WORKERS = 2
AHEAD = 5  # batches that a source may have ready when its turn begins
PAUSE = 0.3  # seconds before a turn, in which the others finish what they make ahead
SECONDS = 0.7  # a sample takes
JPEG_SIDE, JPEG_BATCH, JPEG_CROP = 256, 64, 227
CPU = torch.device("cpu")


def make_jpegs(setup: Setup) -> None:
    """An LMDB of smooth pictures with some noise, as JPEGs of some 40 kB, and a mean."""
    import cv2

    from caffe_compat.data import lmdb
    from caffe_compat.data.images import encode
    from caffe_compat.proto import Datum, binary

    if Path(setup.folder, "jpeg_lmdb").exists():
        return
    random = np.random.default_rng(0)

    def records() -> Iterator[tuple[bytes, bytes]]:
        for i in range(setup.jpegs):
            small = random.integers(0, 256, (24, 24, 3), np.uint8)
            picture = cv2.resize(small, (JPEG_SIDE, JPEG_SIDE), interpolation=cv2.INTER_CUBIC).astype(
                np.int16
            )
            picture += random.integers(-12, 13, picture.shape, np.int16)
            data = encode(picture.clip(0, 255).astype(np.uint8), "jpg")
            datum = Datum(
                channels=3, height=JPEG_SIDE, width=JPEG_SIDE, data=data, label=i % 1000, encoded=True
            )
            yield b"%08d" % i, datum.SerializeToString()

    lmdb.write(f"{setup.folder}/jpeg_lmdb", records())
    mean = random.uniform(0, 255, (1, 3, JPEG_SIDE, JPEG_SIDE)).astype(np.float32)
    binary.write_binaryproto(f"{setup.folder}/jpeg_mean.binaryproto", mean)


def layer_text(source: str, mean: str, batch: int, crop: int) -> str:
    return f"""layer {{ name: "data" type: "Data" top: "data" top: "label"
        data_param {{ source: "{source}" batch_size: {batch} backend: LMDB }}
        transform_param {{ mirror: true crop_size: {crop} mean_file: "{mean}" }} }}"""


def layer(folder: str, source: str, mean: str, batch: int, crop: int) -> Any:
    """The Data layer of a training net."""
    from caffe_compat.layers.base import TRAIN, Context
    from caffe_compat.layers.registry import create_layer
    from caffe_compat.proto import NetParameter
    from caffe_compat.proto.text import parse

    (param,) = parse(layer_text(source, mean, batch, crop), NetParameter).layer
    made = create_layer(param, TRAIN, Context(generator=torch.Generator().manual_seed(1), root=folder))
    made.setup()
    return made


def cifar_layer(setup: Setup, crop: int = 32) -> Any:
    return layer(setup.folder, "train_lmdb", "mean.binaryproto", setup.batch, crop)


def jpeg_layer(setup: Setup) -> Any:
    return layer(setup.folder, "jpeg_lmdb", "jpeg_mean.binaryproto", JPEG_BATCH, JPEG_CROP)


@contextmanager
def too_large_to_keep() -> Iterator[None]:
    """Within it no data set fits the memory budget, so layers stream."""
    with mock.patch("caffe_compat.layers.data.memory_budget", lambda: 0):
        yield


class Records(Dataset[Any]):
    """The pictures of an LMDB of Datums as a PyTorch user would write it; `crop` 0: uint8 and as they are."""

    def __init__(self, path: str, count: int, crop: int, mean: np.ndarray):
        self.path, self.count, self.crop, self.mean = path, count, crop, mean
        self.transaction: Any = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        import lmdb

        from caffe_compat.proto import Datum

        if self.transaction is None:  # each worker opens the file itself
            self.transaction = lmdb.open(self.path, readonly=True, lock=False).begin()
        datum = Datum.FromString(self.transaction.get(b"%08d" % index))
        if datum.encoded:
            import cv2

            decoded = cv2.imdecode(np.frombuffer(datum.data, np.uint8), cv2.IMREAD_UNCHANGED)
            assert decoded is not None
            picture = decoded.transpose(2, 0, 1)
        else:
            picture = np.frombuffer(datum.data, np.uint8).reshape(datum.channels, datum.height, datum.width)
        if not self.crop:
            return torch.from_numpy(np.array(picture)), datum.label
        top, left = (int(torch.randint(side - self.crop + 1, ())) for side in picture.shape[1:])
        window = np.s_[:, top : top + self.crop, left : left + self.crop]
        picture = np.subtract(picture[window], self.mean[window], dtype=np.float32)
        if torch.rand(()) < 0.5:
            picture = picture[:, :, ::-1]
        return torch.from_numpy(np.ascontiguousarray(picture)), datum.label


def loader(setup: Setup, name: str, batch: int, crop: int) -> Callable[[], Any]:
    """The next batch of a DataLoader, for ever."""
    from caffe_compat.proto import binary

    jpeg = name.startswith("jpeg")
    file, count = ("jpeg_mean", setup.jpegs) if jpeg else ("mean", setup.records)
    mean = binary.read_binaryproto(Path(setup.folder, f"{file}.binaryproto"))
    records = Records(f"{setup.folder}/{name}", count // batch * batch, crop, mean.reshape(mean.shape[-3:]))
    # LMDB forbids a process, and so its forks, to open a file twice; the layer has it open.
    batches = DataLoader(
        records, batch, num_workers=WORKERS, persistent_workers=True, multiprocessing_context="spawn"
    )

    def endless() -> Iterator[Any]:
        while True:
            yield from batches

    return endless().__next__


def cursor(folder: str, name: str, batch: int) -> Callable[[], Any]:
    """The next `batch` records of a plain loop over a cursor, for ever."""
    import lmdb

    env = lmdb.open(f"{folder}/{name}", readonly=True, lock=False)

    def endless() -> Iterator[None]:
        while True:
            with env.begin(buffers=True) as transaction:
                left = batch
                for _ in transaction.cursor().iternext(keys=False, values=True):
                    left -= 1
                    if not left:
                        yield
                        left = batch

    return endless().__next__


def uint8(made: Any) -> Callable[[], Any]:
    """The pictures and labels of the layer's next batch as they are sent to a GPU."""

    def take() -> Any:
        step = made.batch_size * made.replicas
        made.position += step
        return made._fetch(made.position - step, step, CPU)

    return take


def rates(
    repeat: int,
    batch: int,
    sources: dict[str, Callable[[], Any]],
    others: dict[str, Callable[[], float]] | None = None,
) -> dict[str, list[float]]:
    """Pictures a second of each source over at least SECONDS, without what it had ready before its turn; `others`
    tell their rate themselves."""

    def timed(take: Callable[[], Any]) -> Callable[[], float]:
        def sample() -> float:
            time.sleep(PAUSE)
            for _ in range(AHEAD):
                take()
            count, start = 0, time.perf_counter()
            while time.perf_counter() < start + SECONDS:
                take()
                count += batch
            return count / (time.perf_counter() - start)

        return sample

    return in_turns(repeat, {**{name: timed(take) for name, take in sources.items()}, **(others or {})})


@row
def data(setup: Setup) -> Row:
    solver = our_solver(replace(setup, net="resnet8"))
    layer = solver.net.layers[0]
    training = hand_written(replace(setup, net="resnet8"), "eager")
    batches = max(1, 2000 // setup.batch)

    def ours() -> float:
        return batches * setup.batch / seconds(lambda: [layer.load(CPU) for _ in range(batches)])

    def theirs() -> float:
        def run() -> None:
            for _ in range(batches):
                training.next_batch()
                training.iter += 1

        return batches * setup.batch / seconds(run)

    return Row(
        "data",
        "batches from an LMDB that fits in memory, mean and mirror applied",
        "images/s",
        in_turns(setup.repeat, {OURS: ours, "eager": theirs}),
        more_is_better=True,
    )


@row
def data_cifar(setup: Setup) -> Row:
    made = cifar_layer(setup)
    for _ in range(-(-setup.records // setup.batch)):  # until all is in memory
        made.load(CPU)
    sources = {
        OURS: lambda: made.load(CPU),
        CURSOR: cursor(setup.folder, "test_lmdb", setup.batch),
        LOADER: loader(setup, "train_lmdb", setup.batch, 32),
    }
    by_caffe = caffe_batches(setup, "train_lmdb", "mean.binaryproto", setup.batch, 32, batches=2000)
    return Row(
        "data_cifar",
        "float batches of an LMDB like CIFAR's, crop_size 32, mirror, mean",
        "images/s",
        rates(setup.repeat, setup.batch, sources, by_caffe),
        base=real_caffe.NAME if by_caffe else LOADER,
        limit=2 if by_caffe else 1,
        more_is_better=True,
    )


def caffe_batches(
    setup: Setup, source: str, mean: str, batch: int, crop: int, batches: int
) -> dict[str, Callable[[], float]]:
    """A real Caffe's rate out of the same layer, where there is one."""
    if not setup.caffe:
        return {}
    net = Path(setup.folder, f"{source}_{crop}.prototxt")
    net.write_text(layer_text(f"{setup.folder}/{source}", f"{setup.folder}/{mean}", batch, crop))
    return {real_caffe.NAME: real_caffe.batches(setup.caffe, str(net), batch, batches)}


@row
def data_cifar_uint8(setup: Setup) -> Row:
    made = cifar_layer(setup)
    take = uint8(made)
    for _ in range(-(-setup.records // setup.batch)):
        take()
    with too_large_to_keep():
        streamed = cifar_layer(setup)
        again = uint8(streamed)
        again()
    sources = {
        OURS: take,
        "caffe_compat, streamed": again,
        CURSOR: cursor(setup.folder, "test_lmdb", setup.batch),
        LOADER: loader(setup, "train_lmdb", setup.batch, 0),
    }
    return Row(
        "data_cifar_uint8",
        "uint8 batches of an LMDB like CIFAR's; the set is in memory, or too large for it",
        "images/s",
        rates(setup.repeat, setup.batch, sources),
        base=CURSOR,
        limit=1,
        more_is_better=True,
    )


def jpeg_row(setup: Setup, name: str, what: str, crop: int) -> Row:
    make_jpegs(setup)
    with too_large_to_keep():
        made = jpeg_layer(setup)
        take = uint8(made) if not crop else lambda: made.load(CPU)
        take()
    sources = {OURS: take, LOADER: loader(setup, "jpeg_lmdb", min(JPEG_BATCH, setup.jpegs), crop)}
    by_caffe = (
        caffe_batches(setup, "jpeg_lmdb", "jpeg_mean.binaryproto", JPEG_BATCH, crop, batches=20)
        if crop
        else {}
    )
    return Row(
        name,
        f"{what} batches of {JPEG_BATCH} of {setup.jpegs} JPEGs of {JPEG_SIDE} x {JPEG_SIDE}, decoded every time",
        "images/s",
        rates(setup.repeat, JPEG_BATCH, sources, by_caffe),
        base=LOADER,
        limit=1,
        more_is_better=True,
    )


@row
def data_jpeg(setup: Setup) -> Row:
    return jpeg_row(setup, "data_jpeg", f"float, crop_size {JPEG_CROP}, mirror, mean;", JPEG_CROP)


@row
def data_jpeg_uint8(setup: Setup) -> Row:
    return jpeg_row(setup, "data_jpeg_uint8", "uint8", 0)


@row
def data_memory(setup: Setup) -> Row:
    make_jpegs(setup)

    def peak(which: str) -> Callable[[], float]:
        command = [sys.executable, __file__, which, setup.folder, str(setup.jpegs)]
        return lambda: float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) / 2**20

    return Row(
        "data_memory",
        f"peak memory of a process that makes one pass over {setup.jpegs} JPEGs, streamed or kept decoded",
        "MiB",
        in_turns(
            min(setup.repeat, 3),
            {OURS: peak("streamed"), "caffe_compat, kept": peak("kept"), "imports alone": peak("none")},
            warm_up=False,
        ),
    )


def main(which: str, folder: str, jpegs: str) -> None:
    """Print the peak memory of this process after a pass over the JPEGs."""
    setup = Setup(folder=folder, jpegs=int(jpegs))
    made = jpeg_layer(setup)
    if which == "streamed":
        with too_large_to_keep():
            made.load(CPU)
    for _ in range(0 if which == "none" else -(-setup.jpegs // JPEG_BATCH)):
        made.load(CPU)
    print(peak_of_this_process())


if __name__ == "__main__":
    main(*sys.argv[1:])
