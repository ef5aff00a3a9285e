"""The grammar of prototxt, against google.protobuf.text_format, and what is said of bad text."""

import time

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from caffe_compat.errors import ParseError
from caffe_compat.log.write import Log
from caffe_compat.proto import NetParameter, SolverParameter, is_repeated
from caffe_compat.proto.text import messages_equal, parse, parse_file, to_text, top_fields


def complaint(text: str, cls=NetParameter, **kwargs) -> str:
    with pytest.raises(ParseError) as caught:
        parse(text, cls, "n.prototxt", **kwargs)
    return str(caught.value)


# -- the grammar -----------------------------------------------------------------------------------

GRAMMAR = [
    'name: "a" # a comment with "quotes" and { braces',
    "layer { name: 'a' type: 'b\"c' }",
    'layer: < name: "a"; type: "b", top: "t" >',
    'layer [ { name: "a" }, < name: "b" > ]',
    'layer { name: "a" "b" \'c\'\n  "d" }',
    r'name: "tab\t nl\n quote\" apostrophe\' oct\101\60 hex\x41\x7 back\\slash \303\251"',
    "name: 'caf\u00e9 \u65e5'",
    "layer { top: ['a', 'b'] top: 'c' bottom: [] }",
    "layer { lrn_param { alpha: 1e-4 beta: .75 k: 2. local_size: 0x5 } }",
    "layer { lrn_param { alpha: 1.5f beta: -3 k: 4f } }",
    "layer { lrn_param { alpha: inf beta: -Infinity k: 12345678901234567890 } }",
    "layer { loss_weight: 1 loss_weight: 3.4028235e38 loss_weight: 1e-45 loss_weight: 1e39 }",
    "layer { propagate_down: true propagate_down: f propagate_down: 1 propagate_down: False }",
    "layer { pooling_param { pool: AVE engine: 2 } }",
    "layer { reshape_param { shape { dim: 0 dim: -1 dim: 9223372036854775807 dim: -0x10 } } }",
    "force_backward: true, debug_info: false; state { phase: TEST stage: '' }",
    "\r\nlayer\r\n{\r\n\tname\t:\r\n\t'a' # x\r\n}\r\n",
    "",
    "# nothing",
]


@pytest.mark.parametrize("text", GRAMMAR)
def test_reads_what_text_format_reads(text):
    assert messages_equal(parse(text, NetParameter), text_format.Parse(text, NetParameter()))


def test_reads_what_only_cpps_text_format_reads():
    assert parse("input_dim: 010 input_dim: - 4", NetParameter).input_dim == [8, -4]


def test_byte_order_mark():
    assert parse('\ufeffname: "a"', NetParameter).name == "a"


def messages(descriptor_class, depth=0):
    """Messages of a class with any fields set, down to the third level."""

    def build(draw):
        message = descriptor_class()
        for field in draw(
            st.lists(st.sampled_from(list(message.DESCRIPTOR.fields)), max_size=6, unique=True)
        ):
            if field.name == "origin" or "__" in field.name or (field.message_type and depth == 2):
                continue
            for _ in range(draw(st.integers(1, 2)) if is_repeated(field) else 1):
                if field.message_type:
                    value = getattr(message, field.name)
                    value = value.add() if is_repeated(field) else value
                    value.CopyFrom(draw(messages(type(value), depth + 1)))
                else:
                    value = draw(scalars(field))
                    if is_repeated(field):
                        getattr(message, field.name).append(value)
                    else:
                        setattr(message, field.name, value)
        return message

    return st.composite(build)()


def scalars(field):
    if field.enum_type:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return {
        field.CPPTYPE_FLOAT: st.floats(allow_nan=False, width=32),
        field.CPPTYPE_DOUBLE: st.floats(allow_nan=False),
        field.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
        field.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        field.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
        field.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
        field.CPPTYPE_BOOL: st.booleans(),
        field.CPPTYPE_STRING: st.binary(max_size=9)
        if field.type == field.TYPE_BYTES
        else st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    }[field.cpp_type]


