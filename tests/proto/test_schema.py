"""caffe.proto and its little compiler: the facts of the wire, life beside a real Caffe, forks."""

import copy
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool

from caffe_compat import proto
from caffe_compat.proto import (
    TEST,
    TRAIN,
    BlobProto,
    DataParameter,
    LayerParameter,
    NetParameter,
    Phase,
    PoolingParameter,
    SolverParameter,
    SolverState,
    V1LayerParameter,
    caffe_pb2,
    compile_schema,
    fork_fields,
    hints,
    is_repeated,
)

HEAD = 'syntax = "proto2"; package caffe; '


def test_messages_and_enums_are_exported_by_name():
    assert (TRAIN, TEST) == (0, 1) == (Phase.TRAIN, Phase.Value("TEST"))
    assert PoolingParameter.AVE == 1
    assert NetParameter.DESCRIPTOR.full_name == "caffe.NetParameter"
    assert caffe_pb2.NetParameter is NetParameter
    assert set(caffe_pb2.DESCRIPTOR.message_types_by_name) <= set(dir(caffe_pb2))
    with pytest.raises(AttributeError, match="no message 'Netparameter'"):
        _ = proto.Netparameter


@pytest.mark.parametrize(
    "message, wire",
    [  # bytes as a real Caffe writes them
        (lambda: SolverState(iter=5, learned_net="a", current_step=2), "080512016120 02"),
        (lambda: BlobProto(data=[1, 2], shape={"dim": [2, 1]}), "2a080000803f00000040 3a040a020201"),
        (lambda: LayerParameter(name="a", phase=TEST, propagate_down=[True]), "0a0161 5001 5801"),
        (lambda: NetParameter(layer=[{"type": "X"}]), "a20603120158"),
        (lambda: V1LayerParameter(type=V1LayerParameter.DATA, blobs_lr=[1]), "28053d0000803f"),
    ],
    ids=["solverstate", "packed", "layer", "net", "unpacked"],
)
def test_wire_numbers(message, wire):
    assert message().SerializeToString() == bytes.fromhex(wire.replace(" ", ""))


def test_defaults():
    layer = LayerParameter()
    assert not layer.HasField("batch_norm_param")
    assert layer.batch_norm_param.moving_average_fraction == pytest.approx(0.999)
    assert layer.data_param.backend == DataParameter.LEVELDB
    assert SolverParameter().type == "SGD" and SolverParameter().random_seed == -1
    assert layer.convolution_param.weight_filler.type == "constant"


def test_no_message_is_without_a_field_number_of_its_own():
    for message in caffe_pb2.DESCRIPTOR.message_types_by_name.values():
        numbers = [field.number for field in message.fields]
        assert len(numbers) == len(set(numbers)), message.name


def test_messages_copy_and_pickle():
    net = NetParameter(layer=[{"name": "a", "origin": "x:1"}])
    assert copy.deepcopy(net) == pickle.loads(pickle.dumps(net)) == net


@pytest.mark.parametrize("first", ["caffe_pb2", "ours"])
def test_lives_beside_a_real_caffes_caffe_pb2(first):
    """Another caffe.proto, of package caffe, in the default pool of the same process."""
    script = textwrap.dedent(
        """
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

        def load_real():
            file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe")
            net = file.message_type.add(name="NetParameter")
            net.field.add(name="name", number=1, type=9, label=1)
            net.field.add(name="elsewhere", number=7, type=5, label=1)
            pool = descriptor_pool.Default()
            pool.AddSerializedFile(file.SerializeToString())
            return message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))

        def load_ours():
            from caffe_compat.proto import NetParameter
            return NetParameter

        if FIRST == "ours":
            ours, real = load_ours(), load_real()
        else:
            real, ours = load_real(), load_ours()
        assert real.FromString(ours(name="a", debug_info=True).SerializeToString()).elsewhere == 1
        assert "elsewhere" not in ours.DESCRIPTOR.fields_by_name
        """
    )
    subprocess.run([sys.executable, "-c", f"FIRST = {first!r}\n{script}"], check=True)


