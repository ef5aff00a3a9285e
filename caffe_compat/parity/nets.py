"""A bundle's net compared: first end to end, then, if anything departs, each layer alone on Caffe's own blobs."""

from __future__ import annotations

from caffe_compat.errors import CaffeError, DataError
from caffe_compat.parity.bundle import Bundle
from caffe_compat.parity.compare import Report, Row
from caffe_compat.parity.replay import GRADIENT, PARAM_GRADIENT, Replay

TOLERANCE = 2e-4
_SETTLED = "compared on Caffe's own blobs"


def validate_net(bundle: Bundle, tolerance: float = TOLERANCE) -> Report:
    """Compare every blob, gradient and learned blob of a net that ran in Caffe; name the layers that depart."""
    report = Report(bundle.path, "net", tolerance, notes=list(bundle.notes))
    add_net_rows(bundle, report)
    return report


def add_net_rows(bundle: Bundle, report: Report) -> None:
    """Replay the net of a bundle (or the first pass of a solver's) into `report`."""
    try:
        replay = Replay(bundle, report.tolerance)
    except CaffeError as error:
        refused(bundle, report, error)
        return
    report.missing += replay.missing
    report.notes += replay.notes
    rows = replay.end_to_end()
    if replay.another_net:  # what departs there is no fault
        for row in rows:
            if not row.agrees:
                row.agrees, row.compared, row.note = True, False, "differs, in another net"
    departing = [row for row in rows if not row.agrees]
    alone: list[Row] = []
    if departing:
        backward = all(row.what in (GRADIENT, PARAM_GRADIENT) for row in departing)
        alone = replay.each_alone({row.layer for row in departing} if backward else None)
        if backward and _settle(rows, alone):
            report.kinks = True
            report.notes.append(
                "gradients end to end differ from Caffe's, though all values agree and every layer by itself gives Caffe's "
                f"gradients: values next to a kink (of ReLU or a maximum) rounded to its other side; {_SETTLED}"
            )
    report.rows += rows
    if bundle.arrays.cut:
        report.missing.append(f"{bundle.path} is cut short")
    if report.first is None:
        return
    bad = [row for row in alone if not row.agrees]
    for layer in dict.fromkeys(row.layer for row in bad):
        rows = [row for row in bad if row.layer == layer]
        what = ", ".join(dict.fromkeys(f"{row.what} of {row.name}" for row in rows))
        report.guilty.append(
            f"layer '{layer}' ({rows[0].type}): {what} (relative {rows[0].relative:.2g})"
            + (f"; {rows[0].note}" if rows[0].note else "")
        )
    if not bad:
        report.notes.append(
            "no layer departs when it is fed Caffe's own blobs: the difference builds up over the layers by rounding, "
            "or comes from a layer whose bottoms or gradients the bundle lacks"
        )


def _settle(rows: list[Row], alone: list[Row]) -> bool:
    """Put each layer's own gradients in the place of departing ones, if every departing one has such and it agrees.

    A ReLU passes a gradient or stops it. Where its bottom is 1e-8 here and -1e-8 in Caffe, both are right, and the
    gradients of all layers before it differ by more than any tolerance. Fed Caffe's own blobs, layers that are right
    agree, and by the chain rule so does the whole.
    """
    own = {(row.layer, row.what, row.name): row for row in alone if row.compared}
    places = [k for k, row in enumerate(rows) if not row.agrees]
    keys = [(rows[k].layer, rows[k].what, rows[k].name) for k in places]
    if not all(row.agrees for row in alone) or not all(key in own for key in keys):
        return False
    for k, key in zip(places, keys, strict=True):
        own[key].note = f"{_SETTLED}; end to end relative {rows[k].relative:.2g}"
        rows[k] = own[key]
    return True


def refused(bundle: Bundle, report: Report, error: CaffeError) -> None:
    """Enter that we cannot build a net which Caffe ran: our fault, unless it is not the bundle's own net."""
    if bundle.given_net or isinstance(error, DataError):
        report.missing.append(f"{error}; is it another net, or a bundle that was cut short?")
        return
    report.guilty.append(f"Caffe ran this net and we do not: {error}")
    report.rows.append(Row("", "", "net", report.source, agrees=False, note=str(error)))
