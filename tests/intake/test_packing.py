"""From the user's files to a packed file: what is kept, what is left out, what a stop leaves."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from image_zoo import SPECIMENS, half, noise, saved, with_exif
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.decode import FileImages, read_image
from eactf.intake.headers import choose_form
from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.packing import pack
from eactf.intake.parallel import in_order
from eactf.packed import open_packed, writer

CLASSES = ("cat", "dog")


def listing(source, names, images, **more):
    count = len(names)
    settings = {
        "kind": "folder",
        "class_names": CLASSES,
        "splits": np.zeros(count, np.uint8),
        "given": np.arange(count) % 2,
        "ids": np.arange(count) + 10,
    }
    return Listing(source=source, names=np.array(names), images=images, **{**settings, **more})


def files(folder, contents, **more):
    """A listing of files `{name: bytes, or a mode and a size to make an image of}`."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        if not isinstance(content, bytes):
            mode, size = content
            content = saved(Image.new(mode, size), "PNG")
        (folder / name).write_bytes(content)
    return listing(folder, list(contents), FileImages(folder, list(contents)), **more)


def arrays(folder, count, channels=1, **more):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 6, 5, channels), dtype=np.uint8)
    return listing(folder, [f"images[{row}]" for row in range(count)], ArrayImages(pixels), **more)


@pytest.fixture
def mixed(tmp_path):
    """Forty good images and, at rows 3 and 30, two that are not."""
    contents = {f"{row}.png": saved(noise("L"), "PNG") for row in range(42)}
    contents["3.png"] = half(contents["3.png"])
    contents["30.png"] = b"words"
    return files(tmp_path / "in", contents, splits=np.repeat([0, 2], 21).astype(np.uint8))


def test_everything_a_listing_knows_is_in_the_packed_file(tmp_path):
    count = 7
    votes = np.arange(3 * count, dtype=np.uint8).reshape(count, 3)
    given = np.array([0, 1, -1, 1, 0, 1, 0])
    source = arrays(
        tmp_path,
        count,
        given=given,
        splits=np.array([2, 0, 0, 1, 0, 2, 0], np.uint8),
        clean=np.array([0, -1, 0, 1, 1, 1, 0]),
        labels={"other": np.array([1, 1, 1, -1, 0, 0, 0])},
        values={"valence": np.array([0, 0.5, 1, np.nan, -1, 0.25, np.nan], np.float32)},
        votes=votes,
        vote_columns=("a", "b", "c"),
        targets=np.eye(2, dtype=np.float32)[np.maximum(given, 0)],
        columns={"age": np.array(["1", "2", "3", "4", "", "é", "7"])},
        notes={"licence": "none"},
    )
    report = pack(source, tmp_path / "d.h5")
    data = open_packed(tmp_path / "d.h5")
    rows = {"train": [1, 4, 6], "validation": [3], "test": [0, 5]}  # row 2 has no label
    assert list(data.splits) == list(rows)
    for name, where in rows.items():
        samples = data.splits[name]
        np.testing.assert_array_equal(samples.images, source.images.array[where])
        np.testing.assert_array_equal(samples.ids, source.ids[where])
        np.testing.assert_array_equal(samples.given, given[where])
        np.testing.assert_array_equal(samples.clean, source.clean[where])
        np.testing.assert_array_equal(samples.votes, votes[where])
        np.testing.assert_array_equal(samples.targets, source.targets[where])
        np.testing.assert_array_equal(samples.names, source.names[where])
        np.testing.assert_array_equal(samples.columns["age"], source.columns["age"][where])
    np.testing.assert_array_equal(data.splits["train"].labels["other"], [1, 0, 0])
    assert "other" not in data.splits["validation"].labels
    valence = np.array([0.5, -1, np.nan], np.float32)
    np.testing.assert_array_equal(data.splits["train"].values["valence"], valence)
    assert data.splits["validation"].values == {}
    assert (report.label_sets, report.values) == ({"other": 5}, {"valence": 4})
    assert (data.class_names, data.vote_columns) == (CLASSES, ("a", "b", "c"))
    assert data.notes["licence"] == "none"
    assert data.notes["left_out"] == {"no label": 1}
    assert (report.images, report.unlabelled, report.bad) == (6, 1, ())
    assert report.splits["train"] == {"cat": 2, "dog": 1}
    assert not (tmp_path / "d.quarantine.csv").exists()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(3000, 1500)] * 2, (1024, 512)),
        ([(3000, 1500), (1500, 3000), (9000, 2000)], (1024, 1024)),
        ([(1024, 1024)], (1024, 1024)),
        ([(9000, 1)], (1024, 1)),
    ],
)
def test_photographs_are_brought_down_to_what_a_recipe_takes(sizes, expected):
    class Headers:
        def open(self, row):
            height, width = sizes[row]
            return Image.new("1", (width, height))

    form = choose_form(Headers(), np.arange(len(sizes)), size=None, channels=3)
    assert (form.height, form.width) == expected
    assert ("brought down" in form.why_size) == (max(map(max, sizes)) > 1024)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_packs_to_the_very_pixels_that_are_predicted_from(tmp_path, channels):
    good = {name: made for name, (made, kind) in SPECIMENS.items() if not isinstance(kind, str)}
    pack(files(tmp_path / "in", good), tmp_path / "d.h5", size=5, channels=channels)
    samples = open_packed(tmp_path / "d.h5").splits["train"]
    assert len(samples) == len(good)
    for name, image in zip(samples.names, samples.images, strict=True):
        expected = read_image(tmp_path / "in" / str(name), size=5, channels=channels)
        np.testing.assert_array_equal(image, expected, err_msg=str(name))


