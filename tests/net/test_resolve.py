"""filter_net and insert_splits, text in and text out."""

import pytest

from caffe_compat.errors import NetError
from caffe_compat.log.write import NULL, Log
from caffe_compat.net import resolve
from caffe_compat.net.resolve import filter_net, insert_splits
from caffe_compat.proto import TRAIN, NetParameter, NetState
from caffe_compat.proto.binary import read_caffemodel
from caffe_compat.proto.text import messages_equal, parse, read_net, to_text


def net(text):
    return parse(text, NetParameter, "n.prototxt")


# -- filter_net ------------------------------------------------------------------------------------


def kept(state, rules):
    """Whether a layer with these rules is in a net of this state, by name 'x'."""
    param = net(f"layer {{ name: 'always' }} layer {{ name: 'x' {rules} }}")
    filtered = filter_net(param, parse(state, NetState), NULL)
    assert messages_equal(filter_net(filtered, parse(state, NetState), NULL), filtered)
    names = [layer.name for layer in filtered.layer]
    assert names in (["always"], ["always", "x"])
    return len(names) == 2


@pytest.mark.parametrize(
    "state, rules, expected",
    [
        ("", "", True),
        ("phase: TRAIN", "include { phase: TRAIN }", True),
        ("phase: TEST", "include { phase: TRAIN }", False),
        ("", "include { phase: TEST }", True),  # the default phase
        ("phase: TRAIN", "exclude { phase: TRAIN }", False),
        ("phase: TEST", "exclude { phase: TRAIN }", True),
        ("", "include { }", True),  # a rule that asks for nothing is met
        ("", "exclude { }", False),
        ("level: 2", "include { min_level: 2 }", True),
        ("level: 1", "include { min_level: 2 }", False),
        ("level: 2", "include { max_level: 2 }", True),
        ("level: 3", "include { max_level: 2 }", False),
        ("level: -1", "include { min_level: -2 max_level: 0 }", True),
        ("", "include { min_level: 0 }", True),  # the default level
        ("level: 3", "exclude { min_level: 2 max_level: 4 }", False),
        ("level: 5", "exclude { min_level: 2 max_level: 4 }", True),
        ("stage: 'a'", "include { stage: 'a' }", True),
        ("stage: 'b'", "include { stage: 'a' }", False),
        ("", "include { stage: 'a' }", False),
        ("stage: 'a'", "include { stage: 'a' stage: 'b' }", False),
        ("stage: 'c' stage: 'b' stage: 'a'", "include { stage: 'a' stage: 'b' }", True),
        ("stage: 'a'", "include { stage: 'a' } include { stage: 'b' }", True),
        ("stage: 'b'", "include { stage: 'a' } include { stage: 'b' }", True),
        ("stage: 'c'", "include { stage: 'a' } include { stage: 'b' }", False),
        ("stage: 'a'", "include { not_stage: 'a' }", False),
        ("stage: 'b'", "include { not_stage: 'a' }", True),
        ("stage: 'a'", "exclude { not_stage: 'a' }", True),
        ("stage: 'a'", "include { stage: 'a' not_stage: 'b' }", True),
        ("stage: 'a' stage: 'b'", "include { stage: 'a' not_stage: 'b' }", False),
        ("stage: 'a'", "exclude { stage: 'a' } exclude { stage: 'b' }", False),
        ("stage: 'b'", "exclude { stage: 'a' } exclude { stage: 'b' }", False),
        ("stage: 'c'", "exclude { stage: 'a' } exclude { stage: 'b' }", True),
        ("phase: TRAIN level: 1", "include { phase: TRAIN min_level: 2 }", False),
        ("phase: TRAIN level: 2", "include { phase: TRAIN min_level: 2 }", True),
        ("phase: TEST level: 2", "include { phase: TRAIN min_level: 2 }", False),
        ("phase: TEST level: 2", "include { phase: TRAIN } include { min_level: 2 }", True),
    ],
)
def test_rules(state, rules, expected):
    assert kept(state, rules) == expected


