"""FER2013's own CSV file is read in all forms in which it is public."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from open_files import open_files
from PIL import Image

from eactf.cli import cli
from eactf.errors import DataError, UsageError
from eactf.intake.readers.catalogue import open_dataset
from eactf.intake.sources import SourceOptions, open_source
from eactf.packed import open_packed
from eactf.packed.records import SPLITS

EMOTIONS = [0, 3, 6, 1, 5, 2, 4, 0]
USAGES = ["Training"] * 5 + ["PublicTest", "PrivateTest", "Training"]
FACES = np.random.default_rng(0).integers(0, 256, (8, 48, 48), dtype=np.uint8)
PIXELS = [" ".join(map(str, face.ravel().tolist())) for face in FACES]
NAMES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def write(path, header, *columns):
    rows = [",".join(map(str, cells)) for cells in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def fer2013_csv(folder):
    return write(folder / "fer2013.csv", "emotion,pixels,Usage", EMOTIONS, PIXELS, USAGES)


def icml_face_data(folder):
    columns = (EMOTIONS, USAGES, PIXELS)
    return write(folder / "icml_face_data.csv", "emotion, Usage, pixels", *columns)


def quoted(folder):
    pixels = [f'"{text}"' for text in PIXELS]
    columns = (EMOTIONS, pixels, USAGES)
    return write(folder / "fer2013.csv", '"emotion","pixels","Usage"', *columns)


def train_csv(folder):
    return write(folder / "train.csv", "emotion,pixels", EMOTIONS, PIXELS)


def test_csv(folder):
    return write(folder / "test.csv", "pixels", PIXELS)


test_csv.__test__ = False  # it writes a file of that name


@pytest.fixture
def run():
    def invoke(*words):
        return CliRunner().invoke(cli, [str(word) for word in words])

    return invoke


@pytest.mark.parametrize("form", [fer2013_csv, icml_face_data, quoted])
def test_faces_classes_and_splits_are_those_of_the_file(tmp_path, form):
    for listing in (open_source(form(tmp_path)), open_dataset("fer2013", tmp_path)):
        assert listing.class_names == NAMES
        assert listing.given.tolist() == EMOTIONS
        assert [SPLITS[split] for split in listing.splits] == [
            *["train"] * 5,
            *("validation", "test", "train"),
        ]
        assert listing.ids.tolist() == list(range(8))
        for row in range(8):
            with listing.images.open(row) as image:
                np.testing.assert_array_equal(np.asarray(image), FACES[row])


def test_a_table_without_usage_is_training_data(tmp_path):
    listing = open_source(train_csv(tmp_path))
    assert set(listing.splits.tolist()) == {0}
    assert listing.given.tolist() == EMOTIONS


def test_counts_are_compared_with_the_published_ones_of_the_splits_that_are_there(tmp_path):
    told = [finding.what for finding in open_source(train_csv(tmp_path)).findings]
    assert told == ["train has 8 images, published: 28,709"]


def test_faces_without_labels_are_refused_with_the_command_that_classifies_them(tmp_path):
    with pytest.raises(DataError, match="faces but no labels") as caught:
        open_source(test_csv(tmp_path))
    assert (caught.value.hint or "").endswith(f"eactf predict RUN {tmp_path / 'test.csv'}")


def test_in_a_folder_the_table_with_labels_is_read_and_the_other_told(tmp_path):
    train_csv(tmp_path)
    test_csv(tmp_path)
    listing = open_dataset("fer2013", tmp_path)
    assert len(listing) == 8
    assert "test.csv beside it is not" in listing.findings[-1].what


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n3,", "\n7,", "line 3, emotion: expected a whole number 0 to 6, received '7'"),
        ("PublicTest", "Public", "line 7, Usage: expected Training or PublicTest or PrivateTest"),
        ("\n3,", "\n3,1 ", "line 3, pixels: expected 2304 numbers"),
        ("emotion,", "emotion,more,", "line 2, row: expected 4 cells, received 3"),
    ],
)
def test_what_does_not_fit_is_told_with_line_and_column(tmp_path, old, new, message):
    path = fer2013_csv(tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message) as caught:
        open_source(path)
    assert path not in open_files(), f"open for as long as somebody holds {caught.value!r}"


def test_a_manifest_that_counts_pixels_is_no_table_of_faces(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    path = write(tmp_path / "m.csv", "path,label,pixels", ["a.png", "b.png"], "xy", [16, 16])
    assert open_source(path).kind == "manifest"


def test_options_of_manifests_do_not_apply(tmp_path):
    with pytest.raises(UsageError, match="--label does not apply"):
        open_source(fer2013_csv(tmp_path), SourceOptions(label="emotion"))


@pytest.mark.parametrize("words", [["fer2013", "fer2013.csv"], ["fer2013", "."], ["fer2013.csv"]])
def test_it_is_packed_with_its_name_and_without(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    fer2013_csv(tmp_path)
    result = run("data", "pack", *words, "-o", "f.h5")
    assert result.exit_code == 0, result.output
    assert "train has 6 images, published: 28,709" in result.output
    data = open_packed(tmp_path / "f.h5")
    assert data.class_names == NAMES
    assert data.image_shape == (48, 48, 1)
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 6,
        "validation": 1,
        "test": 1,
    }


def test_it_is_listed_and_its_next_command_takes_a_file(run):
    assert "fer2013" in run("data", "list").output
    shown = run("data", "list", "fer2013").output
    assert "next: eactf data pack fer2013 FILE -o fer2013.h5" in shown
    assert "FILE" in run("data", "pack", "fer2013", "--help").output.splitlines()[0]


@pytest.mark.parametrize("words", [["fer2013", "fer2013.csv"], ["fer2013.csv"]])
def test_it_is_checked_and_the_wizard_reads_it(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    fer2013_csv(tmp_path)
    result = run("data", "check", *words, "--json")
    first = json.loads(result.stdout.splitlines()[0])
    assert first["kind"] == "fer2013" and first["images"] == 8
    result = run("wizard", *words, "--yes", "--no-measure", "-o", "mine.yaml")
    assert result.exit_code == 0, result.output
    assert open_packed(tmp_path / "mine.h5").class_names == NAMES
