"""Prototxt files: nets and solvers read, of any age, and where each layer stood."""

import os
import sys

import pytest

from caffe_compat.errors import ParseError
from caffe_compat.log import names
from caffe_compat.log.write import Log
from caffe_compat.proto import NetParameter, SolverParameter, binary
from caffe_compat.proto.text import HERE, messages_equal, parse, read_net, read_solver, to_text, top_fields


def test_origins(tmp_path):
    path = tmp_path / "n.prototxt"
    path.write_text('name: "n"\nlayer { name: "a" }\n\n# x\nlayer\n{\n  name: "b"\n} layer { name: "c" }\n')
    net = read_net(path)
    assert net.origin == str(path)
    assert [layer.origin for layer in net.layer] == [f"{path}:2", f"{path}:6", f"{path}:8"]
    assert "origin" not in to_text(net)
    assert messages_equal(net, parse(to_text(net), NetParameter))
    assert not messages_equal(net, NetParameter(name="n"))


def test_origins_inside_a_solver():
    solver = parse('net_param {\n layer { name: "a" }\n layer { name: "b" } }', SolverParameter, "s.prototxt")
    assert [layer.origin for layer in solver.net_param.layer] == ["s.prototxt:2", "s.prototxt:3"]


def test_origin_survives_upgrades():
    text = 'layers { layer { name: "a" type: "relu" } bottom: "x" top: "x" }\nlayers { layer { type: "data" } top: "y" }'
    net = parse(text, NetParameter, "old.prototxt")
    net.input.append("x")
    from caffe_compat.proto.upgrade import upgrade_net

    upgrade_net(net, "old.prototxt")
    assert [layer.origin for layer in net.layer] == ["old.prototxt:1", "old.prototxt:2"]


def test_bytes_that_are_no_utf8(tmp_path):
    path = tmp_path / "n.prototxt"
    path.write_bytes(b'# caf\xe9\nname: "a"  # \xff\n')
    assert read_net(path).name == "a"
    path.write_bytes(b'name: "caf\xe9"')
    param = read_net(path)
    assert names.printable(param.name) == r"caf\xe9"
    assert to_text(param) == 'name: "caf\\351"\n'
    assert parse(to_text(param), NetParameter).name == param.name
    binary.write_message(tmp_path / "m", param)
    assert (tmp_path / "m").read_bytes() == b"\x0a\x04caf\xe9"
    assert binary.read(tmp_path / "m", NetParameter).name == param.name


def test_files_that_are_none(tmp_path, reference):
    with pytest.raises(
        ParseError, match="nowhere.prototxt: cannot be read: No such file or directory; check the path"
    ):
        read_net(tmp_path / "nowhere.prototxt")
    with pytest.raises(ParseError, match="cannot be read: Is a directory; give a prototxt file"):
        read_net(tmp_path)
    model = reference / "solvers/cli/trained_iter_10.caffemodel"
    with pytest.raises(
        ParseError,
        match="caffemodel: this is a binary file, not prototxt; give the text file of the NetParameter",
    ):
        read_net(model)


def test_read_solver_fills_the_snapshot_prefix(tmp_path, capsys):
    path = tmp_path / "my.solver.prototxt"
    path.write_text("net: 'n' solver_type: NESTEROV")
    solver = read_solver(path, Log(progress=False))
    assert solver.type == "Nesterov" and not solver.HasField("solver_type")
    assert solver.snapshot_prefix == str(tmp_path / "my.solver")
    log = capsys.readouterr().err
    assert (
        f"Attempting to upgrade input file specified using deprecated 'solver_type' field (enum)': {path}"
        in log
    )
    assert f"snapshot_prefix was not specified and is set to {tmp_path / 'my.solver'}" in log


def test_a_folder_as_snapshot_prefix_gets_the_solvers_name(tmp_path):
    (tmp_path / "snaps").mkdir()
    path = tmp_path / "s.prototxt"
    path.write_text(f"snapshot_prefix: '{tmp_path}/snaps'")
    assert read_solver(path).snapshot_prefix == f"{tmp_path}/snaps/s"
    path.write_text("snapshot_prefix: 'snaps/'")
    assert read_solver(path, root=str(tmp_path)).snapshot_prefix == "snaps/s"
    path.write_text("snapshot_prefix: 'other'")
    assert read_solver(path, root=str(tmp_path)).snapshot_prefix == "other"


def test_nets_and_solvers_are_told_apart(tmp_path):
    path = tmp_path / "x.prototxt"
    for content, kind in (
        ("debug_info: true\nnet_param { layer { name: 'a' } }", "SolverParameter"),
        ("name: 'n' layer { name: 'lr_policy' }", "NetParameter"),
        ("input: 'x' input_dim: [2, 3, 4, 5]", "NetParameter"),
        ("# net\nbase_lr: -1 solver_mode: GPU", "SolverParameter"),
        ("", "NetParameter"),
    ):
        path.write_text(content)
        assert HERE.read(path).DESCRIPTOR.name == kind, content
    with pytest.raises(ParseError, match="gone.prototxt: cannot be read"):
        HERE.read(tmp_path / "gone.prototxt")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")
def test_a_files_name_that_is_no_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/n\xff.prototxt"
    with open(path, "w") as file:
        file.write("layer { name: 'x' }")
    (layer,) = read_net(os.fsdecode(path)).layer
    assert layer.origin == f"{tmp_path}/n\ufffd.prototxt:1"


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="no /dev/fd on this system")
def test_a_pipe_can_be_read_again():
    """As the shell's <(...) gives it: `read` looks at it first, and other commands read it twice."""
    end, writer = os.pipe()
    os.write(writer, b'layer { name: "x" type: "Y" }')
    os.close(writer)
    try:
        assert [layer.name for layer in HERE.read(f"/dev/fd/{end}").layer] == ["x"]
        assert [layer.name for layer in read_net(f"/dev/fd/{end}").layer] == ["x"]
    finally:
        os.close(end)


def test_fields_at_the_top_and_their_lines():
    content = "a: b c: -d\ne { f: 1 }\n\n# g\nh: [1, 2] i < j {} > a: 'k: l'"
    assert list(top_fields(content)) == [("a", 1), ("c", 1), ("e", 2), ("h", 5), ("i", 5), ("a", 5)]
