"""`judge` measures how well a stored classifier predicts the labels of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eactf.data.opened import open_data
from eactf.data.pipeline import ImageForm, evaluation_batches
from eactf.data.prepare import judged_by_true_labels, open_recipe_data, prepare_data
from eactf.data.run_record import FILE_NAME, RunRecord
from eactf.errors import DataError, UsageError
from eactf.evaluation.metrics import Scores, score
from eactf.evaluation.storage import (
    StoredClassifier,
    find_classifier,
    open_classifier_file,
)
from eactf.evaluation.unseen import Chosen, choose_split, choose_unseen
from eactf.evaluation.values import concordances
from eactf.packed.records import Dataset, Samples
from eactf.recipe import Recipe, load_recipe
from eactf.suggestions import command_line
from eactf.wording import counted, enumerated

__all__ = ["DataToJudge", "Judged", "data_to_judge", "judge"]


@dataclass(frozen=True)
class Judged:
    """A classifier's scores, on what, and what there is to know of the choice of images."""

    model: Path
    source: str
    split: str
    class_names: tuple[str, ...]
    scores: Scores
    remarks: tuple[str, ...] = ()


def judge(target: Path, data: Path | None, split: str | None, *, batch_size: int) -> Judged:
    """Judge `target` (a run's folder or a `.keras` file) on `split` of `data`.

    Without `data` a run is judged on what its recipe names. Without `split` the test split is
    taken, or validation where there is none, or all images that the run was not trained on. Labels
    are the clean ones where the data knows them. Raises `UsageError`, `DataError` (classes that do
    not match, nothing unseen) or `UnsafeFileError`.
    """
    stored = open_classifier_file(find_classifier(target, whole=True))
    opened = data_to_judge(stored, target, data)
    chosen, dataset = opened.choose(split), opened.dataset
    samples = chosen.samples
    height, _, channels = stored.model.input_shape[1:]
    form = ImageForm(height or dataset.image_shape[0], channels)
    batches = evaluation_batches(samples, form, batch_size=batch_size)
    network = stored.model if stored.whole is None else stored.whole
    outputs = network.predict(batches.map(lambda image, label, number: image), verbose=0)
    logits = outputs if stored.whole is None else outputs[stored.facts["label"]]
    guess = np.argmax(logits, axis=-1)
    scores = score(samples.given, guess, stored.classes, class_scores=logits)
    if stored.whole is not None:
        found = concordances(samples, stored.numbers_of(outputs))
        scores = replace(scores, concordance=found)
    names = stored.named_classes or dataset.class_names
    return Judged(stored.path, dataset.source, chosen.name, names, scores, chosen.remarks)


@dataclass(frozen=True)
class DataToJudge:
    """A data set for `stored`, opened; of a run's classifier with the record of its images.

    `path` is what the user named, None for the run's own data.
    """

    stored: StoredClassifier
    dataset: Dataset
    record: RunRecord | None
    path: Path | None

    def choose(self, split: str | None) -> Chosen:
        """The images to judge, by their true labels as the classifier numbers them.

        As `choose_unseen` says; raises `DataError` as it does, and for unknown classes.
        """
        if self.record is None:
            chosen = choose_split(self.dataset, split)
        else:
            chosen = choose_unseen(self.dataset, split, self.record, own=self.path is None)
        samples = judged_by_true_labels(chosen.samples)
        return replace(
            chosen, samples=_in_model_order(samples, self.dataset, self.stored, self.path)
        )


def data_to_judge(stored: StoredClassifier, target: Path, data: Path | None) -> DataToJudge:
    """Open `data`, or else what the recipe of the run of `target` names.

    `stored` is the classifier of `target`, a run's folder or a file in one. Raises `UsageError`
    where there is no data, `DataError` where it cannot be used.
    """
    height, _, channels = stored.model.input_shape[1:]
    folder = target if target.is_dir() else target.parent
    record = RunRecord.read(folder / FILE_NAME)
    if data is not None:
        dataset = _opened(data, height, channels)
    elif record is not None:
        dataset = open_recipe_data(_recipe(target, folder))
    else:
        dataset = _prepared_data(_recipe(target, folder))
    return DataToJudge(stored, dataset, record, data)


def _opened(data: Path, size: int | None, channels: int) -> Dataset:
    """What `--data` names. The classes are the classifier's: images of one of them do as well."""
    return open_data(data, size=size, channels=channels, fewest_classes=1)


def _recipe(target: Path, folder: Path) -> Recipe:
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise UsageError(f"{target} says nothing of its data", hint="give --data FILE.h5")
    return load_recipe(str(path)).recipe


def _prepared_data(recipe: Recipe) -> Dataset:
    """The splits of a run without a record of its images: drawn once more."""
    prepared = prepare_data(recipe)
    splits = {"train": prepared.train, "validation": prepared.validation}
    if prepared.test is not None:
        splits["test"] = prepared.test
    return replace(prepared.dataset, splits=splits)


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
