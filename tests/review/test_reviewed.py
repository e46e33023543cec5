"""Decisions become a new packed file; what it was made of stays, and can be made again."""

from __future__ import annotations

import csv
from dataclasses import fields

import numpy as np
import pytest
from twelve_faces import CLASSES, GIVEN, NAMES, pack_faces

from eactf.errors import DataError, UsageError
from eactf.intake.sources import SourceOptions, open_source
from eactf.packed import open_packed
from eactf.review.applying import apply_decisions
from eactf.review.decisions import Choice, Decision
from eactf.review.reviewed import Beside, write_reviewed
from eactf.review.undoing import undo

RELABELLED = Decision(Choice.RELABEL, 104, NAMES[4], CLASSES[1], CLASSES[2])
DROPPED = Decision(Choice.DROP, 101, NAMES[1], CLASSES[1])
OF_TEST = Decision(Choice.DROP, 109)
KEPT = Decision(Choice.KEEP, 107)


def reviewed(path, out, *decisions):
    listing = open_source(path, SourceOptions())
    applied = apply_decisions(listing, decisions)
    write_reviewed(listing, applied, out)
    return open_packed(out)


def assert_same(one, other):
    """Two data sets have the same samples, sample by sample and column by column."""
    assert one.class_names == other.class_names
    assert one.splits.keys() == other.splits.keys()
    for split, samples in one.splits.items():
        for field in fields(samples):
            if field.name == "digests":  # kept from here on
                continue
            mine, its = getattr(samples, field.name), getattr(other.splits[split], field.name)
            if isinstance(mine, dict):
                assert mine.keys() == its.keys(), field.name
                for name in mine:
                    np.testing.assert_array_equal(mine[name], its[name], err_msg=name)
            else:
                np.testing.assert_array_equal(np.asarray(mine), np.asarray(its), err_msg=field.name)


def test_labels_change_samples_go_and_all_else_stays(packed, tmp_path):
    before = packed.read_bytes()
    found = reviewed(packed, tmp_path / "new.h5", RELABELLED, DROPPED, OF_TEST, KEPT)
    train, test = found.splits["train"], found.splits["test"]
    np.testing.assert_array_equal(train.ids, [100, 102, 103, 104, 105, 106, 107])
    np.testing.assert_array_equal(train.given, [0, 2, 0, 2, 2, 0, 1])
    np.testing.assert_array_equal(train.labels["before_review"], [0, 2, 0, 1, 2, 0, 1])
    np.testing.assert_array_equal(test.ids, [108, 110, 111])
    np.testing.assert_array_equal(train.images[:, 0, 0, 0], 20 * (train.ids - 100))
    np.testing.assert_array_equal(train.labels["rater"], (GIVEN[train.ids - 100] + 1) % 3)
    assert packed.read_bytes() == before


def test_every_change_is_recorded(packed, tmp_path):
    out = tmp_path / "new.h5"
    found = reviewed(packed, out, RELABELLED, DROPPED, KEPT)
    with Beside.of(out).changes.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["change"], row["from"], row["to"]) for row in rows] == [
        ("104", "relabel", CLASSES[1], CLASSES[2]),
        ("101", "drop", CLASSES[1], ""),
    ]
    note = found.notes["review"]
    assert (note["relabelled"], note["dropped"], note["kept"]) == (1, 1, 1)


@pytest.mark.parametrize("targets", [False, True])
def test_undo_makes_the_data_as_it_was_again(tmp_path, targets):
    path = pack_faces(tmp_path / "before.h5", targets=targets)
    reviewed(path, tmp_path / "new.h5", RELABELLED, DROPPED, OF_TEST)
    undo(tmp_path / "new.h5", tmp_path / "again.h5")
    assert_same(open_packed(path), open_packed(tmp_path / "again.h5"))


