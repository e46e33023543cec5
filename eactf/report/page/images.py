"""The images of a run, with the labels that it was trained on and is judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eactf.data.prepare import judged_by_true_labels, open_recipe_data, prepare_data
from eactf.data.run_record import FILE_NAME, RunRecord
from eactf.errors import DataError
from eactf.evaluation.unseen import choose_unseen
from eactf.noise import NoiseManifest
from eactf.packed.records import Dataset, Samples
from eactf.recipe import Recipe
from eactf.report.page.facts import RunFacts

__all__ = ["RunImages", "run_images"]


@dataclass(frozen=True)
class RunImages:
    """What a run was trained on, labels as it was given them, and what it was judged on.

    `clean` of `train` is -1 where the true label is not known. `remarks` tell how the data has
    changed since.
    """

    class_names: tuple[str, ...]
    train: Samples
    judged: Samples
    split: str
    remarks: tuple[str, ...] = ()


def run_images(facts: RunFacts) -> RunImages:
    """Find the images of a run again; raises `DataError` or `UsageError` where they are gone."""
    if facts.recipe is None:
        raise DataError("the run has no recipe that can be read, which would name its data")
    record = RunRecord.read(facts.folder / FILE_NAME)
    if record is None:
        return _drawn_again(facts.recipe)
    dataset = _OPENED.get(facts.recipe)
    train = choose_unseen(dataset, "train", record, own=True)
    judged = choose_unseen(dataset, None, record, own=True)
    return RunImages(
        dataset.class_names,
        _as_labelled(train.samples, facts, dataset.class_names),
        judged_by_true_labels(judged.samples),
        judged.name,
        tuple(dict.fromkeys((*train.remarks, *judged.remarks))),
    )


class _LastOpened:
    """The data set that was opened last, for the next run of the same one."""

    def __init__(self) -> None:
        self._key = ""
        self._dataset: Dataset | None = None

    def get(self, recipe: Recipe) -> Dataset:
        key = recipe.data.model_dump_json()
        if self._dataset is None or key != self._key:
            self._dataset, self._key = open_recipe_data(recipe), key
        return self._dataset


_OPENED = _LastOpened()


def _drawn_again(recipe: Recipe) -> RunImages:
    """The splits of a run without a record of its images, made as they were then."""
    data = prepare_data(recipe)
    judged, split = (data.test, "test") if data.test else (data.validation, "validation")
    return RunImages(data.class_names, _with_truth(data.train), judged, split)


def _with_truth(samples: Samples) -> Samples:
    unknown = np.full(len(samples), -1) if samples.clean is None else samples.clean
    return replace(samples, clean=unknown)


def _as_labelled(train: Samples, facts: RunFacts, class_names: tuple[str, ...]) -> Samples:
    """The training images with the labels of the run's `labels.csv`; others are left out."""
    path = facts.folder / "labels.csv"
    if not path.is_file():
        return _with_truth(train)
    manifest = NoiseManifest.read_csv(path, class_names)
    order = np.argsort(manifest.ids, kind="stable")
    place = np.searchsorted(manifest.ids, train.ids, sorter=order)
    rows = order[np.minimum(place, len(order) - 1)]
    known = manifest.ids[rows] == train.ids
    if not known.any():
        raise DataError(f"{path} has labels of other images than the run's data holds now")
    rows = rows[known]
    return replace(
        train.take(np.flatnonzero(known)), given=manifest.given[rows], clean=manifest.clean[rows]
    )
