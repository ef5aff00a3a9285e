"""The R-CNN family: proposals, pooling of regions, cascades, and the losses of both."""