def test_needs_no_torch():
    script = """
import sys
import caffe_compat.proto.text, caffe_compat.proto.binary, caffe_compat.net.resolve
assert not {"torch", "onnx", "cv2", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_compiler_reads_the_whole_subset():
    file, forks, hints = compile_schema(
        HEAD
        + """
        enum Colour { RED = 0; BLUE = -4; }  // comment { with = braces
        message Part { required int64 size = 3; repeated double x = 4 [packed = true]; }
        message Whole {
          optional Kind kind = 1 [default = B];
          repeated Part part = 2;
          optional string text = 5 [default = "a // b"];  // "quoted" words
          enum Kind { A = 0; B = 1; }
        }
        extend Whole { optional bytes more = 1000; enum Kind { C = 7; } }
        hint Whole { optional bool quick = 1001; }
        """
    )
    assert (forks, hints) == ({"Whole.more", "Whole.C"}, {"Whole.quick"})
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    whole = pool.FindMessageTypeByName("caffe.Whole")
    assert [field.number for field in whole.fields] == [1, 2, 5, 1000, 1001]
    assert whole.fields_by_name["kind"].default_value == 1
    assert whole.fields_by_name["text"].default_value == "a // b"
    assert whole.fields_by_name["part"].message_type.fields_by_name["x"].GetOptions().packed
    assert [is_repeated(whole.fields_by_name[name]) for name in ("kind", "part")] == [False, True]
    assert [value.number for value in whole.enum_types_by_name["Kind"].values] == [0, 1, 7]
    assert pool.FindEnumTypeByName("caffe.Colour").values_by_name["BLUE"].number == -4
    assert isinstance(file, descriptor_pb2.FileDescriptorProto)


def test_sections_are_read_in_any_order():
    stock = HEAD + "message M { optional K k = 1; enum K { A = 0; } }"
    forks = [
        ("one", "extend M { enum K { B = 1; } } extend N { optional M m = 2; }"),
        ("two", "hint M { optional int32 b = 2; } message N { optional bool n = 1; }"),
    ]
    one, other = (compile_schema(stock, sections=order) for order in (forks, forks[::-1]))
    assert {message.name: message for message in one.file.message_type} == {
        message.name: message for message in other.file.message_type
    }
    assert one[1:] == other[1:] == ({"M.B", "N.m"}, {"M.b"})
    with pytest.raises(ValueError, match=r"^two: M\.c = 1 is taken by k = 1"):
        compile_schema(stock, sections=[("two", "extend M { optional bool c = 1; }")])


def test_a_forks_file_bears_its_owners_name():
    """One file an owner; its sections name his repositories."""
    files = sorted((Path(proto.__file__).parents[1] / "forks").rglob("*.proto"))
    assert len({file.name for file in files}) == len(files) > 150
    for file in files:
        titles = re.findall(
            r"^// ---- (?:Fork: (\S+)/\S+)?.* -*$", file.read_text(encoding="utf-8"), re.MULTILINE
        )
        owners = {owner.lower() for owner in titles}
        assert owners == {file.stem} or owners == {""}, file
        assert len(titles) == len(set(titles)) or owners != {""}, file


@pytest.mark.parametrize(
    "text, match",
    [
        ('syntax = "proto3";', "expected 'proto2', found 'proto3'"),
        (HEAD + "message M { optional int32 a 1; }", r"expected 'LABEL .*' in M, found 'optional int32 a 1'"),
        (
            HEAD + "message M { optional int32 a = 1 }",
            r"expected 'LABEL .*' in M, found 'optional int32 a = 1 }'",
        ),
        (HEAD + "message M { optional int32 a = 1 [lazy = true]; }", r"unknown option 'lazy' of M\.a"),
        (HEAD + "message M { oneof x { } }", "expected a field or an enum in M, found 'oneof'"),
        (HEAD + "message M { optional int32 a = 1; optional bool b = 1; }", "M.b = 1 is taken by a = 1"),
        (
            HEAD + "message M { optional int32 a = 1; } extend M { optional bool a = 2; }",
            "M.a = 2 is taken by a = 1",
        ),
        (HEAD + "service S { }", "expected a message, an enum, extend or hint, found 'service'"),
        (HEAD + "message M", "expected '{', found 'the end'"),
        (HEAD + "message M { optional int32 a = 1;", "expected '}' after M, found the end"),
        (HEAD + "message M { enum E { A = 0; B; } }", "expected 'NAME = NUMBER;' in E, found 'B ;'"),
        (HEAD + "extend M { optional int32 a = 1; }", "there is no message 'M' to add to"),
    ],
)
def test_compiler_complains(text, match):
    with pytest.raises(ValueError, match=match):
        compile_schema(text)


def test_fork_fields_are_listed():
    layer = LayerParameter(pooling_param={"ceil_mode": False, "pad": 1}, type="Pooling")
    layer.loss_param.normalization = layer.loss_param.PRE_FIXED
    assert fork_fields(layer) == ["loss_param.normalization: PRE_FIXED", "pooling_param.ceil_mode"]
    assert fork_fields(NetParameter(layer=[layer], default_forward_type=proto.FLOAT16)) == [
        "layer.loss_param.normalization: PRE_FIXED",
        "layer.pooling_param.ceil_mode",
    ]
    assert hints(NetParameter(layer=[layer], default_forward_type=proto.FLOAT16)) == ["default_forward_type"]
    assert fork_fields(LayerParameter(connectivity_mode=LayerParameter.CONNECTED)) == []  # the default
    assert fork_fields(SolverParameter(base_lr=1, max_lr=3, stepvalue=[2])) == ["max_lr"]
    assert fork_fields(LayerParameter(pooling_param={"pool": 1}, name="x", loss_weight=[1])) == []
