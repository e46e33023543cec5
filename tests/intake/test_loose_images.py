"""Images without labels are found as labelled ones are, and what is left out is said."""

from __future__ import annotations

import pytest
from PIL import Image

from eactf.errors import UsageError
from eactf.intake.sources.loose_images import find_images


def put(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_images_are_found_in_folders_and_taken_as_named_outright(tmp_path):
    put(tmp_path, "b.PNG", "deep/a.webp", "notes.txt")
    found = find_images((tmp_path, tmp_path / "notes.txt"))
    assert [str(path.relative_to(tmp_path)) for path in found.paths] == [
        "b.PNG",
        "deep/a.webp",
        "notes.txt",
    ]
    with pytest.raises(UsageError, match="no file"):
        find_images((tmp_path / "gone",))


def test_hidden_files_and_folders_are_left_out_and_said(tmp_path):
    put(tmp_path, "a.png", "._a.png", ".ipynb_checkpoints/a.png", "__MACOSX/a.png", "notes.txt")
    found = find_images((tmp_path,))
    assert [path.name for path in found.paths] == ["a.png"]
    assert found.left_out == (
        f"{tmp_path}: left out 3 hidden files and folders: ._a.png, .ipynb_checkpoints, __MACOSX",
        f"{tmp_path}: left out 1 file that is no image",
    )


def test_linked_folders_are_looked_through_once(tmp_path):
    put(tmp_path, "data/a.png", "elsewhere/b.png")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    found = find_images((tmp_path / "data",))
    assert [path.name for path in found.paths] == ["a.png", "b.png"]
    assert found.left_out == (f"{tmp_path / 'data'}: left out 1 folder met again by a link: loop",)


def test_an_image_is_told_by_its_first_bytes_where_its_name_does_not_tell(tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "face", "PPM")
    assert [path.name for path in find_images((tmp_path,)).paths] == ["face"]


def test_a_folder_without_an_image_is_a_usage_error(tmp_path):
    put(tmp_path, ".hidden.png")
    with pytest.raises(UsageError, match="no image in"):
        find_images((tmp_path,))
