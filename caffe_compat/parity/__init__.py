"""Proof that this package computes what a Caffe computed: its dumped numbers and its logs, compared with ours."""
