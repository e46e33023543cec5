"""This module turns a recipe's `data` and `noise` sections into the splits and labels of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eactf import console
from eactf.data.opened import open_data
from eactf.data.splits import limit, split_off_validation
from eactf.errors import DataError, UsageError
from eactf.faces import drawn_face_dataset
from eactf.foreign import reason_of
from eactf.intake.two_classes import one_class_fix, only_class
from eactf.noise import NoiseManifest, apply_noise, machine_notices
from eactf.packed import open_packed
from eactf.packed.records import Dataset, Samples
from eactf.recipe import Recipe

__all__ = ["PreparedData", "judged_by_true_labels", "open_recipe_data", "prepare_data"]


@dataclass(frozen=True)
class PreparedData:
    """What a run trains on, chooses on and is judged on, once each.

    `train` carries the labels to learn, noise included. `validation` is held out of the training
    split where the data set has none (`validation_origin` says which); noise is put on `train`
    alone. Validation and test are judged by their clean labels where the data set knows them.
    `test` may be None. `manifest` records given and clean label of every training sample.
    """

    dataset: Dataset
    train: Samples
    validation: Samples
    test: Samples | None
    manifest: NoiseManifest
    validation_origin: str

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.dataset.class_names


def prepare_data(recipe: Recipe, *, looked_through: bool = False) -> PreparedData:
    """Open or draw the data set, split it, and put the recipe's label noise on the training part.

    `looked_through` is as in `open_data`. Raises `UsageError` when no data file is named,
    `DataError` when it cannot be used.
    """
    dataset = open_recipe_data(recipe, looked_through=looked_through)
    if "train" not in dataset.splits or not len(dataset.splits["train"]):
        raise DataError(f"{dataset.source} has no training split", hint="pack one with split train")
    train = dataset.splits["train"]
    if (found := only_class(dataset.class_names, train.given)) is not None:
        raise DataError(f"{dataset.source}, training split: {found}", hint=one_class_fix("packed"))
    validation = dataset.splits.get("validation")
    origin = "its own split"
    if validation is None or not len(validation):
        train, validation = split_off_validation(
            train, recipe.data.validation_fraction, recipe.seed
        )
        origin = f"{recipe.data.validation_fraction:.0%} of the training split, held out"
    if recipe.data.train_limit is not None:
        train = limit(train, recipe.data.train_limit, recipe.seed)
    noisy, manifest = _add_noise(recipe, train, dataset.class_names)
    if recipe.data.source != "drawn-faces":
        _tell_unjudged(train, validation, dataset.class_names)
    test = dataset.splits.get("test")
    return PreparedData(
        dataset=dataset,
        train=noisy,
        validation=judged_by_true_labels(validation),
        test=judged_by_true_labels(test) if test is not None and len(test) else None,
        manifest=manifest,
        validation_origin=origin,
    )


def open_recipe_data(recipe: Recipe, *, looked_through: bool = False) -> Dataset:
    """Open or draw the data set of a recipe, its splits as they are stored.

    `looked_through` is as in `open_data`.
    """
    if recipe.data.source == "drawn-faces":
        drawn = recipe.data.drawn
        return drawn_face_dataset(
            train=drawn.train,
            validation=drawn.validation,
            test=drawn.test,
            size=drawn.size,
            seed=drawn.seed,
            difficulty=drawn.difficulty,
        )
    if recipe.data.path is None:
        raise UsageError(
            "the recipe trains on your data, and none is named",
            hint="give --data FILE.h5; 'eactf data pack' makes one. Or --data FOLDER",
        )
    if recipe.data.source == "images":
        size, channels = recipe.data.image_size, recipe.data.channels
        path = Path(recipe.data.path)
        return open_data(
            path,
            size=size,
            channels=channels,
            max_bad=recipe.data.max_bad,
            looked_through=looked_through,
        )
    return open_packed(Path(recipe.data.path))


def _add_noise(
    recipe: Recipe, train: Samples, class_names: tuple[str, ...]
) -> tuple[Samples, NoiseManifest]:
    noise = recipe.noise
    if noise.kind == "none":
        clean = train.given if train.clean is None else train.clean
        return train, NoiseManifest(class_names, train.ids, train.given, clean, "none")
    matrix = noise.matrix
    for notice in machine_notices(class_names) if noise.kind == "machine" else ():
        console.warn(notice)
    if noise.kind == "matrix" and noise.path is not None:
        matrix = _read_matrix(Path(noise.path))
    return apply_noise(
        train,
        class_names,
        kind=noise.kind,
        rate=noise.rate if noise.kind in ("symmetric", "pair") else None,
        count=noise.count,
        include_true=noise.include_true,
        labels_name=noise.labels,
        path=Path(noise.path) if noise.kind == "file" and noise.path is not None else None,
        matrix=None if matrix is None else np.asarray(matrix),
        strength=noise.strength if noise.kind == "machine" else None,
        values=noise.kind == "machine" and noise.values,
        rates=noise.annotators,
        base=noise.base,
        file_classes=noise.classes,
        most_wrong=noise.most_wrong,
        seed=recipe.noise_seed,
    )


def _read_matrix(path: Path) -> tuple[tuple[float, ...], ...]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = content["matrix"] if isinstance(content, dict) else content
        return tuple(tuple(float(cell) for cell in row) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise DataError(
            f"cannot read a noise matrix from {path}: {reason_of(reason)}",
            hint='expected JSON: a list of rows, or {"matrix": [...]}',
        ) from reason


def _tell_unjudged(train: Samples, validation: Samples, class_names: tuple[str, ...]) -> None:
    missing = [class_names[label] for label in np.setdiff1d(train.given, validation.given)]
    if missing:
        classes = "this class" if len(missing) == 1 else "these classes"
        console.warn(
            f"validation has no image of {classes} and cannot judge"
            f" {'it' if len(missing) == 1 else 'them'}: {', '.join(map(repr, missing))}"
        )


def judged_by_true_labels(samples: Samples) -> Samples:
    """Samples whose `given` label is the clean one, where the data set knows all of them."""
    if samples.clean is None or (samples.clean < 0).any():
        return samples
    return replace(samples, given=samples.clean)
