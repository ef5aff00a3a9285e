"""A solver's snapshots: a caffemodel and a solverstate, written and taken over.

Caffe: src/caffe/solver.cpp (CheckSnapshotWritePermissions, Snapshot, Restore)
"""

from __future__ import annotations

import os

from caffe_compat.log import names
from caffe_compat.log.write import Log
from caffe_compat.net import weights
from caffe_compat.net.net import LearnedBlob, Net
from caffe_compat.proto import SolverParameter
from caffe_compat.solver import fields
from caffe_compat.solver.parallel import Group
from caffe_compat.solver.resume import Resume
from caffe_compat.solver.state import (
    SolverStateFile,
    check_history,
    find_learned_net,
    read_state,
    write_state,
)
from caffe_compat.solver.update import UpdateRule


def check_prefix(param: SolverParameter, root: str) -> None:
    """Raise SolverError if nothing can be written where snapshots go."""
    folder = os.path.dirname(_path(root, param.snapshot_prefix)) or "."
    if not os.path.isdir(folder):
        reason = "there is no such folder"
    elif not os.access(folder, os.W_OK | os.X_OK):
        reason = "the folder is not writable"
    else:
        return
    fields.fail(
        param,
        f"cannot write to snapshot prefix '{param.snapshot_prefix}': {reason}: {folder}. "
        "Make sure that the directory exists and is writable.",
    )


class Snapshots:
    """Writes and reads the two files of a snapshot. In a group every rank makes the same calls, and rank 0 the files."""

    def __init__(
        self,
        param: SolverParameter,
        root: str,
        net: Net,
        rule: UpdateRule,
        resume: Resume,
        group: Group | None,
        log: Log,
    ):
        self._param = param
        self._root = root
        self._net = net
        self._rule = rule
        self._resume = resume
        self._group = group
        self._log = log
        self.last = ""  # the solverstate that was written or read last

    def write(self, iter: int) -> tuple[str, str]:
        """Write <prefix>_iter_<iter>.caffemodel and .solverstate; returns their paths as logged."""
        param, log = self._param, self._log
        hdf5 = param.snapshot_format == SolverParameter.HDF5
        stem = f"{param.snapshot_prefix}_iter_{iter}"
        suffix = ".h5" if hdf5 else ""
        model, state = f"{stem}.caffemodel{suffix}", f"{stem}.solverstate{suffix}"
        current_step, resume = self._resume.keep()
        if self._group:
            self._group.remember_snapshot(state)
        if self._net.context.rank:
            return model, state
        log.snapshot_model(model, hdf5)
        save = weights.save_hdf5 if hdf5 else weights.save
        save(self._net, _path(self._root, model), diff=param.snapshot_diff)
        log.snapshot_state(state, hdf5)
        history = [blob.detach().cpu().numpy() for blob in self._rule.history]
        write_state(_path(self._root, state), SolverStateFile(iter, model, current_step, history, resume))
        self.last = state
        return model, state

    def read(self, state_file: str) -> SolverStateFile:
        """Take over the weights and histories of a solverstate of Caffe's or of this package's; returns what it says."""
        path, net = _path(self._root, state_file), self._net
        is_root = not net.context.rank
        if self._group is None:
            state = read_state(path)
        else:
            state = self._group.same(read_state(path) if is_root else None)
            self._group.remember_snapshot(state_file)
        shapes = [blob.shape for blob in self._rule.history]
        check_history(state, path, shapes, [_blob_name(net, blob) for blob in net.learned])
        if state.learned_net and is_root:
            model, note = find_learned_net(state, path, self._root)
            if note:
                self._log.info(note)
            weights.copy_trained_layers_from(net, model)
        if self._group:
            self._group.broadcast([blob.tensor for blob in net.learned])
        if not state_file.endswith(".h5"):
            self._log.restoring_history()
        self._rule.load_history(state.history)
        self.last = state_file
        return state

    def resume(self, state: SolverStateFile, state_file: str) -> None:
        """Let data and random numbers go on where a solverstate left them."""
        if state.resume is None:
            self._resume.skip_records(state.iter)
        else:
            self._resume.restore(state.resume, _path(self._root, state_file))


def _blob_name(net: Net, blob: LearnedBlob) -> str:
    return f"{net.layer_names[blob.layer]}[{blob.index}]"


def _path(root: str, path: str) -> str:
    """A path of the solver file, seen from `root`."""
    return os.path.join(root, names.file_name(path))
