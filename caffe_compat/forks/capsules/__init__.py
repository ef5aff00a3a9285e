"""Capsule nets."""