def test_no_hint_names_what_text_cannot_say():
    """device_id__list is what device_id is called where forks give it several times."""
    message = complaint("device_idd: 1", SolverParameter)
    assert "did you mean 'device_id' or" in message and "__" not in message
    message = complaint("layer { transform_param { resize_mode: WARP } }")
    assert "it belongs inside resize_param" in message and "__" not in message


def test_namesakes_of_forks_are_told_apart_by_content():
    solver = parse("device_id: [2, 0] base_lr: 1", SolverParameter)
    assert (solver.device_id, list(solver.device_id__list), solver.base_lr) == (0, [2, 0], 1)
    assert to_text(solver) == "base_lr: 1\ndevice_id: 2\ndevice_id: 0\n"
    assert parse("device_id: 2", SolverParameter).device_id == 2


def test_a_field_given_again_is_a_forks_list():
    text = "layer { transform_param { resize_param { prob: 0.1 } crop_size: 3 "
    text += "resize_param { prob: 0.2 } resize_param { prob: 0.3 } } }"
    param = parse(text, NetParameter).layer[0].transform_param
    assert not param.HasField("resize_param")
    assert [round(each.prob, 3) for each in param.resize_param__list] == [0.1, 0.2, 0.3]
    assert param.crop_size == 3


def test_the_complaint_is_about_the_first_namesake():
    with pytest.raises(
        ParseError, match=r"<string>:1:12: SolverParameter\.device_id must be a whole number, found 'x'"
    ):
        parse("device_id: x", SolverParameter)


@given(st.one_of(messages(NetParameter), messages(SolverParameter)))
def test_any_message_comes_back(message):
    if not message.IsInitialized():
        return
    cls = type(message)
    assert messages_equal(parse(to_text(message), cls), message)
    assert messages_equal(text_format.Parse(to_text(message), cls()), message)
    assert messages_equal(parse(text_format.MessageToString(message), cls), message)


def test_every_reference_prototxt_reads_as_text_format_reads_it(reference):
    files = sorted(reference.rglob("*.prototxt"))
    assert len(files) > 300
    for file in files:
        cls = SolverParameter if "solver" in file.name else NetParameter
        expected = text_format.Parse(file.read_text(), cls())
        read = parse_file(file, cls)
        assert messages_equal(read, expected), file
        assert messages_equal(parse(to_text(read), cls), expected), file


# -- bad files -------------------------------------------------------------------------------------

