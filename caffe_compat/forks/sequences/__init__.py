"""Sequences: LSTMs of forks, connectionist temporal classification."""
