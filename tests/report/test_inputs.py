"""A run's inputs by their contents: what changes the digest, and what does not."""

from __future__ import annotations

import os

import pytest

from eactf.recipe import load_recipe
from eactf.report import inputs
from eactf.report.inputs import inputs_digest


def recipe(path, *settings):
    name = "ferplus-clean"
    return load_recipe(name, [f"data.path={path}", *settings]).recipe


def test_one_changed_byte_anywhere_in_the_data_is_another_input(tmp_path):
    path = tmp_path / "data.h5"
    digests = set()
    for place in (0, 3_000_000, 5_999_999):
        content = bytearray(6_000_000)
        content[place] = 1
        path.write_bytes(content)
        os.utime(path, ns=(place + 1, place + 1))
        digests.add(inputs_digest(recipe(path)))
    assert len(digests) == 3


def test_the_same_contents_are_the_same_input(tmp_path):
    for name in ("a.h5", "b.h5"):
        (tmp_path / name).write_bytes(b"one")
    one, other = (inputs_digest(recipe(tmp_path / name)) for name in ("a.h5", "b.h5"))
    assert one == other
    assert one != inputs_digest(recipe(tmp_path / "missing.h5"))


def test_a_large_file_counts_by_blocks_and_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "_WHOLE", 1000)
    monkeypatch.setattr(inputs, "_BLOCK", 100)
    path = tmp_path / "data.h5"
    digests = []
    for content, changed in ((b"a" * 5000, 1), (b"b" * 5000, 1), (b"b" * 5000, 2)):
        path.write_bytes(content)
        os.utime(path, ns=(changed, changed))
        inputs._file_digest.cache_clear()
        digests.append(inputs_digest(recipe(path)))
    assert len(set(digests)) == 3


def test_a_folder_counts_by_the_files_in_it(tmp_path):
    (tmp_path / "faces" / "sad").mkdir(parents=True)
    (tmp_path / "faces" / "sad" / "one.png").write_bytes(b"1")
    folder = recipe(tmp_path / "faces", "data.source=images")
    before = inputs_digest(folder)
    assert inputs_digest(folder) == before
    (tmp_path / "faces" / "sad" / "two.png").write_bytes(b"2")
    assert inputs_digest(folder) != before


@pytest.mark.parametrize(
    ("key", "more"), [("model.weights", ()), ("noise.path", ("noise.kind=file",))]
)
def test_weights_and_label_files_are_inputs(tmp_path, key, more):
    path = tmp_path / "input"
    digests = set()
    for content in (b"one", b"two and more"):
        path.write_bytes(content)
        settings = [f"data.path={tmp_path}/data.h5", f'{key}="{path}"', *more]
        digests.add(inputs_digest(load_recipe("ferplus-clean", settings).recipe))
    assert len(digests) == 2
