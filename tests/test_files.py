"""What is half written: under which name, and who takes it away."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from eactf.files import remove_leftovers, replace_atomically, temporary_name
from eactf.packed import PackedWriter


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def left_by(process, path, suffix=""):
    """What a process of this machine has half written of a file."""
    temporary = temporary_name(path)
    name = temporary.name.replace(f"-{os.getpid()}-", f"-{process}-", 1) + suffix
    left = temporary.with_name(name)
    left.touch()
    return left


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_writing_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "data.h5"
    path.write_text("old")

    def write(target):
        target.write_text("half")
        raise failure

    with pytest.raises(failure):
        replace_atomically(path, write)
    assert [left.name for left in tmp_path.iterdir()] == ["data.h5"]
    assert path.read_text() == "old"


@pytest.mark.skipif(os.name == "nt", reason="on Windows nothing is removed")
def test_leftovers_of_dead_processes_go_and_all_else_stays(tmp_path, dead):
    path = tmp_path / "data.h5"
    stale = [left_by(dead, path), left_by(dead, path, ".spare")]
    stays = [
        left_by(os.getpid(), path),
        left_by(1, path),
        left_by(dead, tmp_path / "other.h5"),
        left_by(dead, path, ".more"),
        tmp_path / f".writing-{dead}-0000beef-data.h5",  # another machine's
    ]
    stays[-1].touch()
    remove_leftovers(path, ("", ".spare"))
    assert not any(left.exists() for left in stale)
    assert all(left.exists() for left in stays)


def test_names_are_no_patterns(tmp_path, dead):
    other = left_by(dead, tmp_path / "dataXh5")
    remove_leftovers(tmp_path / "data.h5")
    assert other.exists()


@pytest.mark.skipif(os.name == "nt", reason="on Windows nothing is removed")
def test_packing_takes_away_what_a_killed_packing_of_the_same_file_left(tmp_path, dead):
    path = tmp_path / "data.h5"
    for suffix in ("", ".exact", ".spare"):
        left_by(dead, path, suffix)
    counts, shape = {"train": 2}, (4, 4, 1)
    with PackedWriter(
        path, counts=counts, image_shape=shape, class_names=("a", "b"), source="made"
    ) as writer:
        writer.append(np.zeros((2, *shape), np.uint8), np.arange(2), np.arange(2), "train")
    assert [left.name for left in tmp_path.iterdir()] == ["data.h5"]
