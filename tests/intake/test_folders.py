"""Image folders of every layout are listed, and what is doubtful in them is told."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.findings import Severity
from eactf.intake.listing import BadImage
from eactf.intake.sources import SourceOptions, open_source
from eactf.packed.records import SPLITS

FACES = Path(__file__).parents[3] / "shared" / "data" / "ferplus_folder"


def lay_out(root: Path, *names: str) -> Path:
    """Files by name: images where the suffix says so, folders where the name ends in a slash."""
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".jpg"):
            Image.new("L", (2, 2), 128).save(path)
        else:
            path.write_text("text")
    return root


def labels_of(listing):
    """{name: (split, class)} of every sample."""
    rows = zip(listing.names, listing.splits, listing.given, strict=True)
    return {str(n): (SPLITS[s], listing.class_names[g]) for n, s, g in rows}


def codes(listing):
    return {finding.code: finding for finding in listing.findings}


def test_class_folders_in_the_root_are_training_data(tmp_path):
    listing = open_source(lay_out(tmp_path, "sad/b.png", "sad/a.png", "glad/c.jpg"))
    assert labels_of(listing) == {
        "glad/c.jpg": ("train", "glad"),
        "sad/a.png": ("train", "sad"),
        "sad/b.png": ("train", "sad"),
    }
    assert listing.kind == "folder" and listing.ids is None
    assert listing.findings == ()
    with listing.images.open(1) as image:
        assert image.size == (2, 2)


@pytest.mark.parametrize(
    ("folder", "split"),
    [("Val", "validation"), ("valid", "validation"), ("DEV", "validation"), ("Testing", "test")],
)
def test_splits_are_known_by_their_usual_names_in_any_case(tmp_path, folder, split):
    names = ["Train/a/1.png", "Train/b/1.png", f"{folder}/a/1.png", f"{folder}/b/1.png"]
    listing = open_source(lay_out(tmp_path, *names))
    assert labels_of(listing)[f"{folder}/b/1.png"] == (split, "b")
    assert labels_of(listing)["Train/a/1.png"] == ("train", "a")


def test_number_folders_are_ordered_by_value_and_stay_names(tmp_path):
    listing = open_source(lay_out(tmp_path, *(f"{number}/x.png" for number in (1, 2, 10))))
    assert listing.class_names == ("1", "2", "10")
    assert listing.names.tolist() == ["1/x.png", "10/x.png", "2/x.png"]
    assert listing.given.tolist() == [0, 2, 1]


def test_folders_inside_a_class_belong_to_it(tmp_path):
    listing = open_source(lay_out(tmp_path, "a/day 1/x.png", "a/day 1/night/y.png", "b/z.png"))
    assert {label for _, label in labels_of(listing).values()} == {"a", "b"}
    assert "a/day 1/night/y.png" in listing.names


def test_hidden_files_and_files_of_another_kind_are_left_out_and_told(tmp_path):
    junk = ["a/.DS_Store", "a/Thumbs.db", "__MACOSX/a/x.png", "a/README.txt", ".git/x.png"]
    listing = open_source(lay_out(tmp_path, "a/x.png", "b/y.png", *junk))
    assert listing.names.tolist() == ["a/x.png", "b/y.png"]
    (finding,) = listing.findings
    assert (finding.code, finding.severity) == ("no-images", Severity.NOTE)
    assert {"a/Thumbs.db", "__MACOSX", ".git"} <= set(finding.files)


def test_a_file_with_an_image_suffix_is_listed_whatever_it_holds(tmp_path):
    lay_out(tmp_path, "a/x.png", "b/y.png")
    (tmp_path / "a" / "broken.PNG").write_text("no image")
    listing = open_source(tmp_path)
    assert listing.names.tolist()[0] == "a/broken.PNG"
    with pytest.raises(BadImage, match="not an image"):
        listing.images.open(0)


def test_the_first_bytes_make_an_image_of_a_file_whatever_it_is_called(tmp_path):
    lay_out(tmp_path, "a/1.png", "b/1.png", "a/notes.md")
    for name in ("a/face", "a/face.data", "b/FACE.PGM"):
        Image.new("L", (2, 2)).save(tmp_path / name, "PPM")
    listing = open_source(tmp_path)
    assert listing.names.tolist() == ["a/1.png", "a/face", "a/face.data", "b/1.png", "b/FACE.PGM"]
    assert codes(listing)["no-images"].files == ("a/notes.md",)
    with listing.images.open(1) as image:
        assert image.size == (2, 2)


def test_images_of_kinds_that_are_not_read_are_listed_and_cannot_be_used(tmp_path):
    listing = open_source(lay_out(tmp_path, "a/1.png", "b/1.png", "a/photo.HEIC"))
    assert "a/photo.HEIC" in listing.names.tolist()
    with pytest.raises(BadImage, match="unread kind: HEIC; convert it to PNG or JPEG"):
        listing.images.open(1)


@pytest.mark.parametrize(
    ("names", "code", "severity", "files"),
    [
        (["loose.png"], "loose-images", Severity.WARNING, ("loose.png",)),
        (["c/"], "empty-class-folder", Severity.WARNING, ("c",)),
        (["labels.csv"], "manifest-beside", Severity.NOTE, ("labels.csv",)),
        (["a/train/x.png", "a/test/x.png"], "splits-inside-classes", Severity.ERROR, None),
        (["a_/x.png"], "class-in-two-spellings", Severity.ERROR, ("a", "a_")),
    ],
)
def test_a_doubt_about_class_folders_is_a_finding(tmp_path, names, code, severity, files):
    listing = open_source(lay_out(tmp_path, "a/1.png", "b/1.png", *names))
    (finding,) = listing.findings
    assert (finding.code, finding.severity) == (code, severity)
    assert finding.fix
    assert files is None or finding.files == files


@pytest.mark.parametrize(
    ("names", "code", "severity", "files"),
    [
        (["test/a/1.png"], "class-folder-missing", Severity.WARNING, ("b",)),
        (["test/a/1.png", "test/b/1.png", "test/c/1.png"], "class-folder-missing", "error", ("c",)),
        (["train/loose.png"], "loose-images", Severity.WARNING, ("train/loose.png",)),
        (["extra/a/1.png"], "folders-not-read", Severity.WARNING, ("extra",)),
        (["val/a/1.png", "dev/b/1.png"], "split-in-two-folders", "warning", ("dev", "val")),
    ],
)
def test_a_doubt_about_split_folders_is_a_finding(tmp_path, names, code, severity, files):
    listing = open_source(lay_out(tmp_path, "train/a/1.png", "train/b/1.png", *names))
    (finding,) = listing.findings
    assert (finding.code, finding.severity, finding.files) == (code, severity, files)


def test_an_empty_class_folder_is_a_class_without_images(tmp_path):
    listing = open_source(lay_out(tmp_path, "a/1.png", "b/1.png", "c/"))
    assert listing.class_names == ("a", "b", "c")


def test_spellings_are_merged_when_asked(tmp_path):
    root = lay_out(tmp_path, "train/Sad/1.png", "train/Sad/2.png", "train/glad/1.png")
    lay_out(root, "test/sad/1.png", "test/glad/1.png")
    listing = open_source(root, SourceOptions(merge_spellings=True))
    assert listing.class_names == ("glad", "Sad")
    assert labels_of(listing)["test/sad/1.png"] == ("test", "Sad")
    assert list(codes(listing)) == ["class-in-two-spellings"]


links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


@links
def test_links_to_files_are_followed(tmp_path):
    root = lay_out(tmp_path / "data", "a/1.png", "b/1.png")
    lay_out(tmp_path, "elsewhere/x.png")
    (root / "a" / "link.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    (root / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (root / "b" / "self.png").symlink_to("self.png")
    listing = open_source(root)
    expected = ["a/1.png", "a/gone.png", "a/link.png", "b/1.png", "b/self.png"]
    assert listing.names.tolist() == expected
    with pytest.raises(BadImage, match="missing"):
        listing.images.open(1)


@links
def test_links_to_folders_are_followed_and_told(tmp_path):
    root = lay_out(tmp_path / "data", "train/a/1.png", "train/b/1.png")
    lay_out(tmp_path, "elsewhere/a/x.png", "elsewhere/b/deep/y.png", "more/z.png")
    (root / "test").symlink_to(tmp_path / "elsewhere")
    (root / "train" / "a" / "more").symlink_to(tmp_path / "more")
    listing = open_source(root)
    assert labels_of(listing) == {
        "train/a/1.png": ("train", "a"),
        "train/b/1.png": ("train", "b"),
        "train/a/more/z.png": ("train", "a"),
        "test/a/x.png": ("test", "a"),
        "test/b/deep/y.png": ("test", "b"),
    }
    told = codes(listing)["links-followed"]
    assert told.severity is Severity.NOTE and set(told.files) == {"test", "train/a/more"}
    listing.images.open(0).close()


@links
def test_links_that_lead_back_make_no_loop_and_each_folder_is_read_by_its_own_name(tmp_path):
    root = lay_out(tmp_path, "glad/1.png", "sad/1.png", "sad/deep/2.png")
    (root / "a").symlink_to(root / "sad")
    (root / "glad" / "up").symlink_to(root)
    (root / "sad" / "deep" / "self").symlink_to(root / "sad" / "deep")
    listing = open_source(root)
    assert listing.names.tolist() == ["glad/1.png", "sad/1.png", "sad/deep/2.png"]
    assert listing.class_names == ("glad", "sad")
    again = codes(listing)["folder-met-again"]
    assert again.severity is Severity.WARNING
    assert set(again.files) == {"a", "glad/up", "sad/deep/self"}


@links
def test_a_split_of_links_into_a_folder_that_is_not_read_itself_is_read(tmp_path):
    root = lay_out(tmp_path, "all/x/1.png", "all/y/1.png", "train/", "test/b/1.png", "test/a/1.png")
    (root / "train" / "a").symlink_to(root / "all" / "x")
    (root / "train" / "b").symlink_to("../all/y", target_is_directory=True)
    listing = open_source(root)
    assert labels_of(listing)["train/b/1.png"] == ("train", "b") and len(listing) == 4


@links
def test_links_to_folders_are_refused_on_request_and_counted(tmp_path):
    root = lay_out(tmp_path / "data", "a/1.png", "b/1.png")
    lay_out(tmp_path, "elsewhere/x.png")
    (root / "c").symlink_to(tmp_path / "elsewhere")
    listing = open_source(root, SourceOptions(no_links=True))
    assert listing.class_names == ("a", "b")
    assert codes(listing)["link-to-folder"].files == ("c",)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_no_text_is_shown_and_its_image_opens(tmp_path):
    root = lay_out(tmp_path, "a/1.png", "b/1.png")
    os.rename(os.fsencode(root / "a" / "1.png"), os.fsencode(root / "a") + b"/\xff.png")
    listing = open_source(root)
    assert listing.names[0] == "a/\\xff.png"
    with listing.images.open(0) as image:
        assert image.size == (2, 2)


@pytest.mark.parametrize(
    ("names", "message", "hint"),
    [
        ([], "no images in class folders", "one folder a class"),
        (["a.png", "b.png"], "2 images, but no class folders", "path,label"),
        (["a.png", "labels.csv"], "1 image, but no class folders", "Pass it: .*labels.csv"),
        (["a/x.heic"], "for example a/x.heic", "convert"),
        (["a/1.png", "test/x.png"], "is the folder 'test' a split or a class", "train"),
        (["images/a/1.png", "images/b/1.png"], "only one class folder, 'images'", "pass .*images"),
    ],
)
def test_a_folder_without_classes_is_refused_with_the_next_step(tmp_path, names, message, hint):
    lay_out(tmp_path, *names)
    with pytest.raises(DataError, match=message) as caught:
        open_source(tmp_path)
    assert caught.value.hint is not None
    assert re.search(hint, caught.value.hint)


def test_options_of_manifests_are_refused(tmp_path):
    lay_out(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(UsageError, match="--label does not apply to an image folder"):
        open_source(tmp_path, SourceOptions(label="emotion"))


@pytest.mark.skipif(not FACES.exists(), reason="the real faces are not here")
def test_the_real_folder_has_its_known_counts():
    listing = open_source(FACES)
    assert len(listing) == 200 and len(listing.class_names) == 8
    assert (listing.splits == 0).sum() == 128 and (listing.splits == 2).sum() == 72
    assert all(finding.severity is Severity.NOTE for finding in listing.findings)


def test_a_file_name_with_control_characters_is_one_line_of_plain_text(tmp_path):
    for place, name in (("a", "one\ntwo\x1b[31m.png"), ("b", "1.png")):
        (tmp_path / place).mkdir()
        (tmp_path / place / name).write_bytes(b"")
    listing = open_source(tmp_path)
    assert listing.names.tolist() == ["a/one\\ntwo\\x1b[31m.png", "b/1.png"]
    assert listing.images.bytes_on_disk(0) == 0
