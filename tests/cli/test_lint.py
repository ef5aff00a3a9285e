"""The lint command: exit codes, formats, and what it refuses."""

import json

import pytest

from caffe_compat.cli import main

NET = """layer { name: "i" type: "Input" top: "x" top: "label" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "f" type: "InnerProduct" bottom: "x" top: "f" inner_product_param { num_output: 4 } }
layer { name: "s" type: "Softmax" bottom: "f" top: "s" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "s" bottom: "label" top: "loss" novel: 3 }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "net.prototxt").write_text(NET.replace(" novel: 3", ""))
    (tmp_path / "novel.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" lr_policy: "fixed" max_iter: 9 gamma: 2\n')
    monkeypatch.chdir(tmp_path)


def test_findings_read_like_a_compilers(capsys):
    assert main(["lint", "net.prototxt"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "net.prototxt:4: warning: layer 'loss' (SoftmaxWithLoss): contains a Softmax and reads"
    )
    assert lines[0].endswith("[activation-twice]")
    assert lines[1].startswith(
        "net.prototxt:2: note: layer 'f' (InnerProduct): the bias has lr_mult 1 and decay_mult 1;"
    )
    assert len(lines) == 2


def test_notes_alone_are_no_failure(capsys):
    assert main(["lint", "net.prototxt", "--ignore", "activation-twice"]) == 0
    assert "[bias-rate]" in capsys.readouterr().out
    assert main(["lint", "net.prototxt", "--ignore", "activation-twice,bias-rate"]) == 0
    assert capsys.readouterr().out == ""


def test_a_solver_with_its_net_as_json(capsys):
    assert (
        main(
            [
                "lint",
                "solver.prototxt",
                "--format",
                "json",
                "--rule",
                "unused-rate-field",
                "--rule",
                "zero-weights",
            ]
        )
        == 1
    )
    found = json.loads(capsys.readouterr().out)
    assert [(f["rule"], f["severity"], f["where"], f["others"]) for f in found] == [
        ("unused-rate-field", "warning", "solver.prototxt:1", []),
        ("zero-weights", "warning", "net.prototxt:2", []),
    ]
    assert main(["lint", "net.prototxt", "--format=json", "--rule=lrn-k"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_rules_are_listed_with_their_reasons(capsys):
    assert main(["lint", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 30
    assert any(
        line.split()[:2] == ["half-cycle", "warning"] and "ends inside a cycle" in line for line in lines
    )


def test_unknown_fields(capsys):
    assert main(["lint", "novel.prototxt"]) == 1
    assert "novel.prototxt:4:86: LayerParameter has no field 'novel'" in capsys.readouterr().err
    assert main(["lint", "novel.prototxt", "--ignore-unknown-fields", "--rule", "lrn-k"]) == 0
    assert capsys.readouterr().err.count("LayerParameter has no field 'novel'; ignored") == 1


@pytest.mark.parametrize(
    "words, code, message",
    [
        ([], 2, "give a net or a solver to look at; --list prints the rules"),
        (
            ["net.prototxt", "--rule", "activation-twce"],
            2,
            "no rule 'activation-twce'; did you mean 'activation-twice'",
        ),
        (["gone.prototxt"], 1, "gone.prototxt: cannot be read: No such file or directory"),
    ],
)
def test_refusals(capsys, words, code, message):
    assert main(["lint", *words]) == code
    assert message in capsys.readouterr().err
