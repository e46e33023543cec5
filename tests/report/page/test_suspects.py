"""The section of suspected labels, of a run that was audited."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from subjects import subject

from eactf.intake.sources import SourceOptions
from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples
from eactf.report.page.sections.suspects import suspects
from eactf.review.audited import Audited, AuditFolder

CLASSES = ("calm", "glad", "sad")


def row(number):
    """A row of `suspects.csv` as an audit writes it."""
    return {
        "id": 10 + number,
        "filepath": "",
        "split": "train",
        "given_label": "calm",
        "predicted_label": "sad",
        "label_score": 0.1 + number / 100,
        "mean_agreement": 0.25,
    }


@pytest.fixture
def audited(tmp_path):
    """A subject whose one run was audited, and the audit's folder; 30 suspects of 40 images."""
    page = subject(tmp_path, "eac")
    images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 6, 6, 1), np.uint8)
    samples = Samples(images, np.arange(10, 50), np.zeros(40, int))
    data = tmp_path / "data.h5"
    write_packed(data, Dataset(CLASSES, {"train": samples}, "made"))
    folder = AuditFolder(page.views[0].facts.folder / "audit")
    about = Audited.of_data(data, "train", CLASSES, None, SourceOptions())
    folder.write(about, [row(number) for number in range(30)], {"samples": 40})
    return page, folder, data


def test_the_worst_suspects_are_shown_with_their_pictures_and_what_speaks_against_them(audited):
    page, *_ = audited
    section = suspects(page)
    (cards,) = section.blocks
    assert len(cards.cards) == 24
    assert cards.caption.startswith("30 labels suspected, 24 shown; 0 decided on.")
    second = cards.cards[1]
    assert second.lines == [
        "id 11",
        "given calm, likely sad",
        "right by 11%",
        "predicted as given in 25% of the steps",
    ]
    ((_, (tile,)),) = second.pictures
    with Image.open(io.BytesIO(tile.jpeg)) as picture:
        assert abs(int(np.asarray(picture).mean()) - 1) <= 1  # image 1 has value 1
    assert "--review" in section.paragraphs[0]


def test_what_was_decided_is_counted(audited):
    page, folder, _ = audited
    folder.decisions.write_text("id,decision,label\n10,keep,\n11,relabel,sad\n")
    assert "2 decided on" in suspects(page).blocks[0].caption


def test_data_that_is_gone_is_told_and_breaks_no_page(audited):
    page, _, data = audited
    data.unlink()
    section = suspects(page)
    assert not section.blocks
    assert "eac: the suspects cannot be shown" in section.missing[0]


def test_runs_that_were_not_audited_have_no_such_section(tmp_path):
    assert suspects(subject(tmp_path, "eac")) is None