def test_filtering_keeps_all_else():
    param = net(
        "name: 'n' debug_info: true state { level: 7 } layer { name: 'a' include { phase: TEST } phase: TRAIN }"
    )
    before = to_text(param)
    filtered = filter_net(param, NetState())
    assert messages_equal(filtered, param) and filtered.layer[0].origin == "n.prototxt:1"
    assert to_text(filter_net(param, NetState(phase=TRAIN))) == to_text(
        net("name: 'n' debug_info: true state { level: 7 }")
    )
    assert to_text(param) == before


def test_both_kinds_of_rules():
    with pytest.raises(
        NetError,
        match=r"n.prototxt:2: layer 'x' \(ReLU\): 2 include and 1 exclude rules; give one kind, not both",
    ):
        filter_net(net("\nlayer { name: 'x' type: 'ReLU' include { } include { } exclude { } }"), NetState())


def test_rule_log_is_caffes(capsys):
    param = net(
        "layer { name: 'p' include { phase: TEST } } layer { name: 'lo' include { min_level: 3 } }"
        "layer { name: 'hi' include { max_level: 1 } } layer { name: 's' include { stage: 'a' stage: 'z' } }"
        "layer { name: 'ns' include { not_stage: 'a' } } layer { name: 'two' exclude { phase: TEST } exclude { min_level: 9 } }"
    )
    filter_net(param, parse("phase: TRAIN level: 2 stage: 'a'", NetState), Log(progress=False))
    assert [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()] == [
        "The NetState phase (0) differed from the phase (1) specified by a rule in layer p",
        "The NetState level (2) is above the min_level (3) specified by a rule in layer lo",
        "The NetState level (2) is above the max_level (1) specified by a rule in layer hi",
        "The NetState did not contain stage 'z' specified by a rule in layer s",
        "The NetState contained a not_stage 'a' specified by a rule in layer ns",
        "The NetState phase (0) differed from the phase (1) specified by a rule in layer two",
        "The NetState level (2) is above the min_level (9) specified by a rule in layer two",
    ]


def test_a_forks_precision_is_told_of(capsys):
    param = net("default_forward_type: FLOAT16 layer { name: 'a' }")
    filter_net(param, NetState(), Log(progress=False))
    wanted = "n.prototxt: default_forward_type: a fork's, about speed, memory or precision; ignored"
    assert wanted in capsys.readouterr().err


def test_a_forks_field_that_changes_numbers_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(resolve, "fork_fields", lambda message: ["knob"])
    param, what = (
        net("layer { name: 'a' }"),
        "n.prototxt: knob: a fork of Caffe's, which nets here do not act on; ",
    )
    with pytest.raises(NetError, match=what + "remove it, or give --ignore-unknown-fields"):
        filter_net(param, NetState())
    filter_net(param, NetState(), Log(progress=False), ignore_unknown=True)
    assert what + "ignored" in capsys.readouterr().err


def test_statistics_of_parts_of_a_batch_go_to_the_layers():
    param = net(
        "bn_stats_batch_size: 32 layer { name: 'a' type: 'BatchNorm' } layer { name: 'b' type: 'ReLU' }"
    )
    filtered = filter_net(param, NetState())
    assert [layer.batch_norm_param.stats_batch_size for layer in filtered.layer] == [32, 0]
    assert not filtered.HasField("bn_stats_batch_size")


# -- insert_splits ---------------------------------------------------------------------------------

DATA = "layer { name: 'data' type: 'Data' top: 'data' top: 'label' } "


def layer(name, bottom="", top="", more=""):
    blobs = "".join(f" bottom: '{b}'" for b in bottom.split()) + "".join(f" top: '{t}'" for t in top.split())
    return f"layer {{ name: '{name}' type: 'T'{blobs} {more} }} "


