"""A checkpoint is one file, all arrays of a method and where its run stands: whole or not there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np

from eactf.errors import TrainingError
from eactf.files import replace_atomically

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

VERSION = 1
"""The form of the file; raised when older programs could not read it rightly."""

_FACTS = "facts"
_STATE = "state"


@dataclass(frozen=True)
class Checkpoint:
    """A method's `state` and the `facts` of its run, plain values of JSON."""

    state: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint, also: Sequence[Path] = ()) -> None:
    """Write a checkpoint over an earlier one, which stays until the new one is safe on the disk.

    It becomes each of `also`, in the same folder, before it becomes `path`: one that is there under
    that name is everywhere. Raises `OSError` where there is no room or no permission; the earlier
    one is then untouched.
    """
    facts = json.dumps({"version": VERSION, **checkpoint.facts}).encode()

    def write(target: Path) -> None:
        # Not HDF5: where the disk is full its library takes the process down with it.
        with target.open("wb") as file:
            named = {f"{_STATE}/{name}": array for name, array in checkpoint.state.items()}
            np.savez(file, allow_pickle=False, **{_FACTS: np.frombuffer(facts, np.uint8), **named})
        for other in also:
            replace_atomically(other, lambda place: _same_file(target, place))

    replace_atomically(path, write)


def _same_file(path: Path, place: Path) -> None:
    """Let `place` be the same file; a copy where the file system knows no second names."""
    try:
        os.link(path, place)
    except OSError:
        shutil.copyfile(path, place)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises `TrainingError` for a file that is damaged or of a later version of eactf, `OSError`
    where there is none.
    """
    with path.open("rb") as file:
        try:
            facts, state = _read(file)
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise TrainingError(
                f"{path} is damaged and cannot be read",
                hint="train anew: the run's recipe.yaml is the recipe",
            ) from error
    if facts.get("version") != VERSION:
        raise TrainingError(
            f"{path} is in the form {facts.get('version')}, written by eactf {facts.get('eactf')};"
            f" this one reads the form {VERSION}",
            hint="go on with the version of eactf that began the run",
        )
    return Checkpoint(state, facts)


def _read(file: BinaryIO) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    prefix = f"{_STATE}/"
    with np.load(file, allow_pickle=False) as stored:
        facts: dict[str, Any] = json.loads(bytes(stored[_FACTS]))
        names = [name for name in stored.files if name.startswith(prefix)]
        return facts, {name.removeprefix(prefix): stored[name] for name in names}
