"""Saliency and edges: losses of maps."""