def split(name, bottom, count, more=""):
    tops = " ".join(f"{name}_{k}" for k in range(count))
    return layer(name, bottom, tops, more).replace("'T'", "'Split'")


def check(before, after):
    result = insert_splits(net(before))
    assert messages_equal(result, net(after)), to_text(result)
    assert insert_splits(result) == result, "a net with its splits stays as it is"


def test_nothing_to_split():
    text = DATA + layer("ip", "data", "ip") + layer("loss", "ip label", "loss")
    check(text, text)


def test_blobs_read_twice():
    check(
        DATA
        + layer("a", "data", "a")
        + layer("b", "data", "b")
        + layer("c", "data a", "c")
        + layer("l", "label a b c"),
        DATA
        + split("data_data_0_split", "data", 3)
        + layer("a", "data_data_0_split_0", "a")
        + split("a_a_0_split", "a", 2)
        + layer("b", "data_data_0_split_1", "b")
        + layer("c", "data_data_0_split_2 a_a_0_split_0", "c")
        + layer("l", "label a_a_0_split_1 b c"),
    )


def test_second_top():
    check(
        DATA + layer("a", "label") + layer("b", "label data"),
        DATA
        + split("label_data_1_split", "label", 2)
        + layer("a", "label_data_1_split_0")
        + layer("b", "label_data_1_split_1 data"),
    )


def test_one_layer_reads_a_blob_twice():
    check(
        DATA + layer("a", "data data label", "a"),
        DATA
        + split("data_data_0_split", "data", 2)
        + layer("a", "data_data_0_split_0 data_data_0_split_1 label", "a"),
    )


def test_in_place_layers_need_no_split():
    text = DATA + layer("a", "data", "a") + layer("r", "a", "a") + layer("l", "a label")
    check(text, text)


def test_the_last_maker_names_the_split():
    check(
        DATA + layer("a", "data", "a") + layer("relu", "a", "a") + layer("b", "a") + layer("c", "a label"),
        DATA
        + layer("a", "data", "a")
        + layer("relu", "a", "a")
        + split("a_relu_0_split", "a", 2)
        + layer("b", "a_relu_0_split_0")
        + layer("c", "a_relu_0_split_1 label"),
    )


def test_a_loss_weight_is_a_use():
    check(
        DATA + layer("a", "data", "a b", "loss_weight: 2 loss_weight: 0") + layer("c", "a b label"),
        DATA
        + layer("a", "data", "a b")
        + split("a_a_0_split", "a", 2, "loss_weight: 2 loss_weight: 0")
        + layer("c", "a_a_0_split_1 b label"),
    )


def test_a_loss_weight_alone_or_zero_is_no_split():
    for text in (
        DATA + layer("a", "data label", "a", "loss_weight: 2"),
        DATA + layer("a", "data label", "a", "loss_weight: 0") + layer("b", "a"),
        DATA + layer("a", "data label", "", "loss_weight: 3"),  # no top to weigh
    ):
        check(text, text)


def test_a_split_has_its_layers_origin():
    split_net = insert_splits(net("name: 'n'\n" + DATA + "\n" + layer("a", "data data label")))
    assert [x.origin for x in split_net.layer] == ["n.prototxt:2", "n.prototxt:2", "n.prototxt:3"]


def test_resolved_net_is_the_one_in_caffes_caffemodel(reference):
    """Filter, split, and give every layer the phase: what Caffe wrote into trained_iter_10.caffemodel."""
    param = read_net(reference / "solvers/net.prototxt", NULL)
    resolved = insert_splits(filter_net(param, NetState(phase=TRAIN)))
    for layer in resolved.layer:
        layer.phase = layer.phase if layer.HasField("phase") else TRAIN
        if layer.type == "SoftmaxWithLoss":
            layer.loss_weight.append(1)  # which the layer itself does, when it is set up
    written, _ = read_caffemodel(reference / "solvers/cli/trained_iter_10.caffemodel", NULL)
    ours = NetParameter(name=resolved.name, layer=resolved.layer)
    assert messages_equal(ours, written)


