"""tools/wild_report.py over a small collection: what is counted, what passes, and how failures are grouped."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "wild_report.py"

DATA = 'layer { name: "d" type: "Data" top: "x" top: "l" data_param { source: "gone" batch_size: 4 } %s }\n'
CROPPED = DATA % "transform_param { crop_size: 7 }"
DENSE = (
    'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 3 } }\n'
)
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "l" %s }\n'
FILES = {
    "one/train.prototxt": CROPPED + DENSE + LOSS % "",
    "one/unsized.prototxt": DATA % "" + DENSE,
    "one/copy/of_it.prototxt": CROPPED + DENSE + LOSS % "",
    "one/solver.prototxt": 'net: "train.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 9 # layer {',
    "one/labels.prototxt": 'item { name: "cat" label: 1 }',
    "two/type.prototxt": 'input: "x" input_shape { dim: 2 } layer { name: "z" type: "Frobnicate" bottom: "x" }',
    "two/field.prototxt": "layer { name: 'x' frob: 3 convolution_param { knob: 2 } }",
    "two/phase.prototxt": CROPPED
    + DENSE
    + LOSS % "include { phase: TRAIN }"
    + LOSS.replace('"y"', '"q"') % "include { phase: TEST }",
    "two/only_train.prototxt": CROPPED.replace('"d"', '"d" include { phase: TRAIN }') + DENSE,
    "two/policy.prototxt": 'base_lr: 1 lr_policy: "fixd"',
    "two/python.prototxt": 'layer { name: "d" type: "Python" top: "data" top: "label" '
    'python_param { module: "voc_layers" layer: "VOCSegDataLayer" } }',
}


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("wild_report", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["wild_report"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["wild_report"]


@pytest.fixture
def results(tool, tmp_path):
    before = set(sys.modules)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = [tool.judge(str(path)) for path in tool.distinct_files(tmp_path)]
    made = {name for module in tool.wild_layers.modules() for name in tool.wild_layers.parents(module)}
    for name in set(sys.modules) & made - before:
        del sys.modules[name]
    return {Path(r.path).relative_to(tmp_path).as_posix(): r for r in found}


def test_a_copy_counts_once(results):
    assert set(FILES) - set(results) == {"one/train.prototxt"}


def test_kinds(results):
    kinds = {name: result.kind for name, result in results.items()}
    assert {name for name, kind in kinds.items() if kind == "solver"} == {
        "one/solver.prototxt",
        "two/policy.prototxt",
    }
    assert kinds["one/labels.prototxt"] == "other"


def test_what_passes(results):
    passing = {name for name, result in results.items() if result.passes}
    wanted = {"one/copy/of_it", "one/unsized", "one/solver", "two/python", "two/only_train"}
    assert passing == {f"{name}.prototxt" for name in wanted}


def test_causes(results):
    assert results["two/type.prototxt"].cause == "unknown layer type Frobnicate"
    assert results["two/field.prototxt"].cause == "unknown field LayerParameter.frob"
    assert results["two/policy.prototxt"].cause.startswith("unknown lr_policy '...'")
    assert results["two/phase.prototxt"].cause.startswith("SoftmaxWithLoss: bottom N '...' is unknown")


def test_all_that_is_unknown_is_listed(results):
    assert results["two/field.prototxt"].unknown_fields == (
        "ConvolutionParameter.knob",
        "LayerParameter.frob",
    )
    assert results["two/type.prototxt"].unknown_types == ("Frobnicate",)


H5 = 'layer { name: "d" type: "Data" top: "x" data_param { source: "%s" batch_size: 4 } %s }\n'
HDF5 = 'layer { name: "d" type: "HDF5Data" top: "x" top: "l" hdf5_data_param { source: "gone" batch_size: 4 } }\n'
CONV = 'layer { name: "c" type: "Convolution" bottom: "%s" top: "%s" convolution_param { %s } }\n'
MAP = CONV % ("x", "y", "num_output: 5 kernel_size: 3")
PYTHON = 'layer { name: "p" type: "Python" %s python_param { module: "%s" layer: "%s" param_str: "%s" } }\n'


def built(tool, tmp_path, text, repository=""):
    path = tmp_path / repository / "net.prototxt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return tool.judge(str(path), repository=repository)


@pytest.mark.parametrize(
    "text",
    [
        H5 % ("camvid/train", "") + CONV % ("x", "y", "num_output: 5 kernel_h: 360 kernel_w: 480"),
        H5 % ("mnist_train_lmdb", "") + CONV % ("x", "y", "num_output: 5 kernel_h: 28 kernel_w: 28"),
        # labels of pixels, and targets like what they are compared with
        HDF5 + MAP + LOSS % "",
        HDF5 + MAP + (LOSS % "").replace("SoftmaxWith", "Euclidean"),
        # labels in columns, and pictures in slices
        HDF5 + DENSE + 'layer { name: "s" type: "Slice" bottom: "l" top: "m" top: "n" }'
        'layer { name: "q" type: "EuclideanLoss" bottom: "m" bottom: "m" }',
        HDF5 + 'layer { name: "s" type: "Slice" bottom: "x" top: "m" top: "n" slice_param { slice_point: 6 } }'
        + CONV % ("m", "q", "num_output: 5 kernel_size: 7"),
        # what is added to a picture
        HDF5 + CONV % ("x", "y", "num_output: 1 kernel_size: 3 pad: 1")
        + 'layer { name: "e" type: "Eltwise" bottom: "y" bottom: "x" top: "z" }',
        # the data need a stage
        (CROPPED + DENSE).replace('"Data"', '"Data" include { phase: TEST stage: "val" }'),
    ],
)  # fmt: skip
def test_shapes_that_only_the_net_tells(tool, tmp_path, text):
    assert built(tool, tmp_path, text).message == ""


def test_what_is_no_data_is_not_fitted(tool, tmp_path):
    text = CROPPED + DENSE + LOSS.replace('"l"', '"y"') % ""
    assert built(tool, tmp_path, text).cause.startswith(
        "SoftmaxWithLoss: bottom N of shape N has N predictions"
    )


def test_a_repository_has_its_own_python_layers(tool, tmp_path):
    text = (
        PYTHON
        % (
            'top: "data" top: "rois" top: "labels" top: "t" top: "i" top: "o"',
            "roi_data_layer.layer",
            "RoIDataLayer",
            "'num_classes': 3",
        )
        + 'layer { name: "a" type: "Eltwise" bottom: "labels" bottom: "%s" top: "z" }'
    )
    four = 'input: "b" input_shape { dim: 128 dim: 1 dim: 1 dim: 1 } ' + text % "b"
    one = 'input: "b" input_shape { dim: 128 } ' + text % "b"
    assert built(tool, tmp_path, four, "YuwenXiong+py-R-FCN").passes
    assert not built(tool, tmp_path, one, "YuwenXiong+py-R-FCN").passes
    assert built(tool, tmp_path, one, "rbgirshick+py-faster-rcnn").passes


def test_param_str_of_all_kinds(tool):
    use = tool.wild_layers.Use("", [], [], "{'crop_w': 32, 'shape': [225, 224]}")
    assert (use.number("crop_w"), use.numbers("shape"), use.number("gone", 7)) == (32, [225, 224], 7)


def test_report(tool, results, tmp_path):
    text = tool.report(list(results.values()), tmp_path)
    assert "7 nets and 2 solvers, all distinct, from 2 repositories." in text
    assert "| nets that build in every phase they define | 4 of 7 | 57.1% |" in text
    assert "| solvers that parse and give a schedule | 1 of 2 | 50.0% |" in text
    assert "| unknown layer type Frobnicate | 1 |" in text
    assert "| Frobnicate | 1 | 1 | two/type.prototxt |" in tool.needed(list(results.values()), tmp_path)
