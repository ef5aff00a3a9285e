"""Rules about BatchNorm and its Scale."""

from __future__ import annotations

from caffe_compat.inspect.lint import NOTE, Found, rule
from caffe_compat.inspect.lint.questions import has_bias, mults, uses_stored_statistics
from caffe_compat.inspect.lint.subject import Subject

_WINDOWS = 12  # a run should be so many averaging windows long: with 10 scores collapse, published runs have 80 to 600


@rule("long-moving-average")
def long_moving_average(subject: Subject) -> Found:
    """BatchNorm's stored statistics average over so much of the run that tests see a net of long ago."""
    solver = subject.solver
    if solver is None or solver.max_iter < 1:
        return
    if not any(
        uses_stored_statistics(layer, view.phase) for view in subject.test for layer in view.of("BatchNorm")
    ):
        return
    passes = solver.max_iter * max(1, solver.iter_size)
    advice = 1 - 1 / max(5, passes / 500)
    for view in subject.train:
        for layer in view.normalizers:
            fraction = layer.batch_norm_param.moving_average_fraction
            window = 1 / (1 - fraction) if fraction < 1 else passes
            if window * _WINDOWS > passes * 1.001:
                yield (
                    layer,
                    (
                        f"moving_average_fraction {fraction:g} averages the last {window:.0f} forward passes and the run has "
                        f"{passes}, so tests use statistics of weights long gone; set it to about {advice:.2g}"
                    ),
                )


@rule("global-stats-in-train")
def global_stats_in_train(subject: Subject) -> Found:
    """BatchNorm that normalises by stored statistics while training, without weights to take them from."""
    if subject.solver is not None and subject.solver.weights:
        return
    for view in subject.train:
        for layer in view.of("BatchNorm"):
            if uses_stored_statistics(layer, view.phase):
                yield (
                    layer,
                    (
                        "use_global_stats is true in TRAIN: the statistics are never computed, and without trained weights "
                        "they are 0; remove it unless you finetune with --weights"
                    ),
                )


@rule("batch-stats-in-test")
def batch_stats_in_test(subject: Subject) -> Found:
    """BatchNorm that normalises test batches by themselves."""
    for view in subject.test:
        for layer in view.normalizers:
            yield (
                layer,
                (
                    "use_global_stats is false in TEST: scores depend on what is in the batch, and testing changes the "
                    "stored statistics of the net that is trained; remove it in TEST"
                ),
            )


@rule("decay-on-batch-norm", NOTE)
def decay_on_batch_norm(subject: Subject) -> Found:
    """Weight decay or a rate on what normalises: it works against Scale, and BatchNorm ignores it."""
    decays = subject.solver is None or subject.solver.weight_decay > 0
    for view in subject.train:
        for i, layer in enumerate(view.layers):
            if (
                layer.type == "BatchNorm"
                and len(layer.param) == 3
                and any(s.lr_mult or s.decay_mult for s in layer.param)
            ):
                yield (
                    layer,
                    (
                        "Caffe sets lr_mult and decay_mult of BatchNorm's three statistics to 0 whatever is given; write "
                        "0, so that the file says what happens"
                    ),
                )
            maker = view.maker(i)
            if layer.type == "Scale" and decays and maker is not None and maker.type == "BatchNorm":
                blobs = [
                    k
                    for k in range(1 + layer.scale_param.bias_term)
                    if mults(layer, k)[0] and mults(layer, k)[1]
                ]
                if blobs:
                    yield (
                        layer,
                        (
                            "weight decay pulls the scale and bias that follow BatchNorm towards 0; give each a `param` with "
                            "decay_mult: 0 to decay weights only"
                        ),
                    )


@rule("bias-before-batch-norm", NOTE)
def bias_before_batch_norm(subject: Subject) -> Found:
    """A bias that the BatchNorm behind it takes away again."""
    for view in subject.train:
        for i, layer in enumerate(view.layers):
            maker = view.maker(i)
            normalizes = layer.type == "BatchNorm" and not uses_stored_statistics(layer, view.phase)
            if normalizes and maker is not None and has_bias(maker):
                yield maker, "BatchNorm subtracts this layer's bias with the mean; bias_term: false saves it"


@rule("iter-size-batch-norm", NOTE)
def iter_size_batch_norm(subject: Subject) -> Found:
    """iter_size does not make BatchNorm's batch larger."""
    solver = subject.solver
    if solver is None or solver.iter_size < 2:
        return
    for view in subject.train:
        if view.normalizers and len(view.batch_sizes) == 1:
            (batch,) = view.batch_sizes
            yield (
                subject.at("iter_size"),
                (
                    f"BatchNorm normalises over {batch} records, not over iter_size {solver.iter_size} x {batch}, and its "
                    f"moving average moves {solver.iter_size} times an iteration; allow for that in "
                    "moving_average_fraction"
                ),
            )


@rule("small-batch-norm", NOTE)
def small_batch_norm(subject: Subject) -> Found:
    """BatchNorm over a handful of records is noise."""
    for view in subject.train:
        for layer in view.normalizers if len(view.batch_sizes) == 1 else ():
            (batch,) = view.batch_sizes
            if batch < 8:
                yield (
                    layer,
                    (
                        f"normalises over a batch of {batch} (batch_size is each replica's); use 8 or more, or "
                        "use_global_stats with trained weights"
                    ),
                )
