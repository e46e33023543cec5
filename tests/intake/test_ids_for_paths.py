"""A table that names its images by ids finds their files, and says how it read the ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from eactf.errors import DataError
from eactf.intake.findings import Severity
from eactf.intake.sources import SourceOptions, open_source
from eactf.packed.records import SPLITS

IDS = ("10_left", "10_right", "13_left", "13_right")


def draw(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(root / name)
    return root


def table(path: Path, header: str, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def finding(listing, code):
    (found,) = (finding for finding in listing.findings if finding.code == code)
    return found


def test_ids_are_found_with_a_suffix_in_a_folder_and_that_is_said(tmp_path):
    draw(tmp_path, *(f"train/{name}.png" for name in IDS))
    path = table(tmp_path / "trainLabels.csv", "id,level", *(f"{name},0" for name in IDS[:2]))
    path.write_text(path.read_text() + "".join(f"{name},1\n" for name in IDS[2:]))
    listing = open_source(path)
    assert listing.names.tolist() == [f"train/{name}.png" for name in IDS]
    assert listing.given.tolist() == [0, 0, 1, 1]
    (told,) = listing.findings
    assert (told.code, told.severity) == ("images-found", Severity.NOTE)
    assert "the column id names the images: train/<id>.png" in told.what
    listing.images.open(3).close()


def test_a_column_of_another_name_whose_files_are_there_goes_before_one_named_as_paths_are(
    tmp_path,
):
    draw(tmp_path, "faces/1.jpg", "faces/2.jpg")
    path = table(tmp_path / "m.csv", "image,key,label", "http://x/a,1,sad", "http://x/b,2,glad")
    assert open_source(path).names.tolist() == ["faces/1.jpg", "faces/2.jpg"]


def test_images_in_a_folder_beside_that_of_the_table_are_found(tmp_path):
    draw(tmp_path, "images/1.png", "images/2.png", "private/1.png", "private/2.png")
    path = table(tmp_path / "labels" / "m.csv", "id,label", "1,sad", "2,glad")
    listing = open_source(path)
    assert listing.names.tolist() == ["../images/1.png", "../images/2.png"]
    listing.images.open(0).close()


def test_files_that_lie_in_several_folders_are_found_each_in_its_own(tmp_path):
    draw(tmp_path, "part_1/a.png", "part_1/b.png", "part_2/c.png")
    path = table(tmp_path / "m.csv", "image_id,label", "a,sad", "b,glad", "c,sad")
    listing = open_source(path)
    assert listing.names.tolist() == ["part_1/a.png", "part_1/b.png", "part_2/c.png"]
    assert "part_1/<image_id>.png, part_2/<image_id>.png" in finding(listing, "images-found").what


def test_files_in_two_folders_are_an_error_that_names_both(tmp_path):
    draw(tmp_path, "small/a.png", "small/b.png", "large/a.png", "large/b.png")
    path = table(tmp_path / "m.csv", "id,label", "a,sad", "b,glad")
    with pytest.raises(DataError, match="are in large/ and in small/") as caught:
        open_source(path)
    assert f"--root {tmp_path / 'small'}" in str(caught.value.hint)
    chosen = open_source(path, SourceOptions(root=tmp_path / "small"))
    assert chosen.names.tolist() == ["a.png", "b.png"]


def test_two_columns_that_name_different_files_are_an_error_that_names_both(tmp_path):
    draw(tmp_path, "x/a.png", "x/b.png", "x/c.png", "x/d.png")
    path = table(tmp_path / "m.csv", "before,after,label", "a,c,sad", "b,d,glad")
    with pytest.raises(DataError, match="the cells of before and of after") as caught:
        open_source(path)
    assert "--path-column before, or --path-column after" in str(caught.value.hint)
    chosen = open_source(path, SourceOptions(path_column="after"))
    assert chosen.names.tolist() == ["x/c.png", "x/d.png"]


def test_the_same_ids_in_two_split_folders_are_told_apart_by_the_names_of_the_tables(tmp_path):
    draw(tmp_path, *(f"{split}/{number}.png" for split in ("train", "test") for number in (1, 2)))
    table(tmp_path / "train.csv", "id,label", "1,sad", "2,glad")
    table(tmp_path / "test.csv", "id,label", "1,glad", "2,sad")
    listing = open_source(tmp_path)
    assert listing.names.tolist() == ["train/1.png", "train/2.png", "test/1.png", "test/2.png"]
    assert [SPLITS[split] for split in listing.splits] == ["train", "train", "test", "test"]


def test_a_first_line_that_names_an_image_is_no_header(tmp_path):
    draw(tmp_path, "x/a.png", "x/b.png", "x/c.png")
    path = table(tmp_path / "m.csv", "a,sad", "b,glad", "c,sad")
    with pytest.raises(DataError, match="line 1: 'a' is an image itself") as caught:
        open_source(path)
    assert "path,label" in str(caught.value.hint)


def test_a_few_ids_without_a_file_are_missing_images(tmp_path):
    names = [f"{number:02}" for number in range(30)]
    draw(tmp_path, *(f"x/{name}.png" for name in names[1:]))
    rows = (f"{name},{'sad' if number % 2 else 'glad'}" for number, name in enumerate(names))
    listing = open_source(table(tmp_path / "m.csv", "id,label", *rows))
    assert listing.names[0] == "x/00" and len(listing) == 30
    assert listing.names[1] == "x/01.png"


def test_class_names_that_folders_bear_are_no_ids(tmp_path):
    draw(tmp_path, "sad/a.png", "glad/b.png")
    path = table(tmp_path / "m.csv", "file,mood", "a,sad", "b,glad")
    listing = open_source(path)
    assert listing.names.tolist() == ["sad/a.png", "glad/b.png"]
    assert listing.class_names == ("glad", "sad")
