"""Convolutions of other forms: depthwise, local, deformable, dense blocks."""
