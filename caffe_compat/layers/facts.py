"""What a layer type says of itself, for those who would otherwise ask for its name."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from caffe_compat.proto import (
    ConvolutionParameter,
    EmbedParameter,
    InnerProductParameter,
    LayerParameter,
    RecurrentParameter,
)

WeightMessage: TypeAlias = ConvolutionParameter | InnerProductParameter | EmbedParameter | RecurrentParameter
Shape = tuple[int, ...]


class Facts:
    """What others may ask of a layer; a layer type overrides what is not so.

    Class attributes state what Caffe's virtual methods state, and what others must know of the type:
    num_bottom, num_top   how many: an int, a (least, most) pair where most may be None, or None for any
    equal_num_bottom_top  as many tops as bottoms
    is_loss               its first top gets loss_weight 1 when none is given, and an anonymous top if it has none
    is_data               `load` makes its tops and `forward` is never called; the graph takes them as inputs
    filled_by_caller      of a data layer: who runs the net puts the values of its tops there, which is no file
    is_input              of such a layer: its tops are the net's inputs, and the caller writes into the blobs themselves
    is_alias              its tops are its bottom under other names, as those of the Splits that Caffe inserts
    dynamic               the shapes of its tops may be known only in `forward`; such a net runs layer by layer
    dynamic_axis          of such tops, the axis whose size is not known before
    is_metric             it judges bottom 0 (accuracy); an exported file has that blob in its place, as with a loss
    is_accuracy           its top 0 is an accuracy: a share of what is right, the more the better
    is_random             `forward` may draw random numbers from torch's own generators, through `drawn` if it can;
                          `random_reason` says whether it does as it stands, and why
    drops_values          of a random layer: each value of its top is 0, or what it is in every run
    on_host               `forward` works on the host with the values, so it cannot be part of a CUDA graph
    in_place              False where Caffe refuses a top with the name of its bottom
    shares_memory         the tops are bottom 0's memory in Caffe: what is written into one shows in the others
    shares_diff           so are their diffs
    shared_tops           tops that are another top's memory, and which one
    kept_tops             tops that are memory of the layer's own, which its next forward reads: see `top_memory`
    wants_innermost       on a CPU it is faster on pictures whose channels lie innermost in memory
    label_bottom          the bottom that holds a class number for each item of bottom 0, whose axis 1 is the classes
    bias_blob             the index of the blob that is added to each channel, which is the last one where it is there
    drawn_as              the colour in pictures: convolution, product, window or arrangement; a follower stands in the
                          box of what it reads
    shape_tops            the indices of tops that the bottoms' shapes alone tell
    fork_fields           the fields of Caffe's forks that this layer acts on, or may ignore without harm
    """

    num_bottom: int | tuple[int, int | None] | None = None
    num_top: int | tuple[int, int | None] | None = None
    equal_num_bottom_top = False
    is_loss = False
    is_data = False
    filled_by_caller = False
    is_input = False
    is_alias = False
    dynamic = False
    dynamic_axis = 0
    is_metric = False
    is_accuracy = False
    is_random = False
    drops_values = False
    on_host = False
    in_place = True
    shares_memory = False
    shares_diff = False
    shared_tops: Mapping[int, int] = MappingProxyType({})
    kept_tops: Collection[int] = ()
    wants_innermost = False
    label_bottom: int | None = None
    bias_blob: int | None = None
    drawn_as = ""
    shape_tops: tuple[int, ...] = ()
    fork_fields: tuple[str, ...] = ()

    def overwritten_diffs(self) -> tuple[int, ...]:
        """Indices of the blobs whose gradient Caffe's backward writes, where it adds to those of all others.

        Of the passes that iter_size adds up only the last counts for them.
        """
        return ()

    def per_record(self) -> bool:
        """Whether record i (axis 0) of every top depends on record i of the bottoms and on nothing else.

        Such a layer runs once for the records of all virtual replicas; others run replica by replica.
        """
        return False

    def averages_replicas(self) -> bool:
        """Of a loss, whether its one top for the records of all virtual replicas is the mean of the replicas' own."""
        return False

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        """Multiplications by learned or normalising factors, with the additions that take their results; whole batch.

        Products of two bottoms that are summed up count, too. Comparisons, sums, pooling windows, exponentials,
        look-ups and reading between positions count nothing, nor do biases. `bottom` and `top` are shapes.
        A layer with blobs must say it, even if it is 0.
        """
        return 0

    def is_source(self) -> bool:
        """Whether its tops come from outside, so that they are the inputs of an exported file."""
        return self.is_data

    @classmethod
    def makes_the_same(cls, param: LayerParameter) -> bool:
        """For `is_data` layers: whether this one needs no source, and serves the same in every program."""
        return False

    def constant_top(self, index: int) -> float | None:
        """For `is_data` layers: the number that top `index` holds all over in every batch; None for any other top."""
        return None

    def removed_mean(self) -> int | None:
        """The index of the blob that keeps the batch's mean, which is taken out of each channel; None if none is.

        Whatever is added to the bottom's channels then changes nothing.
        """
        return None

    @classmethod
    def weight_message(cls, param: LayerParameter) -> WeightMessage | None:
        """The message inside `param` that says how the weights, blob 0, are filled; None where it is no such layer."""
        return None

    def forget(self) -> None:
        """Make the next forward begin as the first one does, with nothing carried over from those before."""

    def random_reason(self) -> str:
        """Why the tops differ from run to run on the same bottoms, in this phase and with these parameters; else "".

        It follows on the layer's name: "drops values at random in TRAIN". A data layer says so of what it serves.
        """
        return "draws at random" if self.is_random else ""

    def allow_force_backward(self, index: int) -> bool:
        """Whether force_backward may ask for the gradient of bottom `index` (labels: no)."""
        return not self.is_loss or index != 1
