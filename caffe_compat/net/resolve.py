"""Passes over a NetParameter that need no layer code: what Caffe does before it builds the net.

`filter_net` keeps the layers whose rules the net's state meets; `insert_splits` gives every blob that
is used more than once a Split layer. Both return a new message; `origin` goes along.
"""

from collections import Counter
from typing import Any

from caffe_compat.errors import NetError, nearest
from caffe_compat.log.write import NULL, Log
from caffe_compat.proto import (
    TEST,
    LayerParameter,
    NetParameter,
    NetState,
    NetStateRule,
    Phase,
    fork_fields,
    hints,
)
from caffe_compat.proto.owners import takes


def filter_net(
    param: NetParameter, state: NetState, log: Log = NULL, ignore_unknown: bool = False
) -> NetParameter:
    """The net with only the layers that `state` (a NetState) keeps; Caffe's FilterNet.

    A layer with include rules is kept if one of them is met, a layer with exclude rules if none is. What forks
    say about speed is ignored with one warning; intel/caffe's bn_stats_batch_size goes to the BatchNorm layers.
    Raises NetError for a layer with both, and for a net's field of a fork that changes what it computes, which with
    `ignore_unknown` is a warning.
    """
    filtered = NetParameter()
    filtered.CopyFrom(param)
    del filtered.layer[:]
    if ignored := dict.fromkeys(name.removeprefix("layer.") for name in hints(param)):
        log.warn_once(
            f"{param.origin or 'the net'}: {', '.join(ignored)}: a fork's, about speed, memory or precision; ignored"
        )
    records = filtered.bn_stats_batch_size
    filtered.ClearField("bn_stats_batch_size")
    if unknown := fork_fields(filtered):
        what = f"{param.origin or 'the net'}: {', '.join(unknown)}: a fork of Caffe's, which nets here do not act on"
        if not ignore_unknown:
            raise NetError(f"{what}; remove it, or give --ignore-unknown-fields")
        log.warn_once(f"{what}; ignored")
    for layer in param.layer:
        if layer.include and layer.exclude:
            raise NetError(
                f"{_where(layer)}: {len(layer.include)} include and {len(layer.exclude)} exclude rules; "
                "give one kind, not both"
            )
        if layer.include:
            kept = any(_meets(state, rule, layer.name, log) for rule in layer.include)
        else:
            kept = not any(_meets(state, rule, layer.name, log) for rule in layer.exclude)
        if kept:
            filtered.layer.add().CopyFrom(layer)
            if records and takes(layer.type, "batch_norm_param"):
                filtered.layer[-1].batch_norm_param.stats_batch_size = records
    return filtered


def _left_out(blob: str, whole: NetParameter | None) -> str:
    """A hint `; layer ... makes it, but ...` for a blob that a layer makes which the net's state leaves out, or ""."""
    if whole is None:
        return ""
    for layer in whole.layer:
        if _makes(layer, blob):
            unmet = [_unmet(whole.state, rule) for rule in layer.include]
            if unmet and all(reason for reason, _ in unmet):
                reason, remedy = unmet[0]
                return f"; {_where(layer)} makes it, but only {reason}: {remedy}"
            if any(not _unmet(whole.state, rule)[0] for rule in layer.exclude):
                return (
                    f"; {_where(layer)} makes it, but an exclude rule leaves it out here: look at its exclude"
                )
    return ""


def _makes(layer: LayerParameter, blob: str) -> bool:
    """Whether a layer makes a blob; one in place only changes it."""
    return blob in layer.top and blob not in layer.bottom


def _unmet(state: NetState, rule: NetStateRule) -> tuple[str, str]:
    """What a rule asks that a state does not meet, and how to give it; ("", "") where it is met."""
    if rule.HasField("phase") and rule.phase != state.phase:
        name = Phase.Name(rule.phase)
        return f"in phase {name}", f"give --phase {name}, or the net a layer for {Phase.Name(state.phase)}"
    for stage in rule.stage:
        if stage not in state.stage:
            for_tests = f'; a solver\'s test nets have the stages of its test_state: stage: "{stage}"'
            return (
                f"in stage '{stage}'",
                f"give --stage {stage}{for_tests if state.phase == TEST else ''}",
            )
    for stage in rule.not_stage:
        if stage in state.stage:
            return f"without stage '{stage}'", "leave that stage out"
    if rule.HasField("min_level") and state.level < rule.min_level:
        return f"from level {rule.min_level} on", f"give --level {rule.min_level}"
    if rule.HasField("max_level") and state.level > rule.max_level:
        return f"up to level {rule.max_level}", f"give --level {rule.max_level}"
    return "", ""


