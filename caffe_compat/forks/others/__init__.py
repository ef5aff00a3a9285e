"""Forks none of whose layers are here: their files are read, and refused with the line and what is missing."""
