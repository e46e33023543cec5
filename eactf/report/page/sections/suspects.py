"""The labels that an audit of a run suspects, to look through."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from eactf.errors import EactfError
from eactf.foreign import reason_of
from eactf.report.page.blocks import Card, Cards, Section, Tile
from eactf.report.page.overlays import jpeg_of, shown
from eactf.report.page.subject import Subject, View
from eactf.review.audited import AuditFolder
from eactf.review.decisions import read_decisions
from eactf.review.thumbnails import Suspect, Suspects, ranked_suspects
from eactf.suggestions import command_line
from eactf.wording import counted

__all__ = ["suspects"]

_MOST = 24
_SIDE = 96


def suspects(subject: Subject) -> Section | None:
    """The worst suspects of each run that was audited; None where none was."""
    cards: list[Cards] = []
    missing: list[str] = []
    audited = [(view, AuditFolder(view.facts.folder / "audit")) for view in subject.drawn]
    audited = [(view, folder) for view, folder in audited if folder.suspects.is_file()]
    for view, folder in audited:
        try:
            cards.append(_cards(view, folder))
        except (EactfError, OSError) as reason:
            missing.append(f"{view.label}: the suspects cannot be shown: {reason_of(reason)}")
    if not audited:
        return None
    paragraphs = [
        "Training labels that eactf audit holds for wrong, the worst first. To decide on each: "
        + command_line("eactf", "audit", audited[0][0].facts.folder, "--review")
    ]
    return Section("suspects", "Suspected labels", paragraphs, cards, missing)


def _cards(view: View, folder: AuditFolder) -> Cards:
    ranked = ranked_suspects(folder)
    worst = ranked.suspects[:_MOST]
    caption = (
        f"{counted(len(ranked.suspects), 'label')} suspected, {len(worst)} shown; "
        f"{_decided(folder, ranked)} decided on. All of them: {folder.suspects}"
    )
    return Cards(
        f"Suspected labels, {view.label}", caption, [_card(ranked, suspect) for suspect in worst]
    )


def _decided(folder: AuditFolder, ranked: Suspects) -> int:
    if not folder.decisions.is_file():
        return 0
    return len(read_decisions(folder.decisions, ranked.class_names))


def _card(ranked: Suspects, suspect: Suspect) -> Card:
    called = f"id {suspect.id}" if suspect.id else suspect.filepath
    with Image.open(io.BytesIO(ranked.picture(suspect, _SIDE))) as picture:
        tile = Tile(jpeg_of(shown(np.asarray(picture.convert("RGB")))), f"Image {called}")
    return Card([("image", [tile])], [called, *_lines(suspect)])


def _lines(suspect: Suspect) -> Iterator[str]:
    yield f"given {suspect.given}, likely {suspect.likely}"
    for name, words in (("label_score", "right by"), ("mean_agreement", "predicted as given in")):
        value = suspect.figures.get(name, float("nan"))
        if np.isfinite(value):
            yield f"{words} {value:.0%}" + (" of the steps" if name == "mean_agreement" else "")
