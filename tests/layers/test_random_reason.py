"""Which layers say that their tops differ from run to run, and why."""

import h5py
import numpy as np
import pytest

from caffe_compat.data.images import encode
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.registry import registry
from tests.layers import data_harness
from tests.layers.harness import make

X = (2, 3, 5, 4)
SQ = "%s { num_output: 4 %s sq: true ratio: 50 }"
RISTRETTO = "quantization_param { bw_params: 4 fl_params: 2 %s }"
GROUP = "detection_group_loss_param { cls_num: 2 field_w: 8 field_h: 8 stride: 4 %s }"
LOSS = 'detection_loss_param { cls_num: 2 field_w: 8 field_h: 8 downsample_rate: 4 sample_mode: "%s" }'
TARGET = "proposal_target_param { cls_num: 2 fg_thr: 0.5 bg_thr_hg: 0.5 img_width: 64 img_height: 64 }"
DENSE = "denseblock_param { numTransition: 2 growthRate: 2 %s }"
AUGMENTED = "detectnet_groundtruth_param { image_size_x: 32 image_size_y: 32 stride: 4 }"

# type, parameters, bottoms, the reason in TRAIN and in TEST
CASES = [
    ("Dropout", "", [X], "drops values at random in TRAIN", ""),
    ("Dropout", "dropout_param { dropout_ratio: 0 }", [X], "", ""),
    ("Dropout", "dropout_param { sample_weights_test: true }", [X], "drops values at random in TRAIN",
     "drops values at random in TRAIN and TEST (sample_weights_test)"),
    ("Insanity", "", [X], "draws slopes at random in TRAIN", ""),
    ("RReLU", "rrelu_param { lb: 2 ub: 3 }", [X], "draws slopes at random in TRAIN", ""),
    ("GuidedDropout", 'guided_dropout_param { type: "stochastic" }', [X, X[:2]], "drops channels at random in TRAIN (type: stochastic)", ""),
    ("GuidedDropout", 'guided_dropout_param { type: "deterministic" }', [X, X[:2]], "", ""),
    ("SeLUDropout", "", [X], "drops values at random in TRAIN", ""),
    ("SeLuDropout", "", [X], "drops values at random in TRAIN", ""),
    ("ScaleFilter", "scale_filter_param { min_scale: 0.5 max_scale: 2 }", [X], "draws a factor for each channel in TRAIN", ""),
    ("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }", [X], "draws at random in TRAIN", ""),
    ("Pooling", "pooling_param { kernel_size: 2 }", [X], "", ""),
    ("BinaryConvolution", SQ % ("convolution_param", "kernel_size: 1"), [X], *["draws 2 outputs that keep their weights (sq, ratio 50%)"] * 2),
    ("TernaryConvolution", "convolution_param { num_output: 4 kernel_size: 1 }", [X], "", ""),
    ("TernaryInnerProduct", SQ % ("inner_product_param", ""), [X], *["draws 2 outputs that keep their weights (sq, ratio 50%)"] * 2),
    ("BinaryInnerProduct", "inner_product_param { num_output: 4 }", [X], "", ""),
    ("FcRistretto", "inner_product_param { num_output: 4 } " + RISTRETTO % "", [X], "rounds at random in TRAIN", ""),
    ("ConvolutionRistretto", "convolution_param { num_output: 4 kernel_size: 1 } " + RISTRETTO % "rounding_scheme: STOCHASTIC", [X],
     "rounds at random in TRAIN", "rounds at random in TEST (rounding_scheme: STOCHASTIC)"),
    ("DetectionLoss", LOSS % "random", [(2, 6, 5, 4), (2, 6, 5, 4)], *["draws the background (sample_mode: random)"] * 2),
    ("DetectionLoss", LOSS % "bootstrap", [(2, 6, 5, 4), (2, 6, 5, 4)], "", ""),
    ("DetectionGroupLoss", GROUP % 'neg_mining_type: "random"', [(2, 2, 5, 4), (2, 4, 5, 4), (2, 6, 5, 4)],
     *["draws the background (neg_mining_type: random)"] * 2),
    ("DetectionGroupLoss", GROUP % 'neg_mining_type: "bootstrap" batch_size: 4', [(2, 2, 5, 4), (2, 4, 5, 4), (2, 6, 5, 4)],
     *["draws fields of classes where there are too many (batch_size 4)"] * 2),
    ("ProposalTarget", TARGET, [(7, 5), (3, 7)], *["samples regions at random"] * 2),
    ("DetectNetTransformation", AUGMENTED, [(2, 3, 32, 32), (2, 1, 3, 16)], "changes pictures at random in TRAIN", ""),
    ("DenseBlock", DENSE % "use_dropout: true dropout_amount: 0.5", [X], "drops values at random in TRAIN", ""),
    ("DenseBlock", DENSE % "", [X], "", ""),
    ("ReLU", "", [X], "", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    "kind, text, bottoms, train, test", CASES, ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES)]
)
def test_reasons(kind, text, bottoms, train, test):
    tops = " ".join(
        f'top: "y{i}"' for i in range({"ProposalTarget": 6, "DetectNetTransformation": 2}.get(kind, 1))
    )
    found = [make(f'type: "{kind}" {tops} {text}', *bottoms, phase=p).random_reason() for p in (TRAIN, TEST)]
    assert found == [train, test]


def test_every_random_layer_has_a_case():
    missing = {name for name, cls in registry().items() if cls.is_random} - {case[0] for case in CASES}
    assert missing == {"Python"}  # tests/layers/test_python.py


@pytest.fixture
def root(tmp_path):
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(encode(np.full((5, 4), i, np.uint8), "png"))
    (tmp_path / "list.txt").write_text("0.png 0\n1.png 1\n")
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["t0"] = file["t1"] = np.zeros((3, 2), np.float32)
    (tmp_path / "rows.txt").write_text(str(tmp_path / "rows.h5") + "\n")
    return str(tmp_path)


IMAGES = 'image_data_param { source: "list.txt" batch_size: 2 is_color: false %s }'
DATA = [
    ("ImageData", IMAGES % "", "", ""),
    ("ImageData", IMAGES % "shuffle: true rand_skip: 1", *["shuffles and skips lines at random"] * 2),
    ("ImageData", IMAGES % "" + " transform_param { mirror: true crop_size: 3 }", "mirrors and crops at random", "mirrors at random"),
    ("HDF5Data", 'hdf5_data_param { source: "rows.txt" batch_size: 2 shuffle: true }', *["shuffles at random"] * 2),
    ("HDF5Data", 'hdf5_data_param { source: "rows.txt" batch_size: 2 }', "", ""),
    ("DummyData", 'dummy_data_param { shape { dim: 2 } data_filler { type: "uniform" } }', *["is filled at random"] * 2),
    ("DummyData", "dummy_data_param { shape { dim: 2 } data_filler { value: 3 } }", "", ""),
    ("MemoryData", "memory_data_param { batch_size: 2 channels: 3 height: 5 width: 4 } transform_param { crop_size: 2 }", "crops at random", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    "kind, text, train, test", DATA, ids=[f"{case[0]}-{i}" for i, case in enumerate(DATA)]
)
def test_reasons_of_data_layers(kind, text, train, test, root):
    found = [
        data_harness.make(f'type: "{kind}" {text}', phase=phase, root=root).random_reason()
        for phase in (TRAIN, TEST)
    ]
    assert found == [train, test]
