"""What a method has to say of an epoch and of single samples, written into the run's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eactf.division import Division
from eactf.evaluation.metrics import Scores
from eactf.training.folder import RunFolder
from eactf.training.session import Session

__all__ = ["division_summary", "epoch_record", "judged_row", "write_division"]


def epoch_record(session: Session) -> Mapping[str, Any]:
    """What the method tells of the epoch that has ended, beside its logs."""
    train, names = session.data.train, session.data.class_names
    return session.method.epoch_record(train.ids, train.given, train.clean, names)


def write_division(folder: RunFolder, session: Session) -> None:
    """Write `division.csv`, the division for the epoch to come; no file for other methods."""
    division = _division(session)
    if division is not None:
        folder.write_text("division.csv", division.csv_text(session.data.train.names))


def division_summary(session: Session) -> dict[str, Any] | None:
    """What the last division is worth, for the result; None for other methods."""
    division = _division(session)
    if division is None:
        return None
    train = session.data.train
    figures = division.figures(train.given, train.clean, session.data.class_names)
    return {"after_epochs": division.epoch, "networks": figures}


def judged_row(epoch: int, scores: Sequence[Scores], names: Sequence[str]) -> dict[str, Any]:
    """An epoch's line of `judged.jsonl`: recalls and confusion matrix, of each network too."""
    row = {"epoch": epoch + 1, **scores[0].as_dict(names)}
    if len(scores) > 1:
        row["networks"] = [alone.as_dict(names) for alone in scores[1:]]
    return row


def _division(session: Session) -> Division | None:
    found: Division | None = getattr(session.method, "division", None)
    return found