BAD = [
    ('layer { name: "a"\n  typ: "X" }', "n.prototxt:2:3: LayerParameter has no field 'typ'; did you mean 'type' or 'top'?"),
    ("layer { num_output: 3 }", "n.prototxt:1:9: LayerParameter has no field 'num_output'; it belongs inside convolution_param or "),
    ("layer { zzzzzz: 3 }", "n.prototxt:1:9: LayerParameter has no field 'zzzzzz'"),
    ("origin: 'x'", "n.prototxt:1:1: NetParameter has no field 'origin'"),
    ("layer { origin: 'x' }", "n.prototxt:1:9: LayerParameter has no field 'origin'"),
    ("layer { pooling_param { pool: MEAN } }", "n.prototxt:1:31: PoolingParameter.pool cannot be 'MEAN'; use MAX, AVE or STOCHASTIC"),
    ("layer { pooling_param { pool: 7 } }", "PoolingParameter.pool cannot be '7'; use MAX, AVE or STOCHASTIC"),
    ("layer { pooling_param { pool: 'MAX' } }", "'MAX' is in quotes, but PoolingParameter.pool is one of these words; use MAX, AVE or"),
    ("layer { pooling_param { kernal_size: 3 } }", "did you mean 'kernel_size'"),
    ("layer { loss_param { normalization: PRE_FIX } }", "use FULL, VALID, BATCH_SIZE or NONE; did you mean 'PRE_FIXED'?"),
    ("layers { type: CONVOLUTON }", "did you mean 'CONVOLUTION' or 'DECONVOLUTION'"),
    ("layer { type: CONVOLUTION }", "1:15: LayerParameter.type must be a string in quotes, found 'CONVOLUTION'"),
    ("layer { name: 'a'\nname: 'b' }", "n.prototxt:2:1: LayerParameter.name is given twice, first in line 1; give it once"),
    ("layer { relu_param { }\n relu_param { } }", "2:2: LayerParameter.relu_param is given twice, first in line 1"),
    ("layer { name: 'a'\n  relu_param {\n\n}\n", "n.prototxt:1:7: this LayerParameter is never closed; put a '}' where it ends"),
    ("layer < name: 'a' }", "n.prototxt:1:19: expected '>' or a field of LayerParameter, found '}'"),
    ("layer { name: 'a' } }", "n.prototxt:1:21: expected a field of NetParameter, found '}'"),
    ("layer { [x.y] { } }", "1:9: expected '}' or a field of LayerParameter, found '['"),
    ("layer { crop_param { offset: 'x' } }", "1:30: CropParameter.offset must be a whole number, found \"'x'\""),
    ("layer { crop_param { offset: -1 } }", "CropParameter.offset must be from 0 to 4294967295, found -1"),
    ("input_dim: 3000000000", "NetParameter.input_dim must be from -2147483648 to 2147483647, found 3000000000"),
    ("input_dim: 64.0", "NetParameter.input_dim must be a whole number, found '64.0'"),
    ("input_dim: [3, 4", "1:17: expected ',' or ']', found 'the end of the file'"),
    ("input_dim: 3, 4", "n.prototxt:1:15: expected a field of NetParameter, found '4'"),
    ("debug_info: yes", "NetParameter.debug_info must be true or false, found 'yes'"),
    ("layer { lrn_param { alpha: 1e } }", "LRNParameter has no field 'e'"),
    (
        "layer { lrn_param { alpha: high } }",
        "LRNParameter.alpha must be a number, found 'high'; if that is a place to fill in, this file is a template",
    ),
    ("input_dim: xBS", "must be a whole number, found 'xBS'; if that is a place to fill in, this file is a template"),
    ("layer { lrn_param { alpha: 0x10 } }", "LRNParameter.alpha must be a number, found '0x10'"),
    ("layer { lrn_param 3 }", "LayerParameter.lrn_param is a LRNParameter: expected '{', found '3'"),
    ("name 'x'", "n.prototxt:1:6: expected ':' after NetParameter.name, found \"'x'\""),
    ("name:", "n.prototxt:1:6: NetParameter.name must be a string in quotes, found 'the end of the file'"),
    ("name: 'x\n'", "n.prototxt:1:7: this string has no closing ' on its line"),
    ("name: 'x' @", "n.prototxt:1:11: unexpected character '@'"),
    ("name: 'C:\\data'", "NetParameter.name: unknown escape '\\\\d'; write a backslash as '\\\\', or '/' in a path"),
    ("layer { clip_param { min: 3 } }", "n.prototxt:1:20: ClipParameter lacks max, which must be given"),
]  # fmt: skip


@pytest.mark.parametrize("text, message", BAD, ids=[text for text, _ in BAD])
def test_bad_text(text, message):
    assert message in complaint(text)


@pytest.mark.parametrize(
    "text, placeholder",
    [
        ("input_dim: {{ batch }}", "{{ batch }}"),
        ("{% if train %}\nname: 'x'\n{% endif %}", "{% if train %}"),
        ("input_dim: {batch}", "{batch}"),
        ("input_dim: $BATCH", "$BATCH"),
        ("input_dim: ${batch size}", "${batch size}"),
        ("input_dim: %(batch)d", "%(batch)d"),
        ("input_dim: %d", "%d"),
        ("name: <NAME>", "<NAME>"),
        ("layer { relu_param { negative_slope: @SLOPE@ } }", "@SLOPE@"),
        ("layer { pooling_param { pool: XXX } }", "XXX"),
        ("layer { type: __TYPE__ }", "__TYPE__"),
        ("layer { {layers} }", "{layers}"),
        ("debug_info: TODO", "TODO"),
    ],
)
def test_templates_are_said_to_be_templates(text, placeholder):
    column = text.index(placeholder) + 1
    assert complaint(text) == (
        f"n.prototxt:1:{column}: this file is a template: {placeholder!r} is a place to fill in; fill it in, then "
        "give the result"
    )


