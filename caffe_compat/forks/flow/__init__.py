"""Optical flow, disparity and spatial transformers: what moves what it reads, and the losses of it."""
