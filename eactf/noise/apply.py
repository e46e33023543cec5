"""`apply_noise` gives samples noisy labels, whatever the kind of noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.noise.draw import KINDS, draw_noise
from eactf.noise.files import RAF_CLASSES, NoiseFile, read_noise_file, stem
from eactf.noise.machine import machine_law
from eactf.noise.machine_values import value_by_machine
from eactf.noise.manifest import NoiseManifest
from eactf.packed.records import Samples
from eactf.packed.values import AFFECT

__all__ = ["apply_noise"]

_SEEDS_APART = 1 << 32
"""Each annotator's draws have a seed that is no recipe's: those go to 2**32."""


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
    strength: float | None = None,
    values: bool = False,
    rates: Sequence[float] = (),
    labels_name: str | None = None,
    path: str | Path | None = None,
    base: int | None = None,
    file_classes: Sequence[str] | None = None,
    most_wrong: float = 0.5,
) -> tuple[Samples, NoiseManifest]:
    """`samples` with noisy `given` labels, and the record of them.

    `symmetric`, `pair` and `matrix` draw, see `draw_noise`; `machine` draws from `machine_law` at
    `strength`, 1 where None, and with `values` valence and arousal as well, where the samples have
    them (`value_by_machine`). `annotators` are as many as there are `rates`: each draws that share
    of the labels anew among all classes, the first's are the given labels and the others' the label
    sets `annotator2`, `annotator3`, ... `human` takes the label set
    `labels_name`; samples that have no label there are left out (`manifest.dropped`). `file` takes
    the label file `path`, matched by name, its labels counting from `base` (None: told by the file)
    in the order of `file_classes`, the data's own where None; where more than the share
    `most_wrong` of them are not those of the data, the numbering is taken for another. `clean`
    becomes the label that was given before, unless it was known already.
    Soft targets go: they would carry the old labels past the noise.

    Raises `UsageError` for settings that do not fit the kind, `DataError` for data that does not.
    """
    if kind not in KINDS:
        raise UsageError(f"noise kind {kind!r}: expected one of {', '.join(KINDS)}")
    total = len(samples)
    _refuse_foreign(kind, rate, matrix, strength)
    strength = 1.0 if strength is None else strength
    if kind == "human":
        samples, given = _from_label_set(samples, labels_name)
    elif kind == "file":
        given = _from_file(samples, class_names, path, base, file_classes, most_wrong)
    elif kind == "annotators":
        samples, given = _by_annotators(samples, len(class_names), rates, seed)
    else:
        if kind == "machine":
            matrix = machine_law(class_names, strength)
        given = draw_noise(
            samples.given,
            samples.ids,
            len(class_names),
            kind="matrix" if kind == "machine" else kind,
            rate=rate,
            count=count,
            include_true=include_true,
            seed=seed,
            matrix=matrix,
        )
    clean = samples.given if samples.clean is None else samples.clean
    noisy = replace(samples, given=given, clean=clean, targets=None)
    if values and any(name in samples.values for name in AFFECT):
        noisy = value_by_machine(noisy, given, class_names, seed=seed, strength=strength)
    requested = None if kind in ("human", "file") else rate
    manifest = NoiseManifest(
        tuple(class_names), noisy.ids, given, clean, kind, requested, total - len(noisy)
    )
    return noisy, manifest


def _by_annotators(
    samples: Samples, classes: int, rates: Sequence[float], seed: int
) -> tuple[Samples, np.ndarray]:
    """The samples with the label sets of all annotators but the first, and the first's labels."""
    if not rates:
        raise UsageError("noise of kind 'annotators' needs a rate for each of them")
    drawn = [
        draw_noise(
            samples.given,
            samples.ids,
            classes,
            kind="symmetric",
            rate=rate,
            include_true=True,
            seed=seed + number * _SEEDS_APART,
        )
        for number, rate in enumerate(rates)
    ]
    others = {f"annotator{number}": labels for number, labels in enumerate(drawn[1:], start=2)}
    taken = [name for name in others if name in samples.labels]
    if taken:
        raise DataError(f"the data has a label set {taken[0]!r} already, which would be lost")
    return replace(samples, labels={**samples.labels, **others}), drawn[0]