def test_bad_images_are_left_out_and_listed_and_nothing_takes_their_place(tmp_path, mixed):
    report = pack(mixed, tmp_path / "d.h5", max_bad=0.05)
    data = open_packed(tmp_path / "d.h5")
    kept = [row for row in range(42) if row not in (3, 30)]
    assert data.splits["train"].ids.tolist() == [row + 10 for row in kept if row < 21]
    assert data.splits["test"].ids.tolist() == [row + 10 for row in kept if row >= 21]
    assert data.splits["test"].names.tolist() == [f"{row}.png" for row in kept if row >= 21]
    assert [(bad.row, bad.name, bad.reason) for bad in report.bad] == [
        (3, "3.png", "cut short"),
        (30, "30.png", "not an image"),
    ]
    assert report.reasons == data.notes["left_out"] == {"cut short": 1, "not an image": 1}
    with (tmp_path / "d.quarantine.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "reason", "detail"]
    assert [row[:2] for row in rows[1:]] == [["3.png", "cut short"], ["30.png", "not an image"]]
    assert report.quarantine == str(tmp_path / "d.quarantine.csv")


def test_the_zoo_is_sorted_into_good_and_bad(tmp_path):
    source = files(tmp_path / "in", {name: made for name, (made, _) in SPECIMENS.items()})
    report = pack(source, tmp_path / "d.h5", max_bad=1, size=4)
    expected = {name: kind for name, (_, kind) in SPECIMENS.items() if isinstance(kind, str)}
    assert {bad.name: bad.reason for bad in report.bad} == expected


def test_too_many_bad_images_are_an_error_with_the_list_and_no_packed_file(tmp_path, mixed):
    with pytest.raises(DataError, match=r"2 of 42 .*more than the 4.00%") as caught:
        pack(mixed, tmp_path / "d.h5", max_bad=0.04)
    assert "3.png: cut short" in caught.value.message
    assert "30.png: not an image" in caught.value.message
    assert "--max-bad 0.048" in caught.value.hint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.quarantine.csv", "in"]


def test_the_share_that_may_be_bad_is_met_exactly(tmp_path, mixed):
    assert pack(mixed, tmp_path / "d.h5", max_bad=2 / 42).images == 40


def test_ten_bad_images_are_named_and_the_others_counted(tmp_path):
    contents = {f"{row:02}.png": b"words" for row in range(25)} | {"good.png": ("L", (4, 4))}
    with pytest.raises(DataError) as caught:
        pack(files(tmp_path / "in", contents), tmp_path / "d.h5")
    lines = caught.value.message.splitlines()
    assert lines[1].strip().startswith("00.png") and lines[10].strip().startswith("09.png")
    assert lines[11:] == ["  and 15 more"]


def test_images_of_which_none_can_be_used_are_an_error_whatever_is_allowed(tmp_path):
    source = files(tmp_path / "in", {"a.png": b"", "b.png": b"x"})
    with pytest.raises(DataError, match="2 of 2 images cannot be used"):
        pack(source, tmp_path / "d.h5", max_bad=1)
    assert not (tmp_path / "d.h5").exists()
    assert (tmp_path / "d.quarantine.csv").exists()


def test_images_without_a_label_are_no_images_to_pack(tmp_path):
    with pytest.raises(DataError, match="no image has a label"):
        pack(arrays(tmp_path, 3, given=np.full(3, -1)), tmp_path / "d.h5")


def test_the_list_of_an_earlier_packing_is_replaced_and_goes_when_all_is_well(tmp_path, mixed):
    listed = tmp_path / "d.quarantine.csv"
    listed.write_text("name,reason,detail\nold.png,broken,\n")
    pack(mixed, tmp_path / "d.h5", max_bad=1)
    assert "old.png" not in listed.read_text() and "3.png" in listed.read_text()
    pack(arrays(tmp_path, 3), tmp_path / "d.h5", overwrite=True)
    assert not listed.exists()


def test_a_file_of_the_users_where_the_list_would_go_is_left_alone(tmp_path, mixed):
    (tmp_path / "d.quarantine.csv").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        pack(mixed, tmp_path / "d.h5", max_bad=1)
    pack(arrays(tmp_path, 3), tmp_path / "e.h5")
    assert (tmp_path / "d.quarantine.csv").read_text() == "mine"


def test_a_split_and_a_class_that_end_up_empty_are_said(tmp_path):
    contents = {"a.png": ("L", (4, 4)), "b.png": b"words", "c.png": ("L", (4, 4))}
    source = files(
        tmp_path / "in",
        contents,
        splits=np.array([0, 2, 0], np.uint8),
        given=np.array([0, 0, 0]),
    )
    report = pack(source, tmp_path / "d.h5", max_bad=1)
    assert list(open_packed(tmp_path / "d.h5").splits) == ["train"]
    assert report.remarks == (
        "train has no image of 1 of the classes: 'dog'",
        "none of the images of the split test can be used: it is left out",
    )
    assert report.splits["test"] == {"cat": 0, "dog": 0}


@pytest.mark.parametrize(
    ("contents", "shape", "resized", "why"),
    [
        ({"a.png": ("L", (4, 6)), "b.png": ("LA", (4, 6))}, (6, 4, 1), 0, "the size of every"),
        ({"a.png": ("L", (4, 6)), "b.png": ("P", (4, 6))}, (6, 4, 3), 0, "the size of every"),
        (
            {"a.png": ("L", (9, 20)), "b.png": ("I;16", (30, 11)), "c.png": ("1", (8, 90))},
            (9, 9, 1),
            3,
            "median short side; the images are 8 to 30 wide, 11 to 90 high",
        ),
    ],
)
def test_size_and_channels_follow_from_the_headers(tmp_path, contents, shape, resized, why):
    report = pack(files(tmp_path / "in", contents), tmp_path / "d.h5")
    assert (report.image_shape, report.resized) == (shape, resized)
    assert why in report.why_size
    assert open_packed(tmp_path / "d.h5").image_shape == shape


def test_a_size_that_was_asked_for_is_kept(tmp_path):
    report = pack(arrays(tmp_path, 4, channels=3), tmp_path / "d.h5", size=(8, 3), channels=1)
    assert (report.image_shape, report.resized) == ((8, 3, 1), 4)
    assert report.why_size == report.why_channels == "as asked for"


def test_sizes_are_those_of_the_image_turned_upright(tmp_path):
    lying = with_exif(Image.new("L", (4, 6)), "JPEG", 6)
    source = files(tmp_path / "in", {"a.jpg": lying, "b.png": ("L", (6, 4))})
    assert pack(source, tmp_path / "d.h5").image_shape == (4, 6, 1)


def test_threads_and_batches_do_not_change_the_file(tmp_path, mixed):
    contents = set()
    for workers in (1, 2, 5):
        pack(mixed, tmp_path / f"{workers}.h5", max_bad=1, workers=workers)
        contents.add((tmp_path / f"{workers}.h5").read_bytes())
    assert len(contents) == 1


def test_progress_counts_up_to_the_number_of_images(tmp_path, mixed):
    told = []
    pack(mixed, tmp_path / "d.h5", max_bad=1, progress=lambda *now: told.append(now))
    assert told == sorted(told)
    assert told[-1] == (42, 42)
    assert len(told) >= 2


@pytest.mark.parametrize("place", ["headers", "pixels", "publishing"])
def test_a_stop_leaves_nothing_behind(tmp_path, mixed, monkeypatch, place):
    told = []

    def interrupt(*_):
        raise KeyboardInterrupt

    def progress(*now):
        told.append(now)
        if len(told) == {"headers": 1, "pixels": 2}.get(place):
            interrupt()

    if place == "publishing":
        monkeypatch.setattr(writer, "move_into_place", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pack(mixed, tmp_path / "d.h5", max_bad=1, progress=progress)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert not [one for one in threading.enumerate() if one.name.startswith("eactf")]


def test_the_users_files_are_as_they_were(tmp_path, mixed):
    def state():
        return {
            path: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in Path(mixed.source).iterdir()
        }

    before = state()
    pack(mixed, tmp_path / "d.h5", max_bad=1)
    assert state() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size 0 x 0"),
        ({"size": (8, 5000)}, "size 8 x 5000"),
        ({"channels": 4}, "channels 4"),
        ({"max_bad": 1.5}, "max-bad 1.5: expected a share"),
        ({"max_bad": float("nan")}, "max-bad nan"),
    ],
)
def test_settings_out_of_range_are_usage_errors(tmp_path, settings, message):
    with pytest.raises(UsageError, match=message):
        pack(arrays(tmp_path, 3), tmp_path / "d.h5", **settings)