def _meets(state: NetState, rule: NetStateRule, layer: str, log: Log) -> bool:
    if rule.HasField("phase") and rule.phase != state.phase:
        log.rule_phase(state.phase, rule.phase, layer)
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        log.rule_min_level(state.level, rule.min_level, layer)
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        log.rule_max_level(state.level, rule.max_level, layer)
        return False
    for stage in rule.stage:
        if stage not in state.stage:
            log.rule_stage(stage, layer)
            return False
    for stage in rule.not_stage:
        if stage in state.stage:
            log.rule_not_stage(stage, layer)
            return False
    return True


def insert_splits(param: NetParameter, whole: NetParameter | None = None) -> NetParameter:
    """The net with a Split layer after every top that is used more than once; Caffe's InsertSplits.

    A use is a bottom of a later layer, or a non-zero loss_weight. The split of blob b, top t of layer l,
    is named b_l_t_split, its tops b_l_t_split_0 and so on, in the order of use; a loss weight goes first.
    Raises NetError for a bottom that no earlier layer makes, and for a top that two layers make, unless the
    second works in place: on the bottom of the same index, which then nobody else may read.
    Of a blob that a layer makes in another phase, stage or level, `whole`, the net before `filter_net`, tells so.
    """
    made_by: dict[str, tuple[int, int]] = {}  # blob: layer and top that made it last
    source: dict[tuple[int, int], tuple[int, int]] = {}  # layer and bottom: the same of the blob it reads
    uses: Counter[tuple[int, int]] = Counter()
    weight: dict[tuple[int, int], float] = {}
    for i, layer in enumerate(param.layer):
        for j, blob in enumerate(layer.bottom):
            if blob not in made_by:
                later = next((other for other in param.layer[i:] if _makes(other, blob)), None)
                hint = f"; {_where(later)} makes it: move that up" if later else ""
                hint = hint or _left_out(blob, whole) or nearest(blob, made_by)
                raise NetError(
                    f"{_where(layer)}: bottom {j} '{blob}' is unknown: no layer before makes it{hint}"
                )
            source[i, j] = made_by[blob]
            uses[made_by[blob]] += 1
        for j, blob in enumerate(layer.top):
            made_by[blob] = (i, j)
        for blob, loss_weight in zip(layer.top, layer.loss_weight, strict=False):
            weight[made_by[blob]] = loss_weight
            uses[made_by[blob]] += loss_weight != 0

    split = NetParameter()
    split.CopyFrom(param)
    del split.layer[:]
    taken: Counter[tuple[int, int]] = Counter()
    for i, layer in enumerate(param.layer):
        new = split.layer.add()
        new.CopyFrom(layer)
        for j, blob in enumerate(layer.bottom):
            top = source[i, j]
            if uses[top] > 1:
                new.bottom[j] = f"{_split_name(param, top, blob)}_{taken[top]}"
                taken[top] += 1
        for j, blob in enumerate(layer.top):
            top = (i, j)
            if uses[top] <= 1:
                continue
            name = _split_name(param, top, blob)
            added = split.layer.add(name=name, type="Split", bottom=[blob], origin=layer.origin)
            added.top.extend(f"{name}_{k}" for k in range(uses[top]))
            if weight.get(top):
                added.loss_weight.extend([weight[top]] + [0] * (uses[top] - 1))
                new.ClearField("loss_weight")
                taken[top] += 1
    _check_tops(split)
    return split


def _check_tops(param: NetParameter) -> None:
    maker: dict[str, Any] = {}
    for layer in param.layer:
        for j, blob in enumerate(layer.top):
            if blob in maker and blob not in layer.bottom[j : j + 1]:
                raise NetError(
                    f"{_where(layer)}: top {j} '{blob}' is produced by multiple sources: {_where(maker[blob])} makes "
                    "it, too; give it another name (a layer may work in place only on what no other layer reads)"
                )
            maker[blob] = layer


def _split_name(param: NetParameter, top: tuple[int, int], blob: str) -> str:
    return f"{blob}_{param.layer[top[0]].name}_{top[1]}_split"


def _where(layer: LayerParameter) -> str:
    head = f"{layer.origin}: " if layer.origin else ""
    return f"{head}layer '{layer.name}' ({layer.type})"
