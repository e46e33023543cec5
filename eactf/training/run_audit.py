"""A finished run is audited without training: which of its labels are wrong, by all it left."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.data.prepare import PreparedData, prepare_data
from eactf.data.run_record import FILE_NAME, RunRecord
from eactf.errors import DataError, UsageError
from eactf.evaluation.second_look import SecondLook, look_again
from eactf.evaluation.storage import find_classifier, open_classifier_file
from eactf.noise.ranking import Ranking
from eactf.noise.run_ranking import RunEvidence, rank_run
from eactf.packed.records import Samples
from eactf.training.beginnings import recipe_of_run
from eactf.training.run_traces import read_table, read_traces

__all__ = ["RunAudit", "audit_run"]

Progress = Callable[[int, int], None]

_OWN_SCORES = {"importance": "importance", "uncertainty": "uncertainty"}


@dataclass(frozen=True)
class RunAudit:
    """What a run says of the labels of `samples`, those that it was trained on.

    `traced` is false for a run of an older version, which left nothing of its steps: then its last
    network, which has learnt these labels, is all there is. `true_rate` is the share of wrong
    labels where the data knows the clean ones.
    """

    samples: Samples
    class_names: tuple[str, ...]
    ranking: Ranking
    traced: bool
    method: str
    true_rate: float | None


def audit_run(folder: Path, *, batch_size: int = 128, progress: Progress | None = None) -> RunAudit:
    """Rank the training labels of the run in `folder` by how suspect they are.

    Its last network looks at all images and their mirror images once. Raises `UsageError` where
    there is no finished run, `DataError` where its data is no longer what it was.
    """
    if not (folder / "result.json").is_file():
        raise UsageError(
            f"{folder} is no finished run: it has no result.json",
            hint="the runs, and how to go on with each: eactf runs",
        )
    data = _data_of(folder)
    train = data.train
    stored = open_classifier_file(find_classifier(folder))
    look = look_again(stored.model, train, batch_size=batch_size, progress=progress)
    evidence = _evidence(folder, data, look)
    known = None if train.clean is None else train.clean >= 0
    rate = None
    if train.clean is not None and known is not None and known.any():
        rate = float(np.mean((train.given != train.clean)[known]))
    return RunAudit(
        train,
        data.class_names,
        rank_run(evidence, train.given),
        evidence.shown is not None,
        json.loads((folder / "result.json").read_text(encoding="utf-8")).get("method", ""),
        rate,
    )


def _data_of(folder: Path) -> PreparedData:
    """The run's data, labels as it had them; `DataError` where they are others now."""
    data = prepare_data(recipe_of_run(folder).recipe, looked_through=True)
    record = RunRecord.read(folder / FILE_NAME)
    changed = None if record is None else record.change(data.dataset)
    noise = json.loads((folder / "noise.json").read_text(encoding="utf-8"))
    if changed or noise.get("sha256") != data.manifest.sha256:
        raise DataError(
            f"{data.dataset.source} is not what {folder} was trained on:"
            f" {changed or 'labels or splits are others'}",
            hint="bring the data back as it was, or audit the data itself: eactf audit DATA",
        )
    return data


def _evidence(folder: Path, data: PreparedData, look: SecondLook) -> RunEvidence:
    """All that the run's folder has to say of its samples."""
    ids = data.train.ids
    traces = read_traces(folder)
    shown = None if traces is None else traces.of(ids)
    division = read_table(
        folder / "division.csv", ids, {"clean_1": "clean_1", "clean_2": "clean_2"}
    )
    further = read_table(folder / "scores.csv", ids, _OWN_SCORES)
    if division:
        further["clean_probability"] = np.mean(list(division.values()), axis=0)
    return RunEvidence(
        shown=shown,
        final=look.probabilities,
        map_change=look.map_change,
        relabelled=_relabelled(folder, data),
        further=further,
        validation_accuracy=_validation_accuracy(folder),
    )


def _validation_accuracy(folder: Path) -> float | None:
    """That of the last epoch."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    found = json.loads(lines[-1]).get("val_accuracy") if lines else None
    return None if found is None else float(found)


def _relabelled(folder: Path, data: PreparedData) -> np.ndarray | None:
    """The class that the method itself gave each sample in the end, -1 where it left it."""
    path = folder / "relabels.csv"
    if not path.is_file():
        return None
    index = {name: label for label, name in enumerate(data.class_names)}
    with path.open(newline="", encoding="utf-8") as file:
        last = {int(row["id"]): index.get(row["to"], -1) for row in csv.DictReader(file)}
    found = np.array([last.get(number, -1) for number in data.train.ids.tolist()], np.int64)
    return np.where(found == data.train.given, -1, found)
