"""Giving samples noisy labels, whatever the kind of noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.noise.draw import KINDS, draw_noise
from eactf.noise.files import RAF_CLASSES, read_noise_file, stem
from eactf.noise.manifest import NoiseManifest
from eactf.packed.records import Samples

__all__ = ["apply_noise"]


def apply_noise(
    samples: Samples,
    class_names: Sequence[str],
    *,
    kind: str,
    rate: float | None = None,
    count: str = "bernoulli",
    include_true: bool = False,
    seed: int = 0,
    matrix: np.ndarray | None = None,
    labels_name: str | None = None,
    path: str | Path | None = None,
    base: int = 1,
    file_classes: Sequence[str] = RAF_CLASSES,
) -> tuple[Samples, NoiseManifest]:
    """`samples` with noisy `given` labels, and the record of them.

    `symmetric`, `pair` and `matrix` draw, see `draw_noise`. `human` takes the label set
    `labels_name`; samples that have no label there are left out (`manifest.dropped`). `file` takes
    the RAF-DB style file `path`, matched by name, its labels counting from `base` in the order of
    `file_classes`. `clean` becomes the label that was given before, unless it was known already.
    Soft targets go: they would carry the old labels past the noise.

    Raises `UsageError` for settings that do not fit the kind, `DataError` for data that does not.
    """
    if kind not in KINDS:
        raise UsageError(f"noise kind {kind!r}: expected one of {', '.join(KINDS)}")
    total = len(samples)
    if kind in ("human", "file") and rate:
        raise UsageError(f"noise of kind {kind!r} takes labels as they are: it has no rate")
    if kind == "human":
        samples, given = _from_label_set(samples, labels_name)
    elif kind == "file":
        given = _from_file(samples, class_names, path, base, file_classes)
    else:
        given = draw_noise(
            samples.given,
            samples.ids,
            len(class_names),
            kind=kind,
            rate=rate,
            count=count,
            include_true=include_true,
            seed=seed,
            matrix=matrix,
        )
    clean = samples.given if samples.clean is None else samples.clean
    noisy = replace(samples, given=given, clean=clean, targets=None)
    requested = None if kind in ("human", "file") else rate
    manifest = NoiseManifest(
        tuple(class_names), noisy.ids, given, clean, kind, requested, total - len(noisy)
    )
    return noisy, manifest


def _from_label_set(samples: Samples, name: str | None) -> tuple[Samples, np.ndarray]:
    if name is None or name not in samples.labels:
        has = ", ".join(samples.labels) or "none"
        raise DataError(
            f"noise of kind 'human': the data has no label set {name!r}",
            hint=f"the label sets it has: {has}",
        )
    known = samples.labels[name] >= 0
    if not known.any():
        raise DataError(f"label set {name!r} has no label for any of {len(samples)} samples")
    if not known.all():
        samples = samples.take(np.flatnonzero(known))
    return samples, samples.labels[name]


def _from_file(
    samples: Samples,
    class_names: Sequence[str],
    path: str | Path | None,
    base: int,
    file_classes: Sequence[str],
) -> np.ndarray:
    if path is None:
        raise UsageError("noise of kind 'file' needs the path of a label file")
    if samples.names is None:
        raise DataError(f"the labels of {path} go by image name, but the samples have no names")
    order = _class_order(path, class_names, file_classes)
    labels = read_noise_file(path, base=base, classes=len(order)).by_stem(Path(path))
    stems = [stem(str(name)) for name in samples.names]
    if len(set(stems)) < len(stems):
        raise DataError(f"{path}: several samples have the same image name, so names cannot match")
    missing = [name for name in stems if name not in labels]
    if missing:
        raise DataError(
            f"{path} matches {len(stems) - len(missing)} of {len(stems)} samples"
            f" ({len(labels)} names in the file); without a label is, for one, {missing[0]!r}",
            hint="names are compared without folder, ending and '_aligned'",
        )
    return np.asarray(order[[labels[name] for name in stems]])


def _class_order(
    path: str | Path, class_names: Sequence[str], file_classes: Sequence[str]
) -> np.ndarray:
    missing = [name for name in file_classes if name not in class_names]
    if missing:
        raise DataError(
            f"{path}: its class {missing[0]!r} is not a class of the data"
            f" ({', '.join(class_names)})",
            hint="say which class each label of the file means (file_classes)",
        )
    return np.array([class_names.index(name) for name in file_classes], dtype=np.int64)
