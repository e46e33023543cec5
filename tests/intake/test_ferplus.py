"""The two published CSV files are packed, and every way they can be wrong is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from eactf.cli.data import data
from eactf.errors import DataError, UsageError
from eactf.intake.readers.ferplus import NO_IMAGE, pack_ferplus
from eactf.packed import open_packed

IMAGE_HEADER = "emotion,pixels,Usage"
VOTE_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)

FERPLUS = Path(__file__).parents[3] / "shared" / "data" / "ferplus.npz"

USAGES = ["Training", "Training", "Training", "PublicTest", "PrivateTest", "Training", "PublicTest"]
EMOTIONS = [3, 0, 6, 3, 5, 2, 1]
NAMES = ["fer0.png", "fer1.png", "", "fer3.png", "fer4.png", "fer5.png", "fer6.png"]
VOTES = [
    [0, 10, 0, 0, 0, 0, 0, 0, 0, 0],  # happiness, as FER2013 says (3)
    [4, 0, 0, 0, 3, 0, 0, 0, 3, 0],  # neutral without a majority; FER2013 says angry (0)
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],  # removed by FERPlus
    [0, 0, 0, 0, 0, 0, 0, 8, 2, 0],  # contempt
    [0, 0, 9, 0, 0, 0, 1, 0, 0, 0],  # surprise, as FER2013 says (5)
    [0, 0, 0, 0, 0, 0, 3, 0, 7, 0],  # unknown
    [0, 0, 0, 0, 0, 10, 0, 0, 0, 0],  # disgust, as FER2013 says (1)
]


def write_images(path: Path, emotions, images, usages, header=IMAGE_HEADER) -> Path:
    """Kaggle's file: class, 2304 pixels, usage."""
    lines = [header]
    for emotion, image, usage in zip(emotions, images, usages, strict=True):
        lines.append(f"{emotion},{' '.join(map(str, np.ravel(image).tolist()))},{usage}")
    path.write_text("\n".join(lines) + "\n")
    return path