def test_an_output_that_exists_is_refused_before_any_image_is_opened(tmp_path):
    class Untouchable(ArrayImages):
        def open(self, row):
            raise AssertionError("opened")

    (tmp_path / "d.h5").write_text("precious")
    source = listing(tmp_path, ["a"], Untouchable(np.zeros((1, 2, 2), np.uint8)))
    with pytest.raises(UsageError, match="exists already"):
        pack(source, tmp_path / "d.h5")
    assert (tmp_path / "d.h5").read_text() == "precious"


def test_images_that_the_disk_cannot_hold_are_refused_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=50))
    with pytest.raises(DataError, match=r"has 0.0 GiB free") as caught:
        pack(arrays(tmp_path, 3), tmp_path / "d.h5")
    assert "--size" in caught.value.hint


def test_names_of_label_sets_values_and_columns_are_made_to_fit(tmp_path):
    labels = {"by hand": np.zeros(2, int), "by+hand": np.ones(2, int), "given": np.ones(2, int)}
    columns = {"note": np.array(["x" * 2000, ""]), "a/b": np.array(["1", "2"])}
    values = {"age / years": np.array([3, 4], np.float32)}
    source = arrays(tmp_path, 2, labels=labels, values=values, columns=columns)
    report = pack(source, tmp_path / "d.h5")
    samples = open_packed(tmp_path / "d.h5").splits["train"]
    assert sorted(samples.labels) == ["by_hand", "by_hand-2", "given-2"]
    assert samples.labels["by_hand-2"].tolist() == [1, 1]
    assert list(samples.columns) == ["a/b"]
    assert list(samples.values) == ["age_years"] == list(report.values)
    assert sum("is called" in remark for remark in report.remarks) == 4
    assert any("'note' is left out" in remark for remark in report.remarks)


