"""A folder with one table a split beside its images is read whole, as what its tables say."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.findings import Severity
from eactf.intake.sources import SourceOptions, open_source
from eactf.packed.records import SPLITS

HEADER = "path,label\n"


def draw(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(root / name)
    return root


def write(root: Path, **tables: str) -> Path:
    """Tables by name, `_` and a suffix at its end: `train_csv`."""
    for name, text in tables.items():
        stem, suffix = name.rsplit("_", 1)
        (root / f"{stem}.{suffix}").write_text(text)
    return root


@pytest.fixture
def faces(tmp_path):
    """Six images in one folder, none of them in a class folder."""
    return draw(tmp_path, *(f"images/{name}.png" for name in "abcdef"))


def rows(*pairs: str) -> str:
    """`a sad` becomes a row that names `images/a.png`."""
    return "".join("images/{}.png,{}\n".format(*pair.split()) for pair in pairs)


def labels_of(listing):
    names = (*listing.class_names, None)
    return {
        Path(str(name)).stem: (SPLITS[split], names[given])
        for name, split, given in zip(listing.names, listing.splits, listing.given, strict=True)
    }


def finding(listing, code):
    (found,) = (finding for finding in listing.findings if finding.code == code)
    return found


EXPECTED = {
    "a": ("train", "sad"),
    "b": ("train", "glad"),
    "c": ("validation", "sad"),
    "d": ("test", "glad"),
    "e": ("test", "angry"),
    "f": ("test", "sad"),
}


@pytest.mark.parametrize(
    "names",
    [
        ("train_csv", "val_csv", "test_csv"),
        ("train_labels_csv", "valid_labels_csv", "test_labels_csv"),
        ("faces_Training_tsv", "faces_dev_tsv", "faces_testing_tsv"),
    ],
)
def test_one_table_a_split_beside_the_images_gives_all_splits(faces, names):
    tables = (
        HEADER + rows("a sad", "b glad"),
        HEADER + rows("c sad"),
        HEADER + rows("d glad", "e angry", "f sad"),
    )
    write(faces, **dict(zip(names, tables, strict=True)))
    listing = open_source(faces)
    assert labels_of(listing) == EXPECTED
    assert listing.class_names == ("angry", "glad", "sad")
    assert listing.kind == "manifest"
    assert finding(listing, "one-table-a-split").severity is Severity.NOTE
    assert [found.code for found in listing.findings] == ["one-table-a-split"]


def test_lists_without_a_header_are_joined_too(faces):
    write(faces, train_txt="images/a.png sad\nimages/b.png glad\n", val_txt="images/c.png sad\n")
    listing = open_source(faces)
    assert labels_of(listing) == {name: EXPECTED[name] for name in "abc"}
    assert finding(listing, "images-not-named").files == tuple(
        f"images/{name}.png" for name in "def"
    )


def test_columns_are_joined_by_name_and_a_test_table_may_lack_the_label(faces):
    write(
        faces,
        train_csv="path,label,age\nimages/a.png,sad,7\nimages/b.png,glad,8\n",
        test_csv="age,path\n9,images/d.png\n",
    )
    listing = open_source(faces)
    assert labels_of(listing)["d"] == ("test", None)
    assert listing.columns["age"].tolist() == ["7", "8", "9"]
    assert finding(listing, "column-in-some-tables").what.startswith("test.csv has no label")
    missing = finding(listing, "missing-label")
    assert missing.severity is Severity.WARNING and missing.files == ("line 2 of test.csv",)


def test_a_split_column_inside_the_tables_does_not_go_before_their_names(faces):
    usage = "path,label,usage\nimages/a.png,sad,train\nimages/b.png,glad,train\n"
    write(faces, train_csv=usage, test_csv="path,label,usage\nimages/d.png,glad,train\n")
    assert labels_of(open_source(faces))["d"] == ("test", "glad")


def test_an_image_in_two_tables_is_told_with_file_and_line(faces):
    write(
        faces, train_csv=HEADER + rows("a sad", "b glad"), test_csv=HEADER + rows("d sad", "a sad")
    )
    told = finding(open_source(faces), "named-in-two-splits")
    assert told.files == ("images/a.png (lines 2 of train.csv, 3 of test.csv)",)


def test_folders_beside_the_tables_are_not_taken_for_classes(faces):
    draw(faces, "masks/a.png", "masks/b.png")
    write(faces, train_csv=HEADER + rows("a sad", "b glad"), val_csv=HEADER + rows("c sad"))
    listing = open_source(faces)
    assert listing.class_names == ("glad", "sad")
    assert len(finding(listing, "images-not-named").files) == 5


def test_split_folders_with_classes_go_before_tables(tmp_path):
    draw(tmp_path, "train/sad/a.png", "train/glad/b.png", "test/sad/c.png", "test/glad/d.png")
    write(tmp_path, train_csv=HEADER, test_csv=HEADER)
    listing = open_source(tmp_path)
    assert listing.kind == "folder"
    assert finding(listing, "manifest-beside").files == ("test.csv", "train.csv")


def test_a_single_table_beside_the_images_says_the_labels(faces):
    write(faces, labels_csv=HEADER + rows("a sad", "b glad"), README_txt="about these faces\n")
    listing = open_source(faces)
    assert labels_of(listing) == {name: EXPECTED[name] for name in "ab"}
    assert listing.source == faces
    assert finding(listing, "labels-from-table").files == ("labels.csv",)


def test_of_two_tables_that_are_no_splits_neither_is_taken(faces):
    write(faces, raters_csv=HEADER + rows("a sad", "b glad"))
    write(faces, experts_csv=HEADER + rows("a sad", "b glad"))
    with pytest.raises(DataError, match="only one class folder, 'images'") as caught:
        open_source(faces)
    assert "does experts.csv say the labels? Pass it" in str(caught.value.hint)


def test_a_fault_in_one_of_the_tables_is_told_with_its_name(faces):
    write(faces, train_csv=HEADER + rows("a sad", "b glad"), val_csv="images/c.png,sad\n")
    with pytest.raises(DataError, match=r"train\.csv has a header line and val\.csv has none"):
        open_source(faces)


def test_options_of_manifests_apply_to_tables_in_a_folder(faces):
    text = "path,first,second\nimages/a.png,sad,glad\nimages/b.png,glad,sad\n"
    write(faces, train_csv=text, test_csv="path,first,second\nimages/c.png,sad,glad\n")
    listing = open_source(faces, SourceOptions(label="second"))
    assert labels_of(listing)["c"] == ("test", "glad")
    with pytest.raises(UsageError, match="--label third"):
        open_source(faces, SourceOptions(label="third"))