def _refuse_foreign(
    kind: str, rate: float | None, matrix: np.ndarray | None, strength: float | None
) -> None:
    if kind in ("human", "file") and rate:
        raise UsageError(f"noise of kind {kind!r} takes labels as they are: it has no rate")
    if strength is not None and kind != "machine":
        raise UsageError(f"noise of kind {kind!r} has no strength: it belongs to kind 'machine'")
    if kind == "machine" and (rate is not None or matrix is not None):
        foreign = "matrix" if rate is None else "rate"
        raise UsageError(
            f"noise of kind 'machine' takes no {foreign}",
            hint="its strength says how much: 1 is the published law, 22.7 % wrong on RAF-DB",
        )


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
    base: int | None,
    file_classes: Sequence[str] | None,
    most_wrong: float,
) -> np.ndarray:
    if path is None:
        raise UsageError("noise of kind 'file' needs the path of a label file")
    if samples.names is None:
        raise DataError(f"the labels of {path} go by image name, but the samples have no names")
    order = _class_order(path, class_names, file_classes or class_names)
    read = read_noise_file(
        path,
        base=base,
        class_names=file_classes or class_names,
        base_option="--set noise.base=0",
    )
    numbers = _matched(Path(path), read, samples.names)
    given = np.asarray(order[numbers])
    _refuse_other_numbering(samples, class_names, path, numbers, given, most_wrong)
    return given


def _matched(path: Path, read: NoiseFile, names: np.ndarray) -> np.ndarray:
    """The file's label of each of `names`: by the whole name where all are there, else by stem."""
    whole = [str(name).replace("\\", "/") for name in names]
    labels = read.by_name(path)
    if not all(name in labels for name in whole):
        whole, labels = [stem(name) for name in whole], read.by_stem(path)
        if len(set(whole)) < len(whole):
            raise DataError(
                f"{path}: several samples have the same image name, so names cannot match",
                hint="write each image's path in the file, as the data names it",
            )
    missing = [name for name in whole if name not in labels]
    if missing:
        raise DataError(
            f"{path} matches {len(whole) - len(missing)} of {len(whole)} samples"
            f" ({len(labels)} names in the file); without a label is, for one, {missing[0]!r}",
            hint="names are compared without folder, ending and '_aligned'",
        )
    return np.array([labels[name] for name in whole], np.int64)


def _class_order(
    path: str | Path, class_names: Sequence[str], file_classes: Sequence[str]
) -> np.ndarray:
    missing = [name for name in file_classes if name not in class_names]
    if missing:
        raise DataError(
            f"{path}: its class {missing[0]!r} is not a class of the data"
            f" ({', '.join(class_names)})",
            hint="say which class each number of the file means: --set 'noise.classes=[...]'",
        )
    return np.array([class_names.index(name) for name in file_classes], dtype=np.int64)


def _refuse_other_numbering(
    samples: Samples,
    class_names: Sequence[str],
    path: str | Path,
    numbers: np.ndarray,
    given: np.ndarray,
    most_wrong: float,
) -> None:
    """Raise `DataError` where so many labels differ that the numbers must mean other classes."""
    truth = samples.given if samples.clean is None else samples.clean
    known = truth >= 0
    wrong = float(np.mean(given[known] != truth[known])) if known.any() else 0.0
    if wrong <= most_wrong:
        return
    hint = "say which class each number of the file means: --set 'noise.classes=[...]'"
    if set(class_names) == set(RAF_CLASSES):
        raf = _class_order(path, class_names, RAF_CLASSES)[numbers]
        in_raf_order = float(np.mean(raf[known] != truth[known]))
        if in_raf_order <= most_wrong:
            hint = (
                f"in RAF-DB's order only {in_raf_order:.1%} do:"
                f" --set 'noise.classes=[{', '.join(RAF_CLASSES)}]'"
            )
    raise DataError(
        f"{path}: {wrong:.1%} of its labels differ from those of the data, numbered as"
        f" {', '.join(class_names)}: its numbers seem to mean other classes",
        hint=f"{hint}; if they are right all the same: --set noise.most_wrong=1",
    )
