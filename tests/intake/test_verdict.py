"""Each way in tells the same findings, and what is an error for one of them stops them all."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from eactf.cli import cli
from eactf.data.opened import open_data
from eactf.errors import DataError
from eactf.intake.sources import SourceOptions, open_source
from eactf.intake.verdict import look_through, refuse_errors


@pytest.fixture
def folder(tmp_path):
    """Faces with something of every kind that is left out, and no error."""
    numbers = np.random.default_rng(0)
    root = tmp_path / "my faces"
    for split, count in (("train", 24), ("test", 12)):
        for name in ("glad", "sad"):
            place = root / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = numbers.integers(0, 256, (20, 20), np.uint8)
                Image.fromarray(pixels).save(place / f"{number:02}.png")
    (tmp_path / "elsewhere").mkdir()
    Image.fromarray(numbers.integers(0, 256, (20, 20), np.uint8)).save(
        tmp_path / "elsewhere" / "x.png"
    )
    (root / "train" / "glad" / "more").symlink_to(tmp_path / "elsewhere")
    (root / "train" / "sad" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (root / "test" / "unlabelled.png").write_bytes((root / "test/sad/00.png").read_bytes())
    (root / "notes.txt").write_text("about these faces")
    return root


TOLD = {
    "links-followed",
    "loose-images",
    "no-images",
    "no-validation-split",
    "unread-kind",
}


def invoke(*arguments):
    return CliRunner().invoke(cli, [str(word) for word in arguments])


def events(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_checking_and_packing_tell_the_same_findings(folder, tmp_path):
    share = ("--max-bad", "0.05", "--json")
    checked = events(invoke("data", "check", folder, *share))
    (packed,) = events(invoke("data", "pack", folder, "-o", tmp_path / "f.h5", *share))
    found = [event for event in checked if event["event"] == "finding"]
    assert {finding["code"] for finding in found} == TOLD
    assert packed["findings"] == [
        {key: value for key, value in finding.items() if key != "event"} for finding in found
    ]


def test_packing_and_opening_tell_what_is_left_out_with_its_count(folder, tmp_path, capsys):
    result = invoke("data", "pack", folder, "-o", tmp_path / "f.h5", "--max-bad", "0.05")
    assert result.exit_code == 0, result.output
    open_data(folder, max_bad=0.05)
    captured = capsys.readouterr()
    for told in (result.output, captured.out + captured.err):
        assert "1 image cannot be used: unread kind (HEIC" in told
        assert "1 image beside the class folders, without a class" in told
        assert "1 link to folders, followed" in told
        assert "left out: 1 file, hidden or no images" in told
        assert f"every file by name: eactf data check '{folder}' --all" in told
    assert ["glad", "25", "12"] in [line.split() for line in captured.out.splitlines()]


def test_images_of_kinds_that_are_not_read_count_as_bad_ones(folder, tmp_path):
    (folder / "train/sad/00.png").rename(folder / "train/sad/00.heic")
    (folder / "train/sad/00.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    result = invoke("data", "pack", folder, "-o", tmp_path / "f.h5", "--max-bad", "0.02")
    assert result.exit_code == 3
    assert "2 of 74 images cannot be used (2.70%), more than the 2.00%" in result.output
    assert "train/sad/phone.heic: unread kind (HEIC; convert it to PNG or JPEG)" in result.output


def spoil(folder):
    """An error: a test image that was trained on."""
    (folder / "test/glad/copy.png").write_bytes((folder / "train/glad/03.png").read_bytes())


def test_an_error_stops_checking_packing_and_opening(folder, tmp_path):
    spoil(folder)
    assert invoke("data", "check", folder, "--max-bad", "0.05").exit_code == 3
    out = tmp_path / "f.h5"
    packed = invoke("data", "pack", folder, "-o", out, "--max-bad", "0.05")
    assert packed.exit_code == 3 and not out.exists()
    assert "1. duplicates-across-splits: 1 image to judge by" in packed.output
    assert "remove them from one of the splits" in packed.output
    with pytest.raises(DataError, match="duplicates-across-splits") as caught:
        open_data(folder, max_bad=0.05)
    command = f"eactf data pack '{folder}' -o 'my faces.h5' --accept duplicates-across-splits"
    assert command in str(caught.value.hint)


def test_an_error_that_is_accepted_by_its_name_is_told_and_stops_nothing(folder, tmp_path):
    spoil(folder)
    flags = ("--max-bad", "0.05", "--accept", "duplicates-across-splits")
    result = invoke("data", "pack", folder, "-o", tmp_path / "f.h5", *flags)
    assert result.exit_code == 0, result.output
    assert "warning: 1 image to judge by" in result.output


def test_all_errors_are_told_at_once_with_a_few_files_each(folder):
    spoil(folder)
    (folder / "train/Sad ").mkdir()
    Image.new("L", (20, 20), 3).save(folder / "train/Sad " / "a.png")
    listing = open_source(folder)
    with pytest.raises(DataError, match="has 2 errors") as caught:
        refuse_errors(look_through(listing, max_bad=0.1), folder)
    assert "1. class-in-two-spellings" in str(caught.value)
    assert "2. duplicates-across-splits" in str(caught.value)


def test_data_to_judge_by_may_lack_what_only_training_needs(tmp_path):
    numbers = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        (tmp_path / "faces" / "sad").mkdir(parents=True, exist_ok=True)
        pixels = numbers.integers(0, 256, (20, 20), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "faces" / "sad" / name)
    data = open_data(tmp_path / "faces", options=SourceOptions(fewest_classes=1))
    assert data.class_names == ("sad",)


def test_an_output_that_exists_is_refused_before_the_images_are_looked_at(
    folder, tmp_path, monkeypatch
):
    (tmp_path / "f.h5").write_text("precious")
    monkeypatch.setattr("eactf.intake.verdict.scan", None)
    result = invoke("data", "pack", folder, "-o", tmp_path / "f.h5")
    assert result.exit_code == 2 and "exists" in result.output