def test_a_solver_given_as_net():
    assert complaint("net: 'n' test_iter: 1") == (
        "n.prototxt:1:1: NetParameter has no field 'net'; this file is a solver, give a net here"
    )
    inside = complaint("max_iter: 1 net_param { nam: 'n' }", SolverParameter)
    assert "NetParameter has no field 'nam'; did you mean 'name'" in inside


def test_a_net_given_as_solver():
    assert complaint("layer { }", SolverParameter) == (
        "n.prototxt:1:1: SolverParameter has no field 'layer'; this file is a net, give a solver here"
    )
    assert "SolverParameter has no field 'layer'; it belongs inside train_net_param or" in complaint(
        "max_iter: 1 layer { }", SolverParameter
    )
    assert "no field 'lr_polcy'; did you mean 'lr_policy'" in complaint("lr_polcy: 'x'", SolverParameter)


UNKNOWN = """name: "a"
fore_backward: true
layer {
  name: "x" novel_param { deep < a: [1, 2] b: "}" > }  # }
  pooling_param { pool: MAX blend: "a" 'b' , kernel_size: 3 sign: -inf; list: [ { }, { } ] }
}
"""


def test_unknown_fields_are_told_of_when_ignored(capsys, monkeypatch):
    with pytest.raises(
        ParseError,
        match="n.prototxt:2:1: NetParameter has no field 'fore_backward'; did you mean 'force_backward'",
    ):
        parse(UNKNOWN, NetParameter, "n.prototxt")

    log, told = Log(progress=False), []
    monkeypatch.setattr(log, "warning", told.append)
    net = parse(UNKNOWN, NetParameter, "n.prototxt", ignore_unknown=True, log=log)
    assert messages_equal(
        net, parse('name: "a" layer { name: "x" pooling_param { pool: MAX kernel_size: 3 } }', NetParameter)
    )
    assert told == [
        "n.prototxt:2:1: NetParameter has no field 'fore_backward'; ignored",
        "n.prototxt:4:13: LayerParameter has no field 'novel_param'; ignored",
        "n.prototxt:5:29: PoolingParameter has no field 'blend'; ignored",
        "n.prototxt:5:61: PoolingParameter has no field 'sign'; ignored",
        "n.prototxt:5:73: PoolingParameter has no field 'list'; ignored",
    ]
    parse(UNKNOWN, NetParameter, "n.prototxt", ignore_unknown=True)
    assert "n.prototxt:4:13: LayerParameter has no field 'novel_param'; ignored" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, message",
    [
        ("novel { a: ] }", "n.prototxt:1:12: unexpected ']'"),
        ("novel {\n x {\n", "n.prototxt:2:4: this '{' is never closed"),
        ("novel: ;", "n.prototxt:1:8: expected a value, found ';'"),
    ],
)
def test_bad_text_inside_what_is_ignored(text, message):
    assert message in complaint(text, ignore_unknown=True)


def test_brackets_without_end_take_no_time():
    for text in ("name: x " + "{" * 100000, "name: x " + "${" * 100000, "name: " + r'"\"' * 50000):
        started = time.perf_counter()
        with pytest.raises(ParseError, match="in quotes, found 'x'|unexpected character"):
            parse(text, NetParameter)
        assert list(top_fields(text)) == [("name", 1)]
        assert time.perf_counter() - started < 2


def test_messages_without_end():
    with pytest.raises(ParseError, match="messages lie too deep within each other in this NetParameter"):
        parse("layer { moe_param { gating_net { " * 1000, NetParameter)
