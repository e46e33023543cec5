"""`eactf data pack`: folders, manifests, arrays and published data sets by the command line."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from PIL import Image

from eactf.data.opened import data_settings
from eactf.intake.readers.catalogue import NAMES
from eactf.packed import open_packed


@pytest.fixture
def faces(tmp_path):
    """A folder of twenty images in two classes and two splits, one of them no image."""
    folder = tmp_path / "my faces"
    for number in range(20):
        place = folder / ("test" if number % 5 == 4 else "train") / ("happy", "sad")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 6), number * 10).save(place / f"{number}.png")
    (folder / "train" / "sad" / "3.png").write_text("no image")
    return folder


def test_a_folder_is_packed_and_told_in_a_table_with_the_next_command(invoke, faces, tmp_path):
    out = tmp_path / "my faces.h5"
    result = invoke("data", "pack", faces, "-o", out, "--max-bad", "0.1")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert result.stdout.startswith(f"packed 19 images into {out}\n")
    assert ["class", "train", "test"] in lines
    assert ["happy", "8", "2"] in lines
    assert ["sad", "7", "2"] in lines
    assert ["all", "15", "4"] in lines
    assert ["not", "an", "image", "1"] in lines
    assert f"which, and why: {tmp_path / 'my faces.quarantine.csv'}" in result.stdout
    assert result.stdout.splitlines()[-1] == f"next: eactf wizard '{out}'"
    data = open_packed(out)
    assert data.image_shape == (6, 8, 1)
    assert data.class_names == ("happy", "sad")
    assert "train/sad/3.png" not in data.splits["train"].names.tolist()


def test_further_label_sets_and_continuous_targets_are_packed_and_told(invoke, faces, tmp_path):
    paths = sorted(path for path in faces.rglob("*.png") if path.name != "3.png")
    rows = [
        f"{path.relative_to(faces)},{path.parts[-2]},{'sad' if number else ''},{number / 20}"
        for number, path in enumerate(paths)
    ]
    rows[18] = rows[18].removesuffix("0.9")
    (faces / "m.csv").write_text("\n".join(["path,label,machine,Valence", *rows]))
    result = invoke("data", "pack", faces / "m.csv", "-o", tmp_path / "f.h5")
    assert "  label set machine: 18 of 19 images\n" in result.stdout
    assert "  value     valence: 18 of 19 images\n" in result.stdout
    splits = open_packed(tmp_path / "f.h5").splits.values()
    assert sum(np.isfinite(split.values["valence"]).sum() for split in splits) == 18
    shown = invoke("data", "check", tmp_path / "f.h5").output
    assert "valence: 18 of 19 images, 0 to 0.85, mean 0.425\n" in shown


def test_too_many_bad_images_end_with_code_3_and_only_the_list_is_written(invoke, faces, tmp_path):
    result = invoke("data", "pack", faces, "-o", tmp_path / "f.h5")
    assert result.exit_code == 3
    assert "1 of 20 images cannot be used (5.00%), more than the 1.00%" in result.stderr
    assert "train/sad/3.png: not an image" in result.stderr
    assert "--max-bad 0.05" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.quarantine.csv", "my faces"]


def test_json_is_one_object(invoke, faces, tmp_path):
    result = invoke("data", "pack", faces, "-o", tmp_path / "f.h5", "--max-bad", "1", "--json")
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert (told["event"], told["images"], told["image_shape"]) == ("packed", 19, [6, 8, 1])
    assert told["splits"]["train"] == {"happy": 8, "sad": 7}
    assert told["bad"] == [
        {
            "row": told["bad"][0]["row"],
            "name": "train/sad/3.png",
            "reason": "not an image",
            "detail": "the file begins as none of the known formats does",
        }
    ]


@pytest.mark.parametrize(
    ("size", "shape"), [("16", (16, 16, 3)), ("16x24", (16, 24, 3)), ("9X7", (9, 7, 3))]
)
def test_size_and_channels_may_be_given_and_options_may_come_first(
    invoke, faces, tmp_path, size, shape
):
    flags = ["--size", size, "--channels", "3", "--max-bad", "1"]
    result = invoke("data", "pack", *flags, "-o", tmp_path / "f.h5", faces)
    assert result.exit_code == 0, result.output
    assert "19 images had another size" in result.stdout
    assert open_packed(tmp_path / "f.h5").image_shape == shape


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--size", "big"], "'big': expected pixels, such as 48"),
        (["--size", "0"], "size 0 x 0: expected sides of 1 to 4,096"),
        (["--size", "8x"], "expected pixels"),
        (["--max-bad", "20"], "for one percent write 0.01"),
        (["--channels", "2"], "'2' is not one of '1', '3'"),
        (["--vote-rule", "loudest"], "loudest"),
    ],
)
def test_settings_that_make_no_sense_end_with_code_2(invoke, faces, tmp_path, flags, said):
    result = invoke("data", "pack", faces, "-o", tmp_path / "f.h5", *flags)
    assert result.exit_code == 2
    assert said in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["my faces"]


def test_an_existing_file_is_kept_unless_told_otherwise(invoke, faces, tmp_path):
    out = tmp_path / "f.h5"
    out.write_text("precious")
    command = ["data", "pack", faces, "-o", out, "--max-bad", "1"]
    assert invoke(*command).exit_code == 2
    assert out.read_text() == "precious"
    assert invoke(*command, "--overwrite").exit_code == 0
    assert len(open_packed(out).splits["test"]) == 4


def test_a_manifest_is_packed_with_its_further_columns(invoke, faces, tmp_path):
    rows = [
        f"{path.relative_to(faces)},{path.parent.name},{path.parent.parent.name},{path.stem}"
        for path in sorted(faces.rglob("*.png"))
        if path.stem != "3"
    ]
    (faces / "m.csv").write_text("\n".join(["path,mood,split,number", *rows]) + "\n")
    out = tmp_path / "m.h5"
    result = invoke("data", "pack", faces / "m.csv", "-o", out, "--label", "mood")
    assert result.exit_code == 0, result.output
    samples = open_packed(out).splits["test"]
    assert sorted(samples.columns["number"].tolist()) == ["14", "19", "4", "9"]


def test_arrays_are_packed(invoke, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3), dtype=np.uint8)
    labels = np.array([0, 1, 2, 0, 1, 2])
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels)
    result = invoke("data", "pack", tmp_path / "a.npz", "-o", tmp_path / "a.h5")
    assert result.exit_code == 0, result.output
    samples = open_packed(tmp_path / "a.h5").splits["train"]
    np.testing.assert_array_equal(samples.images, images)
    np.testing.assert_array_equal(samples.given, labels)


def test_a_path_that_is_not_there_ends_with_code_2(invoke, tmp_path):
    result = invoke("data", "pack", tmp_path / "nowhere", "-o", tmp_path / "f.h5")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr


def test_the_help_names_the_options_and_every_published_data_set(invoke):
    told = invoke("data", "pack", "--help").output
    for word in ("PATH", "--max-bad", "--label", *NAMES):
        assert word in told


@pytest.mark.parametrize("name", NAMES)
def test_every_published_data_set_has_a_command(invoke, name):
    result = invoke("data", "pack", name, "--help")
    assert result.exit_code == 0, result.output
    assert "--output" in result.output


def test_a_published_data_set_says_what_its_folder_must_hold(invoke, tmp_path):
    result = invoke("data", "pack", "raf-db", tmp_path, "-o", tmp_path / "r.h5")
    assert result.exit_code == 3, result.output
    assert "list_patition_label.txt" in result.stderr


def test_a_folder_of_a_data_sets_name_is_reached_by_a_path(invoke, faces, tmp_path, monkeypatch):
    faces.rename(tmp_path / "raf-db")
    monkeypatch.chdir(tmp_path)
    assert invoke("data", "pack", "./raf-db", "-o", "r.h5", "--max-bad", "1").exit_code == 0


def test_data_that_is_given_to_train_is_packed_or_images(invoke, faces, tmp_path):
    invoke("data", "pack", faces, "-o", tmp_path / "f.h5", "--max-bad", "1")
    np.savez(tmp_path / "a.npz", x=np.zeros(1))
    kinds = {"f.h5": "packed", "my faces": "images", "a.npz": "images", "gone.h5": "packed"}
    for name, kind in kinds.items():
        settings = data_settings(tmp_path / name)
        assert settings["data.source"] == (kind, "--data"), name
        assert settings["data.path"] == (str(tmp_path / name), "--data")
    assert data_settings(None) == {}


def test_a_published_data_set_of_another_size_is_packed_with_a_warning(invoke, tmp_path):
    for split, count in (("train", 30), ("t10k", 10)):
        images = struct.pack(">IIII", 2051, count, 28, 28) + bytes(range(256)) * 92
        (tmp_path / f"{split}-images-idx3-ubyte").write_bytes(images[: 16 + count * 784])
        labels = struct.pack(">II", 2049, count) + bytes(i % 10 for i in range(count))
        (tmp_path / f"{split}-labels-idx1-ubyte").write_bytes(labels)
    result = invoke("data", "pack", "fashion-mnist", tmp_path, "-o", tmp_path / "f.h5")
    assert result.exit_code == 0, result.output
    assert "train has 30 images, published: 60,000" in result.stderr


@pytest.fixture
def labelled(tmp_path):
    """Writes a manifest with these labels, an image each."""

    def make(labels):
        rows = ["path,label"]
        for number, label in enumerate(labels):
            Image.new("L", (8, 8), number).save(tmp_path / f"{number}.png")
            rows.append(f"{number}.png,{label}")
        (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
        return tmp_path / "labels.csv"

    return make


def test_rows_left_out_for_their_label_are_told_with_the_option_that_keeps_them(
    invoke, labelled, tmp_path
):
    path = labelled(["a", "NA", "b", "NA"])
    result = invoke("data", "pack", path, "-o", tmp_path / "f.h5")
    assert result.exit_code == 0, result.output
    assert "2 of 4 rows have no label (it says 'NA' 2 times)" in result.output
    assert "--missing ''" in result.output
    result = invoke("data", "pack", path, "-o", tmp_path / "g.h5", "--missing", "")
    assert open_packed(tmp_path / "g.h5").class_names == ("a", "b", "NA")


@pytest.mark.parametrize("command", [["data", "pack", "-o", "f.h5"], ["data", "check"], ["wizard"]])
def test_every_command_that_reads_labels_takes_the_missing_ones(invoke, labelled, command):
    result = invoke(*command, labelled(["a", "b"]), "--missing", "x", "--help")
    assert "--missing A,B,C" in result.output


def test_one_class_is_refused_and_nothing_is_written(invoke, labelled, tmp_path):
    path = labelled(["a", "a"])
    result = invoke("data", "pack", path, "-o", tmp_path / "f.h5")
    assert result.exit_code == 3
    assert "every image has the label 'a': there is nothing to tell apart" in result.output
    assert "--label NAME" in result.output
    assert not (tmp_path / "f.h5").exists()
    assert invoke("data", "check", path).exit_code == 3
    assert invoke("wizard", path, "--yes", "--no-measure").exit_code == 3
