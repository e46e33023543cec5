"""`eactf predict`: files of every kind, folders, and files that are broken."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError
from eactf.faces import EXPRESSIONS, draw_faces
from eactf.intake.decode import read_image


@pytest.fixture
def face():
    """One face `(32, 32)` uint8."""
    return draw_faces(1, size=32, seed=3)[0][0, :, :, 0]


def write_kinds(folder, face):
    """The same face in every form that may come."""
    grey = Image.fromarray(face)
    grey.save(folder / "grey.png")
    grey.convert("RGB").save(folder / "rgb.png")
    Image.fromarray(face.astype(np.uint16) * 257).save(folder / "sixteen.png")
    Image.merge("LA", (grey, Image.new("L", grey.size, 255))).save(folder / "alpha.png")
    grey.save(folder / "palette.gif")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    grey.transpose(Image.Transpose.ROTATE_90).save(folder / "turned.tif", exif=exif)


def predictions(result):
    events = [json.loads(line) for line in result.stdout.splitlines()]
    return {event["file"]: event for event in events if event["event"] == "prediction"}


def test_every_kind_of_image_of_one_face_gets_the_same_answer(invoke, trained, tmp_path, face):
    write_kinds(tmp_path, face)
    result = invoke("predict", trained[1], tmp_path, "--json")
    assert result.exit_code == 0, result.output
    events = predictions(result)
    assert len(events) == 6
    first = events[str(tmp_path / "grey.png")]["probabilities"]
    assert sum(first.values()) == pytest.approx(1.0)
    assert set(first) == set(EXPRESSIONS)
    for event in events.values():
        assert event["probabilities"] == pytest.approx(first, abs=1e-5), event["file"]
        assert event["predicted"] == max(first, key=first.get)


def test_a_broken_image_is_named_and_the_others_are_classified(invoke, trained, tmp_path, face):
    folder = tmp_path / "faces" / "deeper"
    folder.mkdir(parents=True)
    Image.fromarray(face).save(folder / "good.png")
    whole = (folder / "good.png").read_bytes()
    (folder / "short.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("no image")
    (folder / "notes.txt").write_text("left alone")
    (folder / "folder.png").mkdir()
    result = invoke("predict", trained[1] / "model.keras", tmp_path / "faces")
    assert result.exit_code == 3
    assert "good.png" in result.stdout
    for name in ("short.png", "text.jpg"):
        assert name in result.stderr
        assert name not in result.stdout
    assert "notes.txt" not in result.output
    assert "2 of 3 files could not be read" in result.stderr


def test_a_single_file_is_taken_and_the_likeliest_classes_are_shown(
    invoke, trained, tmp_path, face
):
    Image.fromarray(face).save(tmp_path / "face.png")
    result = invoke("predict", trained[1], tmp_path / "face.png", "--top", "3")
    assert result.exit_code == 0
    assert result.stdout.count("%") == 3


def test_folders_and_files_go_through_one_start(invoke, trained, tmp_path, face):
    for name in ("one/a.png", "two/b.png", "two/deeper/c.png", "d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(tmp_path / name)
    paths = [tmp_path / name for name in ("two", "d.png", "one")]
    result = invoke("predict", trained[1], *paths, "--json")
    assert result.exit_code == 0, result.output
    expected = [tmp_path / name for name in ("two/b.png", "two/deeper/c.png", "d.png", "one/a.png")]
    assert list(predictions(result)) == [str(path) for path in expected]


def test_many_images_are_judged_as_a_few_are(trained):
    from eactf.evaluation.storage import open_classifier_file

    classifier = open_classifier_file(trained[1] / "model.keras")
    images = draw_faces(40, size=32, seed=3)[0]
    together = classifier.probabilities(images)
    apart = np.concatenate([classifier.probabilities(part) for part in np.split(images, 4)])
    np.testing.assert_allclose(together, apart, atol=1e-5)


def test_the_table_has_path_class_and_probabilities_and_replaces_nothing(
    invoke, trained, tmp_path, face
):
    faces = tmp_path / "faces"
    faces.mkdir()
    Image.fromarray(face).save(faces / "a, b.png")
    Image.fromarray(face).save(faces / "c.pgm")
    (faces / "broken.png").write_text("no image")
    table = tmp_path / "t.csv"
    result = invoke("predict", trained[1], faces, "--csv", table, "--json")
    assert result.exit_code == 3  # of the broken one
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]).name for row in rows] == ["a, b.png", "c.pgm"]
    told = predictions(result)[str(faces / "a, b.png")]
    assert rows[0]["predicted"] == told["predicted"]
    for name, value in told["probabilities"].items():
        assert float(rows[0][f"probability_{name}"]) == pytest.approx(value, abs=1e-6)
    before = table.read_bytes()
    again = invoke("predict", trained[1], faces, "--csv", table)
    assert again.exit_code == 2 and "is not overwritten" in again.stderr
    assert table.read_bytes() == before


def test_json_lines_say_what_the_table_says_and_replace_nothing(invoke, trained, tmp_path, face):
    faces = tmp_path / "faces"
    faces.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(face).save(faces / name)
    table, lines = tmp_path / "t.csv", tmp_path / "t.jsonl"
    flags = ("--csv", table, "--jsonl", lines)
    result = invoke("predict", trained[1], faces, *flags)
    assert result.exit_code == 0, result.output
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [line["path"] for line in told] == [row["path"] for row in rows]
    assert [line["predicted"] for line in told] == [row["predicted"] for row in rows]
    for name, value in told[0]["probabilities"].items():
        assert f"{value:.6f}" == rows[0][f"probability_{name}"]
    assert "a.png" not in result.stdout and "wrote 2 lines" in result.stdout
    assert invoke("predict", trained[1], faces, "--jsonl", lines).exit_code == 2
    assert invoke("predict", trained[1], faces, "--csv", "x", "--jsonl", "x").exit_code == 2


def test_a_folder_that_is_decoded_in_threads_keeps_its_order_and_its_faults(
    invoke, trained, tmp_path
):
    images = draw_faces(70, size=32, seed=4)[0][..., 0]
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number:02d}.png")
    (tmp_path / "33.png").write_text("no image")
    result = invoke("predict", trained[1], tmp_path, "--json", "--batch-size", 40)
    assert result.exit_code == 3
    found = predictions(result)
    assert list(found) == [str(tmp_path / f"{n:02d}.png") for n in range(70) if n != 33]
    pace = [json.loads(line) for line in result.stdout.splitlines()][-2]
    assert (pace["event"], pace["images"]) == ("pace", 69)
    assert 0 < pace["network_seconds"] <= pace["seconds"]
    alone = invoke("predict", trained[1], tmp_path / "69.png", "--json")
    of_it = predictions(alone)[str(tmp_path / "69.png")]["probabilities"]
    assert found[str(tmp_path / "69.png")]["probabilities"] == pytest.approx(of_it, abs=1e-5)


def test_how_many_images_a_second_is_told_of_many(invoke, trained, tmp_path):
    for number, image in enumerate(draw_faces(100, size=16, seed=4)[0][..., 0]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    result = invoke("predict", trained[1], tmp_path, "--csv", tmp_path / "t.csv")
    assert result.exit_code == 0, result.output
    assert "100 images in" in result.stdout and "a second" in result.stdout
    counts = [line.split()[-1] for line in result.stdout.splitlines()[1:8]]
    assert sum(map(int, counts)) == 100


def test_hidden_files_are_left_out_and_said(invoke, trained, tmp_path, face):
    for name in ("a.png", "._a.png", ".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(face).save(tmp_path / name)
    result = invoke("predict", trained[1], tmp_path)
    assert result.exit_code == 0, result.output
    assert "left out 3 hidden files and folders" in result.stderr
    assert "checkpoint.png" not in result.stdout


@pytest.mark.parametrize("name", ["nothing.png", "empty"])
def test_paths_without_images_are_usage_errors(invoke, trained, tmp_path, name):
    (tmp_path / "empty").mkdir()
    result = invoke("predict", trained[1], tmp_path / name)
    assert result.exit_code == 2
    assert name in result.stderr


def test_transparency_is_laid_on_black(tmp_path):
    clear = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    clear.save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png", size=4, channels=3).max() == 0


def test_sixteen_bits_keep_their_scale_however_dark_they_are(tmp_path):
    Image.fromarray(np.full((4, 4), 200, np.uint16)).save(tmp_path / "dark.png")
    assert read_image(tmp_path / "dark.png", size=4, channels=1).max() == 0


def test_floats_from_nought_to_one_fill_the_range(tmp_path):
    Image.fromarray(np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)).save(tmp_path / "f.tif")
    assert read_image(tmp_path / "f.tif", size=4, channels=1).max() == 255


def test_an_image_of_absurd_size_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    Image.new("L", (300, 300)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match="too many pixels"):
        read_image(tmp_path / "large.png", size=4, channels=1)


def test_faces_in_a_csv_file_are_classified_as_the_same_faces_in_files(invoke, trained, tmp_path):
    faces = draw_faces(3, size=48, seed=5)[0][..., 0]
    rows = ["pixels"]
    for number, face in enumerate(faces):
        Image.fromarray(face).save(tmp_path / f"{number}.png")
        rows.append(" ".join(map(str, face.ravel().tolist())))
    rows.append("1 2 3")
    table = tmp_path / "test.csv"
    table.write_text("\n".join(rows) + "\n")
    result = invoke("predict", trained[1], table, tmp_path / "0.png", "--batch-size", 2, "--json")
    assert result.exit_code == 3
    assert "expected 2304 numbers (48 x 48), received 3" in result.stderr
    told = [json.loads(line) for line in result.stdout.splitlines()]
    events = {event["file"]: event for event in told if "file" in event}
    named = [f"{table}[{number}]" for number in range(4)]
    assert list(events) == [str(tmp_path / "0.png"), *named]
    assert events[named[3]]["event"] == "unreadable"
    of_file = events[str(tmp_path / "0.png")]["probabilities"]
    assert events[named[0]]["probabilities"] == pytest.approx(of_file, abs=1e-5)
