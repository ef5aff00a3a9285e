"""The table of layer types is current, and every type of Caffe 1.0 stands in it."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]

# LayerRegistry of BVLC/caffe: REGISTER_LAYER_CLASS and REGISTER_LAYER_CREATOR, 61 types.
STOCK = """
AbsVal Accuracy ArgMax BatchNorm BatchReindex Bias BNLL Clip Concat ContrastiveLoss Convolution Crop Data Deconvolution
Dropout DummyData Eltwise ELU Embed EuclideanLoss Exp Filter Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData
InfogainLoss InnerProduct Input Log LRN LSTM LSTMUnit MemoryData MultinomialLogisticLoss MVN Parameter Pooling Power PReLU
Python Reduction ReLU Reshape RNN Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split SPP
Swish TanH Threshold Tile WindowData
""".split()


def load():
    spec = importlib.util.spec_from_file_location("make_layer_table", ROOT / "tools" / "make_layer_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_current():
    made = load()
    assert made.TARGET.read_text(encoding="utf-8") == made.table(), "run: python tools/make_layer_table.py"


def test_every_stock_type_has_a_row_with_formula_and_source():
    rows = {line.split("`")[1]: line for line in load().table().splitlines() if line.startswith("| `")}
    assert len(STOCK) == 61 and not set(STOCK) - set(rows)
    for name in STOCK:
        cells = rows[name].replace("\\|", "").split("|")
        assert cells[2].strip() and cells[5].strip().endswith(("pp", "cu")), rows[name]