def test_a_changed_label_is_the_whole_of_a_soft_one(tmp_path):
    path = pack_faces(tmp_path / "before.h5", targets=True)
    found = reviewed(path, tmp_path / "new.h5", RELABELLED)
    targets = found.splits["train"].targets
    np.testing.assert_allclose(targets[4], [0, 0, 1])
    np.testing.assert_allclose(targets[0], [0.8, 0.1, 0.1], rtol=1e-6)


def test_a_second_review_keeps_what_the_first_one_noted(packed, tmp_path):
    reviewed(packed, tmp_path / "one.h5", RELABELLED)
    again = Decision(Choice.RELABEL, 104, label=CLASSES[0])
    found = reviewed(tmp_path / "one.h5", tmp_path / "two.h5", again).splits["train"]
    assert found.given[4] == 0
    assert (found.labels["before_review"][4], found.labels["before_review_2"][4]) == (1, 2)
    undo(tmp_path / "two.h5", tmp_path / "back.h5")
    assert_same(open_packed(tmp_path / "one.h5"), open_packed(tmp_path / "back.h5"))


def test_of_a_label_set_that_was_judged_the_labels_change_in_their_place(packed, tmp_path):
    listing = open_source(packed, SourceOptions())
    decisions = [
        Decision(Choice.RELABEL, 104, given=CLASSES[2], label=CLASSES[0]),
        Decision(Choice.DROP, 101),
    ]
    write_reviewed(listing, apply_decisions(listing, decisions, "rater"), tmp_path / "new.h5")
    train = open_packed(tmp_path / "new.h5").splits["train"]
    np.testing.assert_array_equal(train.given, np.delete(GIVEN[:8], 1))
    np.testing.assert_array_equal(train.labels["rater"], [1, 0, 1, 0, 0, 1, 2])
    np.testing.assert_array_equal(train.labels["before_review"], [1, 0, 1, 2, 0, 1, 2])
    undo(tmp_path / "new.h5", tmp_path / "again.h5")
    assert_same(open_packed(packed), open_packed(tmp_path / "again.h5"))


def test_decisions_of_other_data_are_refused_all_at_once(packed):
    listing = open_source(packed, SourceOptions())
    wrong = [
        Decision(Choice.DROP, 999, line=2),
        Decision(Choice.KEEP, 104, given=CLASSES[0], line=3),
        Decision(Choice.DROP, None, "faces/04 <i>.png", line=4),
    ]
    with pytest.raises(DataError) as failure:
        apply_decisions(listing, wrong)
    told = str(failure.value)
    assert "3 decisions are not of" in told
    assert "line 2: id 999: there is no such sample" in told
    assert "line 3: id 104: its label was 'anger' when it was judged, and is '<b>joy</b>'" in told
    assert "did you mean faces/04 <i>&.png?" in told


def test_nothing_is_overwritten_and_nothing_is_left_of_a_failure(packed, tmp_path, monkeypatch):
    from eactf.review import reviewed as module

    out = tmp_path / "new.h5"
    beside = Beside.of(out)
    for path in (out, beside.changes, beside.before):
        path.write_text("mine")
        with pytest.raises(UsageError, match=r"exists"):
            reviewed(packed, out, DROPPED)
        assert path.read_text() == "mine"
        path.unlink()

    def broken(*_, **__):
        raise DataError("the disk is full")

    monkeypatch.setattr(module, "pack", broken)
    with pytest.raises(DataError, match="full"):
        reviewed(packed, out, DROPPED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces.h5"]


def test_undo_says_what_it_lacks(packed, tmp_path):
    with pytest.raises(UsageError, match="was not made by a review"):
        undo(packed, tmp_path / "again.h5")
    reviewed(packed, tmp_path / "new.h5", DROPPED)
    (tmp_path / "new.before.h5").unlink()
    with pytest.raises(UsageError, match=r"new\.before\.h5 and new\.changes\.csv are needed"):
        undo(tmp_path / "new.h5", tmp_path / "again.h5")
