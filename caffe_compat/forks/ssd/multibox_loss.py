"""MultiBoxLoss: SSD's loss of boxes and classes, over priors matched to the ground truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe_compat.forks.common.boxes import CENTER_SIZE, area, decode, encode, pairwise, suppress
from caffe_compat.forks.rcnn.smooth_l1_loss import smooth_l1
from caffe_compat.forks.ssd.detection_output import check_predictions
from caffe_compat.layers.base import Shape, layer
from caffe_compat.layers.common.legacy_shape import legacy_shape
from caffe_compat.layers.common.losses import Floor, Loss
from caffe_compat.layers.softmax_loss import FLT_MIN
from caffe_compat.proto import LossParameter, MultiBoxLossParameter

NO_MATCH, CROSSES = -1, -2  # what is matched to no box, and what lies partly outside the picture


@dataclass
class Truth:
    """Ground truth boxes: their record, class and corners, one a row."""

    record: Tensor
    label: Tensor
    box: Tensor


@dataclass
class Matches:
    """Predictions (record, loc class, prior) that learn the ground truth box `truth`, each (M,)."""

    record: Tensor
    slot: Tensor
    prior: Tensor
    truth: Tensor


@layer("MultiBoxLoss")
class MultiBoxLoss(Loss):
    """top = (loc_weight * sum of location losses + sum of confidence losses) / normalizer

    Fork: weiliu89/caffe (SSD), src/caffe/layers/multibox_loss_layer.cpp
    Bottoms: 0 offsets (N, P L 4), 1 confidences (N, P num_classes), 2 priors (1, 2, P 4), 3 ground truth
    (1, 1, G, 8): record, label, instance, xmin, ymin, xmax, ymax, difficult; record -1 is no box.
    Each ground truth box takes the prior that overlaps it most, the best pairs first; with PER_PREDICTION other
    priors take the box they overlap most, from overlap_threshold on. Mining picks the unmatched priors that count
    as background: of a record with boxes, the neg_pos_ratio times as many of greatest confidence loss that overlap
    less than neg_overlap (MAX_NEGATIVE); the sample_size of greatest loss, matched or not (HARD_EXAMPLE); all (NONE).
    The normalizer is, and is at least 1: VALID (the default) the matches, FULL N P, BATCH_SIZE N, NONE 1.
    LOGISTIC without mining has all targets 0 for an unmatched prior, as in the fork, whose labels of all records but
    the first are in wrong places there; here they are in the right ones. Equal losses are taken in order.
    """

    num_bottom = 4
    dynamic = True  # not in its top: how many predictions count is known only in forward
    fork_fields = ("multibox_loss_param",)

    def allow_force_backward(self, index: int) -> bool:
        return index < 2

    def setup(self, *bottom: Shape) -> None:
        p = self.p = self.param.multibox_loss_param
        if not p.HasField("num_classes") or p.num_classes < 1:
            self.fail("multibox_loss_param.num_classes must be set and above 0")
        self.mining, self.background = p.mining_type, p.background_label_id
        if p.HasField("do_neg_mining") and p.do_neg_mining != (self.mining != p.NONE):
            self.fail(
                f"multibox_loss_param.do_neg_mining is {str(p.do_neg_mining).lower()}, but mining_type is "
                f"{p.MiningType.Name(self.mining)}; remove do_neg_mining"
            )
        if self.mining != p.NONE and not p.share_location:
            self.fail("multibox_loss_param.share_location is false, which needs mining_type: NONE")
        if self.mining == p.HARD_EXAMPLE and p.sample_size <= 0:
            self.fail(f"multibox_loss_param.sample_size is {p.sample_size} and must be above 0")
        if p.conf_loss_type == p.SOFTMAX and self.background >= p.num_classes:
            self.fail(
                f"multibox_loss_param.background_label_id is {self.background}, but there are {p.num_classes} classes; "
                f"use 0 to {p.num_classes - 1}"
            )
        if p.map_object_to_agnostic and p.num_classes != 2:
            self.fail(f"multibox_loss_param.map_object_to_agnostic needs num_classes 2, not {p.num_classes}")
        self.locations = 1 if p.share_location else p.num_classes
        loss = self.param.loss_param
        self.mode = loss.normalization
        if loss.HasField("normalize") and not loss.HasField("normalization"):
            self.mode = LossParameter.VALID if loss.normalize else LossParameter.BATCH_SIZE
        down = list(self.param.propagate_down) or [True, True]
        self.learns_boxes, self.learns_classes = down[:2]

    def reshape(self, *bottom: Shape) -> list[Shape]:
        tops = super().reshape(*bottom)
        self.priors = legacy_shape(self, bottom[2])[2] // 4
        check_predictions(self, bottom, self.priors, self.locations, self.p.num_classes)
        if math.prod(bottom[3]) % 8:
            self.fail(f"bottom 3 of shape {bottom[3]} must hold 8 numbers a ground truth box: 1 x 1 x G x 8")
        return tops

    def forward(self, *bottom: Tensor) -> Tensor:
        records = len(bottom[0])
        offsets = bottom[0].reshape(records, self.priors, self.locations, 4)
        scores = bottom[1].reshape(records, self.priors, self.p.num_classes)
        prior, variance = bottom[2].detach().reshape(2, self.priors, 4)
        truth = self._truth(bottom[3].detach(), records)
        matches, overlaps = self._match(offsets.detach(), prior, variance, truth)
        label = torch.full((records, self.priors), self.background, dtype=torch.long, device=scores.device)
        label[matches.record, matches.prior] = truth.label[matches.truth]
        if self.mining == self.p.NONE:
            counted = torch.ones_like(label, dtype=torch.bool)
            negative = counted & (label == self.background)
        else:
            matches, negative = self._mine(
                offsets.detach(), scores.detach(), prior, variance, truth, matches, overlaps, label
            )
            counted = negative.index_put((matches.record, matches.prior), negative.new_ones(()))
        loss = offsets.new_zeros(())
        if self.learns_boxes:
            each = self._location_losses(offsets, prior, variance, truth, matches)
            loss = loss + self.p.loc_weight * each.sum()
        if self.learns_classes:
            loss = loss + self._confidence_loss(scores[counted], label[counted], negative[counted])
        divisor = {
            LossParameter.VALID: len(matches.record),
            LossParameter.FULL: records * self.priors,
            LossParameter.BATCH_SIZE: records,
        }.get(self.mode, 1)
        return loss / max(1, divisor)

    def _truth(self, bottom: Tensor, records: int) -> Truth:
        rows = bottom.reshape(-1, 8)
        rows = rows[rows[:, 0].long() != -1]
        label = rows[:, 1].long()
        bad = (label == self.background) | (label < 0)
        if not self.p.map_object_to_agnostic:
            bad |= label >= self.p.num_classes
        if bad.any():
            self.fail(
                f"a ground truth box has label {int(label[bad][0])}, but the classes are 0 to "
                f"{self.p.num_classes - 1} and {self.background} is the background; correct the data or num_classes"
            )
        if self.p.map_object_to_agnostic:
            label = torch.full_like(label, self.background + 1)
        if not self.p.use_difficult_gt:
            easy = rows[:, 7] == 0
            rows, label = rows[easy], label[easy]
        box, record = rows[:, 3:7], rows[:, 0].long()
        flat = (box[:, 2:] <= box[:, :2]).any(1)
        if flat.any() and self.p.code_type == CENTER_SIZE:
            self.fail(
                f"a ground truth box is {[round(v, 4) for v in box[flat][0].tolist()]}, which has no width or no "
                "height; correct the data"
            )
        return Truth(record, label, box)

    def _match(
        self, offsets: Tensor, prior: Tensor, variance: Tensor, truth: Truth
    ) -> tuple[Matches, list[tuple[Tensor, Tensor] | None]]:
        """The matches, in order, and for each record with boxes what its priors are matched to and overlap."""
        p = self.p
        found: list[tuple[int, Tensor, Tensor, Tensor]] = []
        details: list[tuple[Tensor, Tensor] | None] = []
        for record in range(len(offsets)):
            own = (truth.record == record).nonzero().squeeze(1)
            if not len(own):
                details.append(None)
                continue
            boxes, labels = truth.box[own], truth.label[own]
            if p.use_prior_for_matching:
                index, best = self._assign(prior, boxes)
                details.append((index, best))
                place = (index > NO_MATCH).nonzero().squeeze(1)
                slot = torch.zeros_like(place) if p.share_location else labels[index[place]]
                # By class, then by prior: the order in which the fork goes through them.
                order = slot.argsort(stable=True)
                found.append((record, slot[order], place[order], own[index[place[order]]]))
                continue
            for slot_number in range(self.locations):
                if not p.share_location and slot_number == self.background:
                    continue
                mine = own if p.share_location else own[labels == slot_number]
                predicted = self._decoded(offsets[record, :, slot_number], prior, variance)
                index, best = self._assign(predicted, truth.box[mine])
                place = (index > NO_MATCH).nonzero().squeeze(1)
                found.append((record, torch.full_like(place, slot_number), place, mine[index[place]]))
                if p.share_location:
                    details.append((index, best))
        if not found:
            none = truth.record[:0]
            return Matches(none, none, none, none), details
        matches = Matches(
            torch.cat([torch.full_like(place, number) for number, _, place, _ in found]),
            *(torch.cat(parts) for parts in list(zip(*found, strict=True))[1:]),
        )
        return matches, details

    def _decoded(self, offsets: Tensor, prior: Tensor, variance: Tensor) -> Tensor:
        return decode(
            self.p.code_type, prior, None if self.p.encode_variance_in_target else variance, offsets
        )

    def _assign(self, boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Which truth each box takes, NO_MATCH or CROSSES, and its greatest overlap with any."""
        index = torch.full((len(boxes),), NO_MATCH, dtype=torch.long, device=boxes.device)
        if not len(truth):
            return index, boxes.new_zeros(len(boxes))
        overlaps = pairwise(boxes, truth)
        overlaps = overlaps.where(overlaps > 1e-6, 0)
        if self.p.ignore_cross_boundary_bbox:
            crosses = ((boxes < 0) | (boxes > 1)).any(1)
            index[crosses] = CROSSES
            overlaps[crosses] = 0
        best, nearest = overlaps.max(1)
        left = overlaps.clone()
        for _ in range(len(truth)):
            largest = left.argmax()
            box, at = largest // len(truth), largest % len(truth)
            index[box] = torch.where(left[box, at] > 0, at, index[box])
            left[box], left[:, at] = 0, 0
        if self.p.match_type == MultiBoxLossParameter.PER_PREDICTION:
            takes = (index == NO_MATCH) & (best > 0) & (best >= self.p.overlap_threshold)
            index = torch.where(takes, nearest, index)
        return index, best

    def _mine(
        self,
        offsets: Tensor,
        scores: Tensor,
        prior: Tensor,
        variance: Tensor,
        truth: Truth,
        matches: Matches,
        details: list[tuple[Tensor, Tensor] | None],
        label: Tensor,
    ) -> tuple[Matches, Tensor]:
        """The matches that count, and which priors (N, P) count as background."""
        p = self.p
        nothing = (torch.full_like(label[0], CROSSES), scores.new_zeros(self.priors))
        index, overlaps = (torch.stack(parts) for parts in zip(*(d or nothing for d in details), strict=True))
        has_truth = torch.tensor([d is not None for d in details], device=label.device)[:, None]
        loss = self._confidence_losses(scores, label)
        if p.mining_type == p.HARD_EXAMPLE:
            each = self._location_losses(offsets, prior, variance, truth, matches).sum(1)
            loss = loss.index_put((matches.record, matches.prior), each, accumulate=True)
            eligible = has_truth.expand(label.shape)
            wanted = eligible.sum(1).clamp(max=p.sample_size)
        else:
            eligible = (index == NO_MATCH) & (overlaps < p.neg_overlap)
            positives = (index > NO_MATCH).sum(1)
            wanted = torch.minimum((positives * p.neg_pos_ratio).long(), eligible.sum(1))
        order = loss.masked_fill(~eligible, -torch.inf).argsort(dim=1, descending=True, stable=True)
        chosen = eligible.gather(1, order)
        if p.HasField("nms_param") and p.nms_param.nms_threshold > 0:
            boxes = prior.expand(len(label), -1, 4)
            if not p.use_prior_for_nms:
                boxes = self._decoded(offsets[:, :, 0], prior, variance)
            boxes = boxes.gather(1, order[..., None].expand(*order.shape, 4))
            if p.nms_param.top_k > -1:
                chosen = chosen & (torch.arange(self.priors, device=order.device) < p.nms_param.top_k)
            chosen = suppress(boxes, chosen & (area(boxes) >= 1e-5), p.nms_param.nms_threshold)
        chosen = chosen & (chosen.cumsum(1) <= wanted[:, None])
        selected = torch.zeros_like(chosen).scatter(1, order, chosen)
        if p.mining_type == p.HARD_EXAMPLE:
            keep = selected[matches.record, matches.prior]
            matches = Matches(
                matches.record[keep], matches.slot[keep], matches.prior[keep], matches.truth[keep]
            )
        return matches, selected & (index == NO_MATCH)

    def _location_losses(
        self, offsets: Tensor, prior: Tensor, variance: Tensor, truth: Truth, matches: Matches
    ) -> Tensor:
        """The loss of each offset of each match (M, 4)."""
        p = self.p
        prior, variance = prior[matches.prior], variance[matches.prior]
        predicted = offsets[matches.record, matches.prior, matches.slot]
        wanted = encode(
            p.code_type, prior, None if p.encode_variance_in_target else variance, truth.box[matches.truth]
        )
        if p.bp_inside:
            box = prior if p.use_prior_for_matching else self._decoded(predicted.detach(), prior, variance)
            predicted = torch.where((box < 0) | (box > 1), wanted, predicted)
        error = predicted - wanted
        if p.encode_variance_in_target:
            error = error / variance
        return smooth_l1(error) if p.loc_loss_type == p.SMOOTH_L1 else error.square() / 2

    def _confidence_losses(self, scores: Tensor, label: Tensor) -> Tensor:
        """The loss of each prior (N, P) if its class is `label`."""
        if self.p.conf_loss_type == self.p.SOFTMAX:
            return -Floor.apply(torch.log_softmax(scores, -1), math.log(FLT_MIN)).gather(
                -1, label[..., None]
            )[..., 0]
        return _logistic(scores, _one_hot(label, scores)).sum(-1)

    def _confidence_loss(self, scores: Tensor, label: Tensor, negative: Tensor) -> Tensor:
        """The sum over the predictions that count; which of them are `negative` tells, without mining, LOGISTIC's."""
        if self.p.conf_loss_type == self.p.SOFTMAX or self.mining != self.p.NONE:
            return self._confidence_losses(scores, label).sum()
        return _logistic(scores, _one_hot(label, scores).masked_fill(negative[:, None], 0)).sum()


def _one_hot(label: Tensor, scores: Tensor) -> Tensor:
    """`label` as rows of 0 with a 1 at the class; all 0 for one that is no class."""
    classes = torch.arange(scores.shape[-1], device=label.device)
    return (label[..., None] == classes).to(scores.dtype)


def _logistic(scores: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, target, reduction="none")
