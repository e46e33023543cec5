"""`eactf data check`: what is found is shown, counted and told by the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def folder(tmp_path):
    """A folder of 2 x 24 training and 2 x 12 test images, nothing wrong with it."""
    numbers = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 12), ("test", 12)):
        for name in ("anger", "joy"):
            place = tmp_path / "faces" / split / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = numbers.integers(0, 256, (20, 20), np.uint8)
                Image.fromarray(pixels).save(place / f"{number:02}.png")
    return tmp_path / "faces"


def events(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_healthy_folder_exits_with_0_and_says_so(invoke, folder):
    result = invoke("data", "check", folder)
    assert result.exit_code == 0, result.output
    assert "96 images, 2 classes, 20 x 20 pixels, grey" in result.output
    assert result.output.rstrip().endswith("nothing stands in the way: nothing found")


def test_an_error_exits_with_3_and_names_file_and_fix(invoke, folder):
    (folder / "test/joy/00.png").write_bytes((folder / "train/joy/05.png").read_bytes())
    result = invoke("data", "check", folder)
    assert result.exit_code == 3
    assert "error duplicates-across-splits" in result.output
    assert "    test/joy/00.png\n    train/joy/05.png\n  fix: remove them" in result.output
    assert result.output.rstrip().endswith("mend the errors first: 1 error")


def test_few_files_are_shown_and_all_on_request(invoke, folder):
    for number in range(9):
        (folder / f"train/anger/{number:02}.png").write_bytes(b"no image")
    short = invoke("data", "check", folder)
    assert "    train/anger/03.png\n    and 5 more" in short.output
    assert "every file by name: --all" in short.output
    long = invoke("data", "check", folder, "--all")
    assert "    train/anger/08.png\n" in long.output
    assert "and 5 more" not in long.output and "--all" not in long.output


def test_json_carries_fingerprint_findings_and_verdict(invoke, folder):
    (folder / "train/joy/00.png").write_bytes(b"")
    result = invoke("data", "check", folder, "--json")
    fingerprint, *findings, verdict = events(result)
    assert fingerprint["event"] == "fingerprint" and fingerprint["bad"] == {"empty file": 1}
    assert [(one["code"], one["severity"], one["files"]) for one in findings] == [
        ("empty-file", "error", ["train/joy/00.png"])
    ]
    assert verdict == {"event": "verdict", "ok": False, "errors": 1, "warnings": 0, "notes": 0}
    assert result.exit_code == 3


def test_the_source_options_reach_the_door(invoke, folder):
    lines = [f"{path.relative_to(folder)},{path.parts[-2]},x" for path in folder.rglob("*.png")]
    manifest = folder / "labels.csv"
    manifest.write_text("where,emotion,joke\n" + "\n".join(lines) + "\n")
    arguments = ("--path-column", "where", "--label", "emotion", "--json")
    fingerprint = events(invoke("data", "check", manifest, *arguments))[0]
    assert fingerprint["class_names"] == ["anger", "joy"] and fingerprint["usable"] == 96


def test_further_label_sets_and_continuous_targets_are_told(invoke, folder):
    rows = [
        f"{path.relative_to(folder)},{path.parts[-2]},joy,{number % 3 - 1},{number}"
        for number, path in enumerate(sorted(folder.rglob("*.png")))
    ]
    manifest = folder / "labels.csv"
    manifest.write_text("\n".join(["path,label,rater_2,valence,age", *rows]))
    result = invoke("data", "check", manifest)
    assert "label set rater_2: differs in 50.0%\n" in result.output
    assert "valence: 96 of 96 images, -1 to 1, mean 0\n" in result.output
    assert "age: " not in result.output
    told = events(invoke("data", "check", manifest, "--values", "age", "--json"))[0]
    assert told["values"]["age"] == {"known": 96, "least": 0.0, "mean": 47.5, "most": 95.0}


def test_a_path_that_is_not_there_is_a_usage_error(invoke, tmp_path):
    result = invoke("data", "check", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr


def test_square_brackets_in_names_are_shown_as_they_are(invoke, folder):
    (folder / "train/joy/[bold]00.png").write_bytes(b"no image")
    assert "    train/joy/[bold]00.png" in invoke("data", "check", folder).output


@pytest.mark.skipif(not (SHARED / "ferplus_folder").exists(), reason="needs the real faces")
def test_the_folder_of_real_faces_has_no_error(invoke):
    result = invoke("data", "check", SHARED / "ferplus_folder", "--json")
    assert result.exit_code == 0
    assert events(result)[0]["splits"] == {"train": 128, "test": 72}
