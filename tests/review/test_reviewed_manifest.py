"""Reviewed image files stay where they are: a manifest names them, and can be taken back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eactf.errors import UsageError
from eactf.intake.sources import SourceOptions, open_source
from eactf.review.applying import apply_decisions
from eactf.review.decisions import Choice, Decision
from eactf.review.reviewed_manifest import undo_manifest, write_manifest


@pytest.fixture
def folder(tmp_path):
    """Two splits of three classes, two images each."""
    for split in ("train", "test"):
        for number, name in enumerate(("anger", "joy, plain", "fear")):
            place = tmp_path / "faces" / split / name
            place.mkdir(parents=True)
            for image in (1, 2):
                grey = Image.new("L", (8, 8), 40 * number + image)
                grey.save(place / f"{image}.png")
    return tmp_path / "faces"


def listed(path):
    return open_source(path, SourceOptions())


def labels_of(listing):
    """Class name by the path below the folder of the images."""
    named = zip(listing.names.tolist(), listing.given.tolist(), strict=True)
    return {
        name.partition("faces/")[2] or name: listing.class_names[label] if label >= 0 else None
        for name, label in named
    }


DECISIONS = (
    Decision(Choice.RELABEL, None, "train/joy, plain/1.png", "joy, plain", "fear"),
    Decision(Choice.DROP, None, "train/anger/2.png", "anger"),
    Decision(Choice.KEEP, None, "test/fear/1.png"),
)


def test_the_manifest_has_the_labels_as_decided_and_the_files_stay(folder, tmp_path):
    original = listed(folder)
    out = tmp_path / "reviewed.csv"
    write_manifest(original, apply_decisions(original, DECISIONS), out)
    before, after = labels_of(original), labels_of(listed(out))
    changed = {"train/joy, plain/1.png": "fear", "train/anger/2.png": None}
    assert after == {**before, **changed}
    assert len(list(folder.rglob("*.png"))) == 12
    found = listed(out).labels["before_review"]
    assert np.isin(found, [0, 1, 2]).all()


@pytest.mark.parametrize("place", ["as-before.csv", "elsewhere/as-before.csv"])
def test_undo_gives_every_label_back(folder, tmp_path, place):
    original = listed(folder)
    write_manifest(original, apply_decisions(original, DECISIONS), tmp_path / "reviewed.csv")
    out = tmp_path / place
    out.parent.mkdir(exist_ok=True)
    assert undo_manifest(tmp_path / "reviewed.csv", out) == 12
    again = listed(out)
    assert labels_of(again) == labels_of(original)
    assert not again.labels
    with again.images.open(0) as image:
        assert image.size == (8, 8)


def test_nothing_is_overwritten_and_other_files_are_refused(folder, packed, tmp_path):
    original = listed(folder)
    out = tmp_path / "reviewed.csv"
    out.write_text("mine")
    with pytest.raises(UsageError, match="is left as it is"):
        write_manifest(original, apply_decisions(original, DECISIONS), out)
    out.write_text("path,label\na.png,joy\n")
    with pytest.raises(UsageError, match="was not made by a review"):
        undo_manifest(out, tmp_path / "again.csv")
    data = listed(packed)
    with pytest.raises(UsageError, match="no image files"):
        write_manifest(data, apply_decisions(data, ()), tmp_path / "new.csv")
