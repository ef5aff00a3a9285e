"""Nets made from their text."""

import caffe_compat as caffe

NET = """
name: "two"
force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "low" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 1 } bias_filler { type: "constant" value: 0.5 } } }
layer { name: "act" type: "TanH" bottom: "h" top: "h" }
layer { name: "high" type: "InnerProduct" bottom: "h" top: "y" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


def build(folder, text):
    (folder / "net.prototxt").write_text(text)
    return caffe.Net(str(folder / "net.prototxt"), caffe.TEST)