def write_votes(path: Path, usages, names, votes, header=VOTE_HEADER) -> Path:
    """Microsoft's file: usage, image name, ten votes."""
    lines = [header]
    for usage, name, row in zip(usages, names, votes, strict=True):
        lines.append(f"{usage},{name},{','.join(map(str, row))}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (len(USAGES), 48, 48, 1), dtype=np.uint8)


@pytest.fixture
def files(tmp_path, images):
    images_csv = write_images(tmp_path / "fer2013.csv", EMOTIONS, images, USAGES)
    return images_csv, write_votes(tmp_path / "fer2013new.csv", USAGES, NAMES, VOTES)


def edit(path, line, old, new):
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    path.write_text("\n".join(lines) + "\n")


def test_pixels_labels_votes_names_and_ids_are_those_of_the_files(tmp_path, files, images):
    pack_ferplus(*files, tmp_path / "f.h5")
    dataset = open_packed(tmp_path / "f.h5")
    rows = {"train": [0, 1], "validation": [3, 6], "test": [4]}
    given = {"train": [1, 0], "validation": [7, 5], "test": [2]}
    fer2013 = {"train": [1, 4], "validation": [1, 5], "test": [2]}
    assert list(dataset.splits) == list(rows)
    for name, samples in dataset.splits.items():
        assert samples.ids.tolist() == rows[name]
        assert samples.given.tolist() == given[name]
        assert samples.labels["fer2013"].tolist() == fer2013[name]
        assert samples.names is not None
        assert samples.names.tolist() == [NAMES[row] for row in rows[name]]
        np.testing.assert_array_equal(samples.votes, np.array(VOTES)[rows[name]])
        np.testing.assert_array_equal(samples.images, images[rows[name]])
    assert dataset.class_names[0] == "neutral" and dataset.class_names[7] == "contempt"
    assert dataset.vote_columns[-2:] == ("unknown", "NF")
    assert dataset.notes["vote_rule"] == "argmax"


def test_the_report_says_what_was_kept_and_dropped_and_why(tmp_path, files):
    report = pack_ferplus(*files, tmp_path / "f.h5", rule="majority")
    assert (report.rows, report.kept) == (7, 4)
    train, validation = report.splits["train"], report.splits["validation"]
    assert (train.rows, train.kept, train.agree) == (4, 1, 1)
    assert train.dropped == {"no majority": 1, NO_IMAGE: 1, "unknown": 1}
    assert (validation.kept, validation.agree, validation.dropped) == (2, 1, {})
    assert validation.classes["contempt"] == 1
    assert report.as_dict()["splits"]["train"]["dropped"]["unknown"] == 1


def test_seven_classes_leave_out_contempt(tmp_path, files):
    report = pack_ferplus(*files, tmp_path / "f.h5", classes=7)
    assert report.splits["validation"].dropped == {"contempt": 1}
    assert len(open_packed(tmp_path / "f.h5").class_names) == 7


def test_the_soft_rule_stores_targets(tmp_path, files):
    pack_ferplus(*files, tmp_path / "f.h5", rule="soft")
    targets = open_packed(tmp_path / "f.h5").splits["train"].targets
    assert targets is not None
    np.testing.assert_allclose(targets[1, [0, 4]], [4 / 7, 3 / 7], rtol=1e-6)


def test_progress_ends_at_the_number_of_rows(tmp_path, files):
    calls = []
    pack_ferplus(*files, tmp_path / "f.h5", progress=lambda done, rows: calls.append((done, rows)))
    assert calls[-1] == (7, 7)


@pytest.mark.parametrize(
    ("which", "line", "old", "new", "message"),
    [
        (0, 1, "pixels", "pixel", "fer2013.csv, line 1: expected the header emotion,pixels,Usage"),
        (1, 1, "contempt", "contemt", "fer2013new.csv, line 1: expected the header Usage,Image"),
        (0, 2, "Training", "Train", "fer2013.csv, line 2, Usage: expected Training or"),
        (0, 5, "PublicTest", "Training", "line 5, Usage: expected PublicTest as row 3 of"),
        (0, 3, "0,", "7,", "line 3, emotion: expected a whole number 0 to 6, received '7'"),
        (0, 3, "0,", "x,", "line 3, emotion: expected a whole number 0 to 6, received 'x'"),
        (0, 2, " ", " 7 ", "line 2, pixels: expected 2304 numbers .48 x 48., received 2305"),
        (0, 2, " ", " 256", "line 2, pixels: expected whole numbers 0 to 255, received '256"),
        (0, 2, ",Training", "", "line 2, row: expected 3 cells, received 2"),
        (1, 3, ",4,", ",four,", "line 3, neutral: expected a whole number 0 to 255, received 'fo"),
        (1, 3, ",3,", ",-3,", "line 3, anger: expected a whole number 0 to 255, received '-3'"),
        (1, 3, ",3,", ",3.5,", "line 3, anger: expected a whole number 0 to 255, received '3.5'"),
        (1, 4, "Training", "", "fer2013new.csv, line 4, Usage: expected Training or"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_line_and_column(
    tmp_path, files, which, line, old, new, message
):
    edit(files[which], line, old, new)
    with pytest.raises(DataError, match=message) as caught:
        pack_ferplus(*files, tmp_path / "f.h5")
    assert caught.value.hint
    assert not (tmp_path / "f.h5").exists()


@pytest.mark.parametrize(("which", "rows", "votes"), [(0, 6, 7), (1, 7, 6)])
def test_files_of_different_length_are_refused(tmp_path, files, which, rows, votes):
    lines = files[which].read_text().splitlines()[:-1]
    files[which].write_text("\n".join(lines) + "\n")
    message = f"has {rows} rows of images, .* has {votes} rows of votes"
    with pytest.raises(DataError, match=message):
        pack_ferplus(*files, tmp_path / "f.h5")


def test_swapped_files_are_recognised(tmp_path, files):
    with pytest.raises(DataError, match="swapped"):
        pack_ferplus(files[1], files[0], tmp_path / "f.h5")


def test_a_compressed_file_is_recognised(tmp_path, files):
    files[0].write_bytes(gzip.compress(files[0].read_bytes()))
    with pytest.raises(DataError, match="is a gzip file"):
        pack_ferplus(*files, tmp_path / "f.h5")


def test_a_file_that_is_not_text_is_refused(tmp_path, files):
    files[1].write_bytes(VOTE_HEADER.encode() + b"\n\xff\xfe\xfa\n")
    with pytest.raises(DataError, match="not a CSV text file"):
        pack_ferplus(*files, tmp_path / "f.h5")


def test_an_empty_file_is_refused(tmp_path, files):
    files[1].write_text("")
    with pytest.raises(DataError, match="received an empty line"):
        pack_ferplus(*files, tmp_path / "f.h5")


def test_a_missing_file_is_a_usage_error(tmp_path, files):
    with pytest.raises(UsageError, match="does not exist"):
        pack_ferplus(files[0], tmp_path / "none.csv", tmp_path / "f.h5")


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path, files):
    for path in files:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert pack_ferplus(*files, tmp_path / "f.h5").kept == 5


def test_a_rule_that_keeps_nothing_says_so(tmp_path):
    images = np.zeros((1, 48, 48), np.uint8)
    images_csv = write_images(tmp_path / "i.csv", [0], images, ["Training"])
    votes_csv = write_votes(tmp_path / "v.csv", ["Training"], ["a.png"], [[0] * 9 + [10]])
    with pytest.raises(DataError, match="keeps none of its 1 images"):
        pack_ferplus(images_csv, votes_csv, tmp_path / "f.h5")


@pytest.mark.skipif(not FERPLUS.exists(), reason="the real faces are not here")
def test_real_faces_come_through_the_two_files_unchanged(tmp_path):
    with np.load(FERPLUS, allow_pickle=False) as arrays:
        names = ("votes", "images", "fer2013", "fer2013_as8", "valid", "label")
        real = {name: arrays[f"val_{name}"][:50] for name in names}
    usages = ["PublicTest"] * 50
    images_csv = write_images(tmp_path / "i.csv", real["fer2013"], real["images"], usages)
    files = [f"fer{number:07d}.png" for number in range(50)]
    votes_csv = write_votes(tmp_path / "v.csv", usages, files, real["votes"])
    report = pack_ferplus(images_csv, votes_csv, tmp_path / "f.h5")
    samples = open_packed(tmp_path / "f.h5").splits["validation"]
    valid = real["valid"]
    np.testing.assert_array_equal(samples.images[..., 0], real["images"][valid])
    np.testing.assert_array_equal(samples.given, real["label"][valid])
    np.testing.assert_array_equal(samples.labels["fer2013"], real["fer2013_as8"][valid])
    agree = (real["fer2013_as8"] == real["label"])[valid].sum()
    assert report.splits["validation"].agree == agree


def pack_command(files, output, *more):
    flags = ["--images", str(files[0]), "--votes", str(files[1]), "-o", str(output)]
    return CliRunner().invoke(data, ["pack", "ferplus", *flags, *more])


def test_the_command_says_what_it_kept_and_dropped_and_what_comes_next(tmp_path, files):
    result = pack_command(files, tmp_path / "f.h5", "--vote-rule", "majority", "--classes", "7")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert result.output.startswith("packed 3 of 7 images into ")
    for reason in ("contempt", "no majority", NO_IMAGE, "unknown"):
        assert f"dropped: {reason}" in result.output
    assert ["rows", "4", "2", "1"] in lines
    assert ["kept", "1", "1", "1"] in lines
    assert ["dropped:", "unknown", "1", "0", "0"] in lines
    assert "train: FER2013's own label is the consensus for 100.0 % of the kept" in result.output
    assert f"eactf train --recipe ferplus-noise20 --data {tmp_path / 'f.h5'}" in result.output


def test_the_command_gives_its_report_as_json(tmp_path, files):
    result = pack_command(files, tmp_path / "f.h5", "--json")
    (line,) = result.output.splitlines()
    report = json.loads(line)
    assert (report["event"], report["rows"], report["kept"]) == ("packed", 7, 5)
    assert report["splits"]["train"]["dropped"] == {NO_IMAGE: 1, "unknown": 1}


def test_the_command_overwrites_only_when_told(tmp_path, files):
    assert pack_command(files, tmp_path / "f.h5").exit_code == 0
    again = pack_command(files, tmp_path / "f.h5")
    assert isinstance(again.exception, UsageError) and "exists already" in str(again.exception)
    assert pack_command(files, tmp_path / "f.h5", "--overwrite").exit_code == 0
