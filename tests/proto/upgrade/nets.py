"""Old nets made new, text in and text out."""

from caffe_compat.log.write import NULL
from caffe_compat.proto import NetParameter
from caffe_compat.proto.text import messages_equal, parse, to_text
from caffe_compat.proto.upgrade import upgrade_net


def upgraded(text, log=NULL, **kwargs):
    net = parse(text, NetParameter, "old.prototxt")
    upgrade_net(net, "old.prototxt", log, **kwargs)
    again = NetParameter()
    again.CopyFrom(net)
    if "skip" not in kwargs:
        assert upgrade_net(again, "old.prototxt", NULL) in ([], ["batch_norm"])
        assert again == net, "an upgraded net stays as it is"
    return net


def check(old, new, **kwargs):
    net = upgraded(old, **kwargs)
    assert messages_equal(net, parse(new, NetParameter)), to_text(net)