def test_a_name_that_is_no_text_is_spelled_out(tmp_path):
    name = b"caf\xe9.png".decode(errors="surrogateescape")
    pixels = ArrayImages(np.zeros((1, 4, 4), np.uint8))
    pack(listing(tmp_path, [name], pixels), tmp_path / "d.h5")
    assert open_packed(tmp_path / "d.h5").splits["train"].names.tolist() == ["caf\\udce9.png"]


def test_a_split_without_soft_labels_beside_one_that_has_them_is_packed(tmp_path):
    targets = np.array([[0.5, 0.5], [0, 0]], np.float32)
    source = arrays(tmp_path, 2, splits=np.array([0, 2], np.uint8), targets=targets)
    pack(source, tmp_path / "d.h5")
    splits = open_packed(tmp_path / "d.h5").splits
    assert splits["train"].targets.tolist() == [[0.5, 0.5]]
    assert splits["test"].targets is None


def test_the_report_is_plain_data(tmp_path, mixed):
    told = json.loads(json.dumps(pack(mixed, tmp_path / "d.h5", max_bad=1).as_dict()))
    assert (told["images"], told["reasons"]["cut short"]) == (40, 1)
    assert told["bad"][0]["name"] == "3.png"


def test_headers_that_cannot_be_read_have_no_say_in_the_size(tmp_path):
    source = files(tmp_path / "in", {"a.png": b"", "b.png": ("RGB", (7, 7))})
    form = choose_form(source.images, np.arange(2), size=None, channels=None)
    assert form.shape == (7, 7, 3)


def test_work_comes_back_in_order_however_long_each_takes():
    gate = threading.Event()

    def work(row):
        if row == 0:
            gate.wait(5)
        elif row == 2:
            gate.set()
        return row

    results = [number for _, part in in_order(work, 7, workers=3, batch=1) for number in part]
    assert results == list(range(7))


def test_only_so_much_work_is_done_ahead():
    done = []
    results = in_order(lambda row: done.append(row), 1000, workers=1, batch=10)
    next(results)
    results.close()
    assert len(done) <= 40


def test_a_fault_in_the_work_reaches_the_caller():
    def work(row):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(in_order(work, 3))


def test_the_arrays_that_are_packed_are_not_replaced(tmp_path):
    source = tmp_path / "faces.h5"
    source.write_bytes(b"the images")
    given = replace(arrays(tmp_path, 3), source=source)
    with pytest.raises(UsageError, match="never overwritten"):
        pack(given, source, overwrite=True)
    assert source.read_bytes() == b"the images"
