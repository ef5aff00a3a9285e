"""tools/make_prototxt.py: the writer of prototxt text, and the command."""

import pytest

from caffe_compat.proto import NetParameter, text
from tools import make_prototxt, prototxt_text


def test_text_is_what_the_reader_reads():
    message = {
        "name": "two words",
        "layer": [
            {
                "name": "a",
                "type": "Convolution",
                "bottom": [],
                "top": ["x", "y"],
                "param": [{"lr_mult": 0.5}, {}],
            },
            {
                "name": "b",
                "include": {"phase": prototxt_text.Enum("TEST"), "stage": ["s", "t"]},
                "loss_weight": [2],
            },
        ],
    }
    net = text.parse(prototxt_text.document("A comment # of one line", message), NetParameter)
    first, second = net.layer
    assert (net.name, first.name, list(first.bottom), list(first.top)) == ("two words", "a", [], ["x", "y"])
    assert [param.lr_mult for param in first.param] == [0.5, 1]
    assert (second.include[0].phase, list(second.include[0].stage), list(second.loss_weight)) == (
        1,
        ["s", "t"],
        [2],
    )


def test_a_long_message_is_spread_over_lines():
    message = {"transform_param": {"mirror": True, "mean_file": "m" * prototxt_text.LINE_WIDTH}}
    assert list(prototxt_text.lines(message)) == [
        "transform_param {",
        "  mirror: true",
        f'  mean_file: "{"m" * prototxt_text.LINE_WIDTH}"',
        "}",
    ]


@pytest.mark.parametrize("depth", [2, 8 + 1, 57])
def test_a_depth_without_whole_blocks_is_refused(depth):
    with pytest.raises(ValueError, match=rf"ResNet-{depth} has no whole number of blocks .* 6n \+ 2"):
        make_prototxt.resnet(depth)


def test_batch_reaches_the_data_and_the_zeros():
    layers = make_prototxt.resnet(8, batch=7)["layer"]
    assert [layer["data_param"]["batch_size"] for layer in layers if layer["type"] == "Data"] == [7, 7]
    zeros = [layer["dummy_data_param"]["shape"]["dim"] for layer in layers if layer["type"] == "DummyData"]
    assert zeros == [[7, 16, 16, 16], [7, 32, 8, 8]]


def test_check_names_the_files_that_are_out_of_date(tmp_path, capsys):
    make_prototxt.main(["--out", str(tmp_path)])
    assert make_prototxt.main(["--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "resnet20.prototxt").write_text("name: 'old'\n")
    (tmp_path / "pc_solver.prototxt").unlink()
    capsys.readouterr()
    assert make_prototxt.main(["--out", str(tmp_path), "--check"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 2
    assert "resnet20.prototxt: missing or out of date; run python tools/make_prototxt.py" in told
    assert "pc_solver.prototxt: missing" in told
