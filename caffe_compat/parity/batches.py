"""A bundle's batches beside those that data layers serve here."""

from __future__ import annotations

import re

from caffe_compat.errors import DataError
from caffe_compat.layers.base import Context
from caffe_compat.net.net import Net
from caffe_compat.parity.bundle import Bundle
from caffe_compat.parity.compare import Report, Row, compare


def validate_data(bundle: Bundle, tolerance: float = 0.0) -> Report:
    """Compare the batches that data layers serve, which must be equal."""
    report = Report(bundle.path, "data", tolerance, notes=list(bundle.notes))
    net = Net(bundle.net_param, context=Context(root=bundle.root))
    served = {int(match[1]) for key in bundle.arrays if (match := re.match(r"batch(\d+)\.", key))}
    for batch in (f"batch{number}" for number in sorted(served)):
        for layer in net.data_layers():
            for name, top in zip(layer.param.top, layer.load(net.device), strict=True):
                if f"{batch}.{name}" not in bundle.arrays:
                    raise DataError(f"{bundle.path}: lacks {batch}.{name}; is it of another net?")
                row = Row(layer.name, layer.type, batch, name)
                report.rows.append(compare(row, top, bundle.arrays[f"{batch}.{name}"], tolerance))
    if bundle.arrays.cut:
        report.missing.append(f"{bundle.path} is cut short")
    others = dict.fromkeys((row.layer, row.type) for row in report.rows if not row.agrees)
    report.guilty += [f"layer '{name}' ({kind}) serves other values" for name, kind in others]
    return report
