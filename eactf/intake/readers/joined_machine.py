"""`join_machine` brings what a machine said of images to a listing's rows, by the images' names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.readers.machine_labels import MachineLabels, Said, read_machine_labels
from eactf.packed.values import AFFECT
from eactf.wording import counted

__all__ = ["Machine", "People", "join_machine"]

_DOUBTFUL = 0.5
"""The share of labels unlike people's from which the numbering is doubted."""


@dataclass(frozen=True)
class People:
    """A data set as people labelled it: its images' `stems`, their labels `(n,)`, and which of them
    are to `train` on `(n,)`."""

    class_names: tuple[str, ...]
    stems: tuple[str, ...]
    labels: np.ndarray
    train: np.ndarray


@dataclass(frozen=True)
class Machine:
    """The label set `machine` and the values of a listing, with what is to be told and kept."""

    labels: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    findings: tuple[Finding, ...]
    notes: Mapping[str, object]


def join_machine(
    people: People, labels_file: str, values_file: str = "", numbering: str = "raf-db"
) -> Machine:
    """What the machine said in two files, either of which may be "", joined by the images' names.

    Classes come from `labels_file`, values from `values_file`, or from the former where that is "".
    Training images of which nothing is said are warned of; others may be missing without a word.
    Raises what `read_machine_labels` raises, and `DataError` for a file that lacks what it is for
    or names an image that the data set does not have.
    """
    labelled = _read(labels_file, people, numbering)
    measured = _read(values_file, people, numbering)
    if labelled is not None and "label" not in labelled.columns:
        raise _lacks(labelled, "of classes", "--machine-values")
    if measured is not None and not measured.columns.intersection(AFFECT):
        raise _lacks(measured, "valence or arousal", "--machine-labels")
    files = [file for file in (labelled, measured) if file is not None]
    labels = {} if labelled is None else {"machine": _labels(labelled, people.stems)}
    values = _values(files[-1], people.stems) if files else {}
    findings = [found for file in files for found in _missing(file, people)]
    findings += [found for file in files[-1:] for found in _clipped(file)]
    findings += [found for given in labels.values() for found in _differing(given, people)]
    notes = {"machine_labels": [file.path.name for file in files]} if files else {}
    return Machine(labels, values, tuple(findings), notes)


def _read(file: str, people: People, numbering: str) -> MachineLabels | None:
    if not file:
        return None
    read = read_machine_labels(Path(file), people.class_names, numbering)
    unknown = set(read.by_stem).difference(people.stems)
    if unknown:
        raise DataError(
            f"{file} labels {counted(len(unknown), 'image')} that the data set does not have, the"
            f" first is {min(unknown)}",
            hint="the names have to be those of the data set's own label file",
        )
    return read


def _lacks(file: MachineLabels, what: str, option: str) -> DataError:
    return DataError(f"{file.path} has no column {what}", hint=f"is it meant for {option}?")


def _labels(file: MachineLabels, stems: Sequence[str]) -> np.ndarray:
    return np.array([file.by_stem.get(stem, Said()).label for stem in stems], np.int64)


def _values(file: MachineLabels, stems: Sequence[str]) -> dict[str, np.ndarray]:
    said = [file.by_stem.get(stem, Said()) for stem in stems]
    return {
        name: np.array([getattr(one, name) for one in said], np.float32)
        for name in AFFECT
        if name in file.columns
    }


def _missing(file: MachineLabels, people: People) -> Iterator[Finding]:
    here = [stem for stem, train in zip(people.stems, people.train, strict=True) if train]
    missing = [stem for stem in here if stem not in file.by_stem]
    if missing:
        yield Finding(
            "machine-labels-missing",
            Severity.WARNING,
            f"{file.path.name} says nothing of {len(missing):,} of {len(here):,} training images",
            "label them too; here they have no label of the machine",
            tuple(missing),
        )


def _clipped(file: MachineLabels) -> Iterator[Finding]:
    clipped = sum(said.clipped for said in file.by_stem.values())
    if clipped:
        yield Finding(
            "machine-values-clipped",
            Severity.NOTE,
            f"{file.path.name}: {counted(clipped, 'value')} outside -1 to 1, brought to the nearer"
            " end",
            "nothing to do: networks overshoot the scale",
        )


def _differing(machine: np.ndarray, people: People) -> Iterator[Finding]:
    known = people.train & (machine >= 0)
    share = float((machine != people.labels)[known].mean()) if known.any() else 0.0
    if share > _DOUBTFUL:
        yield Finding(
            "machine-labels-differ",
            Severity.WARNING,
            f"{share:.0%} of the machine's training labels are not those of people",
            "are its classes numbered otherwise? --machine-numbers affectnet, or raf-db",
        )
