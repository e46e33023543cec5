"""Choosing the images to judge a run on, so that what it was trained on never passes for unseen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eactf.data.run_record import RunRecord
from eactf.errors import DataError
from eactf.packed.identity import digests_of
from eactf.packed.records import Dataset, Samples
from eactf.wording import counted

__all__ = ["ALL", "Chosen", "choose_split", "choose_unseen"]

ALL = "all images"
"""What a data set without splits is called when it is judged."""


@dataclass(frozen=True)
class Chosen:
    """The images to judge, what to call them, and what the user has to know of the choice."""

    name: str
    samples: Samples
    remarks: tuple[str, ...] = ()


def choose_split(dataset: Dataset, split: str | None) -> Chosen:
    """The split that was asked for, else test, validation, or all where there is neither.

    Raises `DataError` where it is not there.
    """
    if split is None:
        held = next((name for name in ("test", "validation") if _has(dataset, name)), None)
        return Chosen(held or ALL, dataset.splits[held or "train"])
    if not _has(dataset, split):
        raise _no_split(dataset, split)
    return Chosen(split, dataset.splits[split])


def choose_unseen(dataset: Dataset, split: str | None, record: RunRecord, *, own: bool) -> Chosen:
    """As `choose_split`, of a data set that the run of `record` may know.

    `own` says that it is the run's own data, which may have changed: then what the run held out of
    its training images is their validation split, and `train` is what it trained on. Whatever is
    judged without `train` being asked for leaves out what the run was trained on. What the run had
    in the same split already stays, as there are copies of training images in published test
    splits. Raises `DataError` where nothing is left.
    """
    remarks = [_changed(dataset, change)] if own and (change := record.change(dataset)) else []
    if own and split is None:
        split = next((name for name in ("test", "validation") if record.had(name)), None)
    if own and split == "validation" and not _has(dataset, "validation"):
        rows = record.holds(digests_of(dataset.splits["train"]), "validation")
        return _some(dataset, "validation", "train", rows, remarks)
    chosen = choose_split(dataset, split)
    digests = digests_of(chosen.samples)
    trained = record.holds(digests, "train")
    if chosen.name == "train":
        if own:
            return _some(dataset, "train", "train", trained, remarks)
        seen = f"{trained.sum():,} of {len(trained):,} images were trained on by this run"
        return Chosen("train", chosen.samples, (seen,) if trained.any() else ())
    if chosen.name != ALL:
        trained &= ~record.holds(digests, chosen.name)
    if trained.any():
        remarks.append(_left_out(chosen.name, int(trained.sum()), len(trained)))
    place = "train" if chosen.name == ALL else chosen.name
    return _some(dataset, chosen.name, place, ~trained, remarks)


def _some(dataset: Dataset, name: str, place: str, rows: np.ndarray, remarks: list[str]) -> Chosen:
    """The samples of split `place` at `rows` (booleans) under the name `name`."""
    if not rows.any():
        what = "it was trained on" if name == "train" else "the run has not been trained on"
        raise DataError(
            f"{dataset.source}: there is no image left that {what}",
            hint="give other images with --data"
            + ("" if name == "train" else "; to judge what it was trained on: --split train"),
        )
    return Chosen(name, dataset.splits[place].take(np.flatnonzero(rows)), tuple(remarks))


def _has(dataset: Dataset, split: str) -> bool:
    return len(dataset.splits.get(split, ())) > 0


def _no_split(dataset: Dataset, split: str) -> DataError:
    return DataError(
        f"{dataset.source} has no split {split}",
        hint=f"it has: {', '.join(name for name in dataset.splits if _has(dataset, name))}",
    )


def _changed(dataset: Dataset, change: str) -> str:
    return (
        f"{dataset.source} is not what the run was trained on: {change}; judged are the images"
        " that it held out then"
    )


def _left_out(name: str, trained: int, total: int) -> str:
    images = counted(total, "image")
    where = images if name == ALL else f"{images} of {name}"
    were = "was" if trained == 1 else "were"
    return f"{trained:,} of {where} {were} trained on by this run and left out"
