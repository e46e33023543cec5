"""`judge` measures how well a stored classifier predicts the labels of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eactf.data.opened import holds_images, open_data
from eactf.data.pipeline import ImageForm, evaluation_batches
from eactf.data.prepare import judged_by_true_labels, prepare_data
from eactf.errors import DataError, UsageError
from eactf.evaluation.metrics import Scores, score
from eactf.evaluation.storage import (
    StoredClassifier,
    find_classifier,
    open_classifier_file,
)
from eactf.intake.sources.options import SourceOptions
from eactf.packed.records import Dataset, Samples
from eactf.recipe import load_recipe
from eactf.suggestions import command_line
from eactf.wording import counted, enumerated

__all__ = ["ALL", "Judged", "judge"]


ALL = "all"
"""What stands for the split where the images given were not divided into any."""


@dataclass(frozen=True)
class Judged:
    """A classifier's scores, and on what: a split of the data, or `ALL` of undivided images."""

    model: Path
    source: str
    split: str
    class_names: tuple[str, ...]
    scores: Scores


def judge(target: Path, data: Path | None, split: str | None, *, batch_size: int) -> Judged:
    """Judge `target` (a run's folder or a `.keras` file) on `split` of `data`.

    Without `data` a run is judged on what its recipe names. Without `split` the test split is
    taken, or validation where there is none. Labels are the clean ones where the data knows them.
    Raises `UsageError`, `DataError` (classes that do not match) or `UnsafeFileError`.
    """
    stored = open_classifier_file(find_classifier(target))
    height, _, channels = stored.model.input_shape[1:]
    dataset = _own_data(target) if data is None else _opened(data, height, channels)
    name, samples = _chosen_split(dataset, split)
    if name == "train" and split is None and data is not None and holds_images(data):
        name = ALL  # images that nobody has divided are no training split here
    samples = _in_model_order(judged_by_true_labels(samples), dataset, stored, data)
    form = ImageForm(height or dataset.image_shape[0], channels)
    batches = evaluation_batches(samples, form, batch_size=batch_size)
    logits = stored.model.predict(batches.map(lambda image, label, number: image), verbose=0)
    guess = np.argmax(logits, axis=-1)
    scores = score(samples.given, guess, stored.classes, class_scores=logits)
    names = stored.named_classes or dataset.class_names
    return Judged(stored.path, dataset.source, name, names, scores)


def _opened(data: Path, size: int | None, channels: int) -> Dataset:
    """What `--data` names. The classes are the classifier's: images of one of them do as well."""
    options = SourceOptions(fewest_classes=1)
    return open_data(data, options=options, size=size, channels=channels)


def _own_data(target: Path) -> Dataset:
    recipe = target / "recipe.yaml" if target.is_dir() else target.parent / "recipe.yaml"
    if not recipe.is_file():
        raise UsageError(f"{target} says nothing of its data", hint="give --data FILE.h5")
    prepared = prepare_data(load_recipe(str(recipe)).recipe)
    splits = {"train": prepared.train, "validation": prepared.validation}
    if prepared.test is not None:
        splits["test"] = prepared.test
    return replace(prepared.dataset, splits=splits)


def _chosen_split(dataset: Dataset, split: str | None) -> tuple[str, Samples]:
    wanted: Sequence[str] = (split,) if split else ("test", "validation", "train")
    for name in wanted:
        if len(dataset.splits.get(name, ())):
            return name, dataset.splits[name]
    raise DataError(
        f"{dataset.source} has no split {' or '.join(wanted)}",
        hint=f"it has: {', '.join(name for name, part in dataset.splits.items() if len(part))}",
    )


def _in_model_order(
    samples: Samples, dataset: Dataset, stored: StoredClassifier, data: Path | None
) -> Samples:
    """Labels as the classifier numbers its classes; names decide where both sides have them."""
    known, names = stored.named_classes, dataset.class_names
    if known is None:
        if len(names) != stored.classes:
            raise DataError(
                f"the classifier has {counted(stored.classes, 'class', 'classes')} without names,"
                f" the data {len(names)}: which is which cannot be told",
                hint="judge a model.keras that eactf saved, or data with all of its classes",
            )
        return samples
    order = [known.index(name) if name in known else -1 for name in names]
    unknown = [names[label] for label in np.unique(samples.given) if order[label] < 0]
    if unknown:
        named = enumerated((repr(name) for name in unknown), most=3)
        classes = "class" if len(unknown) == 1 else "classes"
        raise DataError(
            f"the classifier does not know the {classes} {named} of {data or dataset.source}",
            hint=_names_hint(known, unknown, data),
        )
    return replace(samples, given=np.asarray(order, np.int64)[samples.given])


def _names_hint(known: Sequence[str], unknown: Sequence[str], data: Path | None) -> str:
    hint = f"its classes: {', '.join(known)}"
    if data is not None and len(unknown) == 1 and (data / unknown[0]).is_dir():
        hint += f"\n  if the class folders lie in it: {command_line('--data', data / unknown[0])}"
    return hint
