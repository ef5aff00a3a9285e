"""Layers of one formula an element."""
