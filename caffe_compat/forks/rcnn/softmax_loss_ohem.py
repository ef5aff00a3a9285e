"""SoftmaxWithLossOHEM: a softmax loss that shows each label's term, for BoxAnnotatorOHEM to choose by."""

from caffe_compat.layers.base import layer
from caffe_compat.layers.softmax_loss import SoftmaxWithLoss


@layer("SoftmaxWithLossOHEM")
class SoftmaxWithLossOHEM(SoftmaxWithLoss):
    """top0 = -sum log max(p[label], FLT_MIN) / normalizer, p = softmax(bottom0) along `axis`; top1 = p; top2 = the terms

    Fork: intel/caffe
    This is SoftmaxWithLoss by another name. The fork's CPU path sums other positions where labels are ignored; here all
    that count are summed.
    """
