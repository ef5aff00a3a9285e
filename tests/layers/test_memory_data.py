"""MemoryData: what is handed over is served, round and round."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import LayerError
from caffe_compat.proto import Datum
from tests.layers.data_harness import CPU, load, make

RNG = np.random.default_rng(6)
TEXT = 'type: "MemoryData" memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } '


def arrays(count=6):
    return RNG.normal(size=(count, 3, 4, 5)).astype(np.float32), np.arange(count, dtype=np.float32)


def datums(count, shape=(3, 6, 7)):
    return [
        Datum(channels=3, height=shape[1], width=shape[2], label=i, data=RNG.bytes(int(np.prod(shape))))
        for i in range(count)
    ]


def test_batches_go_round():
    layer = make(TEXT)
    assert layer.reshape() == [(2, 3, 4, 5), (2,)]
    data, labels = arrays()
    layer.reset(data, labels)
    for at, (pictures, numbers) in zip((0, 2, 4, 0, 2), load(layer, 5), strict=True):
        np.testing.assert_array_equal(pictures, data[at : at + 2])
        np.testing.assert_array_equal(numbers, labels[at : at + 2])


def test_arrays_are_not_copied():
    layer = make(TEXT)
    data, labels = arrays(2)
    layer.reset(data, labels.reshape(2, 1, 1, 1))
    data[1, 2, 3, 4] = 77
    assert layer.load(CPU)[0][1, 2, 3, 4] == 77


def test_other_precisions_are_converted():
    layer = make(TEXT, dtype=torch.float64)
    data, labels = arrays()
    layer.reset(data, labels.astype(int))
    np.testing.assert_array_equal(load(layer)[0][0], data[:2].astype(np.float64))


def test_added_datums_are_transformed():
    layer = make(
        TEXT.replace("height: 4 width: 5", "height: 4 width: 4")
        + "transform_param { crop_size: 4 scale: 0.5 }",
        1,
    )
    added = datums(4)
    layer.add_datums(added)
    for k, (pictures, numbers) in enumerate(load(layer, 2)):
        for row, number, datum in zip(pictures, numbers, added[2 * k :], strict=False):
            image = np.frombuffer(datum.data, np.uint8).reshape(3, 6, 7)[:, 1:5, 1:5]
            np.testing.assert_array_equal(row, image * np.float32(0.5))
            assert number == datum.label
    layer.add_datums(added)


def test_a_new_batch_size():
    layer = make(TEXT)
    layer.set_batch_size(3)
    assert layer.reshape() == [(3, 3, 4, 5), (3,)]
    data, labels = arrays()
    layer.reset(data, labels)
    assert load(layer)[0][1].tolist() == [0, 1, 2]


def test_refusals_name_the_layer():
    def refuses(message, function, *args):
        with pytest.raises(LayerError, match=message) as caught:
            function(*args)
        assert str(caught.value).startswith("test.prototxt:1: layer 'd' (MemoryData): ")

    refuses(
        "batch_size 2, channels 3, height 0 and width 5 must all be set", make, TEXT.replace("height: 4", "")
    )
    layer = make(TEXT)
    refuses(r"has no data; hand some over first, with net.set_input_arrays\(data, labels\)", layer.load, CPU)
    data, labels = arrays()
    refuses(
        r"data has the shape \(5, 3, 4, 5\); it must be n x 3 x 4 x 5 with n a multiple of batch_size 2",
        layer.reset,
        data[:5],
        labels,
    )
    refuses(r"data has the shape \(6, 3, 5, 4\)", layer.reset, data.swapaxes(2, 3), labels)
    refuses(r"data has the shape \(0, 3, 4, 5\)", layer.reset, data[:0], labels)
    refuses("there are 5 labels for 6 items; give one an item", layer.reset, data, labels[:5])
    refuses(
        "3 items were added; their number must be a multiple of batch_size 2", layer.add_datums, datums(3)
    )
    refuses("0 items were added", layer.add_datums, [])
    refuses(r"data has the shape \(2, 3, 6, 7\)", layer.add_datums, datums(2))
    layer.add_datums(datums(4, (3, 4, 5)))
    layer.load(CPU)
    refuses("data was added before the last was served", layer.add_datums, datums(2, (3, 4, 5)))
    refuses("batch_size cannot change before the added data is served", layer.set_batch_size, 4)
    layer.load(CPU)
    layer.set_batch_size(4)


def test_dim_gives_the_shape_of_data_of_any_axes():
    layer = make('type: "MemoryData" memory_data_param { dim: 2 dim: 3 dim: 5 }')
    assert layer.reshape() == [(2, 3, 5), (2, 1, 1)]
    data = np.arange(60.0).reshape(4, 3, 5)
    layer.reset(data, np.arange(4))
    second, labels = load(layer, 2)[1]
    np.testing.assert_array_equal(second, data[2:])
    assert labels.tolist() == [[[2]], [[3]]]


def test_labels_may_be_left_out_with_dim_only():
    layer = make('type: "MemoryData" memory_data_param { dim: 2 dim: 3 }', top=1)
    assert layer.reshape() == [(2, 3)]
    with pytest.raises(LayerError, match="makes 2 top blobs, data and labels, and has 1"):
        make(TEXT, top=1)
    with pytest.raises(LayerError, match=r"memory_data_param.dim is \(2, 0\); every number"):
        make('type: "MemoryData" memory_data_param { dim: 2 dim: 0 }')
