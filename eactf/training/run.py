"""`train` is the main path, which leads from a recipe to a trained classifier and its figures.

Train, validation and test are three things. Every epoch is watched on validation; test is judged
when nothing can be chosen any more: the network of each of the last epochs gives its predictions,
and what is reported is the last one's accuracy and the mean (the paper's protocol); top-5 accuracy
as well where there are many classes. `resuming.py` takes up a run that stopped on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf import console
from eactf.data.prepare import prepare_data
from eactf.data.run_record import FILE_NAME, RunRecord, record_of
from eactf.files import write_bytes
from eactf.recipe import ResolvedRecipe, seconds_of
from eactf.suggestions import command_line
from eactf.training.beginnings import write_run_file
from eactf.training.endings import tell_how_to_go_on, write_ending
from eactf.training.fitting import Fitting
from eactf.training.folder import RunFolder, writing
from eactf.training.interrupts import Interrupts
from eactf.training.judging import judge
from eactf.training.memory import refuse_if_too_large
from eactf.training.run_state import RunState
from eactf.training.samples import shown_of_samples, write_relabels, write_scores
from eactf.training.session import Session, open_session
from eactf.training.strategy import describe_devices
from eactf.training.summary import announce, noise_summary, show_result
from eactf.training.unfinished import tell_unfinished
from eactf.training.workers import Workers, chiefs_folder, join, taking_part

__all__ = ["RunResult", "carry_out", "train"]


@dataclass(frozen=True)
class RunResult:
    """Where a run lies and what came out, as in its `result.json`."""

    folder: Path
    result: Mapping[str, Any]


def train(resolved: ResolvedRecipe, *, run_dir: Path | None, command: Sequence[str]) -> RunResult:
    """Train a recipe from nothing and judge what it gives.

    `run_dir` is a folder that does not exist yet, None for a free name under `runs/`; the words of
    `command` are kept with the run as a shell takes them. Raises `UsageError`, `DataError`,
    `TrainingError` (a loss that is not a number, a disk that is full) or `Interrupted`; in the last
    two cases what was done is kept in the run's folder, for `resume`.
    """
    interrupts = _interrupts(resolved)
    RunFolder.refuse_existing(run_dir)
    with taking_part() as cluster:
        data = prepare_data(resolved.recipe, looked_through=resolved.looked_through)
        tell_unfinished(resolved, lambda: record_of(data).fingerprint)
        workers = join(cluster, resolved.recipe, data)
        with workers.watched():
            session = open_session(resolved.recipe, data, workers)
            refuse_if_too_large(session)
            folder = _new_folder(workers, resolved.name, run_dir)
        return _begin(session, folder, resolved, interrupts, command)


def _begin(
    session: Session,
    folder: RunFolder,
    resolved: ResolvedRecipe,
    interrupts: Interrupts,
    command: Sequence[str],
) -> RunResult:
    with folder.lock():
        try:
            _write_beginnings(folder, session, resolved, command)
            announce(session, resolved, folder.path)
        except BaseException as failure:
            write_ending(folder, failure)
            raise
        return carry_out(session, folder, RunState(), interrupts)


def carry_out(
    session: Session,
    folder: RunFolder,
    state: RunState,
    interrupts: Interrupts,
    stored: Mapping[str, Any] | None = None,
) -> RunResult:
    """Train what is still to train of a run, and judge it; for a caller that holds its lock.

    `stored` is the method's state at the place that `state` tells.
    """
    try:
        with interrupts, session.workers.watched(), console.telling_warnings():
            fitting = Fitting(session, folder, state, interrupts, stored)
            fitting.run()
            shown = shown_of_samples(session)
            if session.workers.leads:
                with writing(folder.path):
                    write_relabels(folder, session)
                    write_scores(folder, session, shown)
            fitting.save_classifier()
            result = judge(session, folder, state, fitting.guard)
        folder.write_json("result.json", result)
        folder.write_status("finished", epoch=state.epoch, epochs=state.epoch)
    except BaseException as failure:
        tell_how_to_go_on(folder, failure)
        write_ending(folder, failure)
        raise
    show_result(result, folder.path)
    session.workers.part()
    return RunResult(folder.path, result)


def _interrupts(resolved: ResolvedRecipe) -> Interrupts:
    limit = resolved.recipe.train.stop_after
    return Interrupts(None if limit is None else seconds_of(limit))


def _new_folder(workers: Workers, name: str, wanted: Path | None) -> RunFolder:
    """The run's folder, made by the chief; the others write their logs there if they can."""
    folder = RunFolder.create(name, wanted) if workers.leads else None
    told = workers.told(b"" if folder is None else str(folder.path).encode())
    return folder or chiefs_folder(workers, Path(told.decode()))


def _write_beginnings(
    folder: RunFolder, session: Session, resolved: ResolvedRecipe, command: Sequence[str]
) -> None:
    if not session.workers.leads:
        return
    folder.write_text("recipe.yaml", resolved.dump_yaml())
    folder.write_text("command.txt", command_line(*command) + "\n")
    write_run_file(folder, resolved)
    folder.write_environment(describe_devices(session.strategy))
    session.data.manifest.write_csv(folder.file("labels.csv"))
    record = record_of(session.data)
    write_bytes(folder.file(FILE_NAME), record.csv_bytes())
    folder.write_json("data.json", _data_facts(session, record))
    folder.write_json("noise.json", noise_summary(session.data.manifest))
    folder.write_status("running", epoch=0, epochs=resolved.recipe.train.epochs)


def _data_facts(session: Session, record: RunRecord) -> dict[str, Any]:
    data = session.data
    return {
        "source": data.dataset.source,
        "class_names": list(data.class_names),
        "validation": data.validation_origin,
        "images": len(record.ids),
        "fingerprint": record.fingerprint,
    }