def test_every_reference_net_resolves_to_itself(reference):
    for file in sorted(reference.glob("layers/*.prototxt")):
        param = read_net(file, NULL)
        resolved = insert_splits(filter_net(param, param.state, NULL))
        assert insert_splits(resolved) == resolved, file


# -- bad nets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, message",
    [
        (DATA + "\n" + layer("a", "dat"),
         r"n.prototxt:2: layer 'a' \(T\): bottom 0 'dat' is unknown: no layer before makes it; did you mean 'data'\?"),
        (DATA + "\n" + layer("a", "data late") + "\n" + layer("b", "label", "late"),
         (r"n.prototxt:2: layer 'a' \(T\): bottom 1 'late' is unknown: no layer before makes it; "
         r"n.prototxt:3: layer 'b' \(T\) makes it: move that up")),
        (layer("a", "a", "a"), r"bottom 0 'a' is unknown: no layer before makes it$"),
        (DATA + "\n" + layer("a", "label", "data"),
         (r"n.prototxt:2: layer 'a' \(T\): top 0 'data' is produced by multiple sources: n.prototxt:1: layer 'data' "
         r"\(Data\) makes it, too; give it another name")),
        (DATA + layer("a", "label data", "data"), "top 0 'data' is produced by multiple sources"),
        (DATA + layer("a", "data", "a a"), "top 1 'a' is produced by multiple sources"),
        (DATA + layer("a", "data", "data") + layer("b", "data", "c") + layer("d", "data", "data"),
         r"layer 'd' \(T\): top 0 'data' is produced by multiple sources"),
    ],
    ids=["unknown", "late", "own", "twice", "other bottom", "same layer", "in place beside another reader"],
)  # fmt: skip
def test_bad_graphs(text, message):
    with pytest.raises(NetError, match=message):
        insert_splits(net(text))


@pytest.mark.parametrize(
    ("rule", "state", "hint"),
    [
        ("include { phase: TRAIN }", "phase: TEST",
         "n.prototxt:1: layer 'd' (Input) makes it, but only in phase TRAIN: give --phase TRAIN, or the net a layer for TEST"),
        ('include { stage: "deploy" }', "phase: TEST", ("makes it, but only in stage 'deploy': give --stage "
         'deploy; a solver\'s test nets have the stages of its test_state: stage: "deploy"')),
        ('include { not_stage: "val" }', 'stage: "val"', "makes it, but only without stage 'val': leave that stage out"),
        ("include { min_level: 3 }", "level: 1", "makes it, but only from level 3 on: give --level 3"),
        ("exclude { phase: TEST }", "phase: TEST", "makes it, but an exclude rule leaves it out here: look at its exclude"),
    ],
)  # fmt: skip
def test_a_bottom_that_another_phase_or_stage_makes(rule, state, hint):
    net = f"""layer {{ name: "d" type: "Input" top: "x" {rule} }}
        layer {{ name: "r" type: "ReLU" bottom: "x" top: "y" }} state {{ {state} }}"""
    whole = parse(net, NetParameter, "n.prototxt")
    with pytest.raises(NetError) as raised:
        insert_splits(filter_net(whole, whole.state), whole)
    assert str(raised.value).endswith(
        f"bottom 0 'x' is unknown: no layer before makes it; {hint}"
    ) or hint in str(raised.value)


def test_a_layer_in_place_makes_no_blob():
    text = """layer { name: "d" type: "Input" top: "x" include { stage: "first" } }
        layer { name: "r" type: "ReLU" bottom: "x" top: "x" } state { phase: TRAIN }"""
    whole = parse(text, NetParameter, "n.prototxt")
    with pytest.raises(
        NetError, match=r"'x' is unknown: .*; n.prototxt:1: layer 'd' \(Input\) makes it, but only in stage"
    ):
        insert_splits(filter_net(whole, whole.state), whole)
