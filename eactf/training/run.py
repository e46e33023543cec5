"""`train` is the main path, which leads from a recipe to a trained classifier and its figures.

Train, validation and test are three things. Every epoch is watched on validation; test is judged
when nothing can be chosen any more: the network of each of the last epochs gives its predictions,
and what is reported is the last one's accuracy and the mean (the paper's protocol); top-5 accuracy
as well where there are many classes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from eactf.data.prepare import prepare_data
from eactf.data.run_record import FILE_NAME, RunRecord, record_of
from eactf.errors import EactfError, Interrupted
from eactf.evaluation.metrics import Scores, mean_figures
from eactf.evaluation.storage import save_classifier
from eactf.files import write_bytes
from eactf.recipe import ResolvedRecipe
from eactf.suggestions import command_line
from eactf.training.callbacks import Checkpoints, EpochLog, Schedule, StepGuard, has_collapsed
from eactf.training.checkpoints import save_checkpoint
from eactf.training.folder import RunFolder
from eactf.training.memory import refuse_if_too_large
from eactf.training.progress import ProgressDisplay
from eactf.training.samples import relabel_summary, write_relabels, write_scores
from eactf.training.session import Session, open_session
from eactf.training.strategy import describe_devices
from eactf.training.summary import announce, noise_summary, show_result

__all__ = ["RunResult", "train"]


@dataclass(frozen=True)
class RunResult:
    """Where a run lies and what came out, as in its `result.json`."""

    folder: Path
    result: Mapping[str, Any]


def train(resolved: ResolvedRecipe, *, run_dir: Path | None, command: Sequence[str]) -> RunResult:
    """Train a recipe from nothing and judge what it gives.

    `run_dir` is a folder that does not exist yet, None for a free name under `runs/`; the words of
    `command` are kept with the run as a shell takes them. Raises
    `UsageError`, `DataError`, `TrainingError` (a loss that is not a number) or `Interrupted`;
    in the last two cases what was done is kept in the run's folder.
    """
    RunFolder.refuse_existing(run_dir)
    data = prepare_data(resolved.recipe, looked_through=resolved.looked_through)
    session = open_session(resolved.recipe, data)
    refuse_if_too_large(session)
    folder = RunFolder.create(resolved.name, run_dir)
    try:
        _write_beginnings(folder, session, resolved, command)
        announce(session, resolved, folder.path)
        result = _fit_and_judge(session, folder)
    except BaseException as failure:
        _write_ending(folder, failure)
        raise
    folder.write_json("result.json", result)
    folder.write_status("finished", epoch=resolved.recipe.train.epochs)
    show_result(result, folder.path)
    return RunResult(folder.path, result)


def _fit_and_judge(session: Session, folder: RunFolder) -> dict[str, Any]:
    recipe, data, method = session.recipe, session.data, session.method
    progress = ProgressDisplay(len(data.train), recipe.train.epochs)
    log = EpochLog(folder, progress.show_epoch)
    checkpoints = Checkpoints(folder)
    last = LastEpochs(session)
    guard = StepGuard()
    begun = time.perf_counter()
    try:
        with guard:
            method.fit(
                session.training(),
                epochs=recipe.train.epochs,
                steps_per_epoch=session.steps,
                validation_data=session.evaluation(data.validation),
                callbacks=[Schedule(recipe), progress, last, log, checkpoints, guard],
                verbose=0,
            )
    except Interrupted as stop:
        path = checkpoints.path("interrupted")
        save_checkpoint(method, path, {"epoch": guard.epoch, "step": guard.step})
        save_classifier(folder.file("model.keras"), session.portable_classifier(), _facts(session))
        raise Interrupted(f"{stop.message}; saved in {folder.path}") from stop
    finally:
        progress.close()
        write_relabels(folder, session)  # of a run that is broken off as well
    seconds = time.perf_counter() - begun
    write_scores(folder, session)
    save_classifier(folder.file("model.keras"), session.portable_classifier(), _facts(session))
    return _judge(session, log, checkpoints, last, seconds)


class LastEpochs(keras.callbacks.Callback):
    """Judges the judged split with the network of each of the last epochs, and says nothing.

    With `report.best_on_test` the figures of every epoch are kept as well, for that one alone.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.samples = session.data.test if session.data.test else session.data.validation
        self.scores: list[Scores] = []
        self.figures: list[dict[str, Any]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        recipe = self.session.recipe
        is_last = epoch >= recipe.train.epochs - recipe.report.last_epochs
        if not is_last and not recipe.report.best_on_test:
            return
        scored = self.session.judge(self.samples)
        self.figures.append(scored.figures(self.session.data.class_names))
        if is_last:
            self.scores.append(scored)

    def best(self) -> dict[str, Any] | None:
        """The epoch best on the judged split, where it was asked for."""
        if not self.session.recipe.report.best_on_test:
            return None
        best = int(np.argmax([figures["accuracy"] for figures in self.figures]))
        return {"epoch": best + 1, **self.figures[best], "optimistic": True}


def _judge(
    session: Session, log: EpochLog, checkpoints: Checkpoints, last: LastEpochs, seconds: float
) -> dict[str, Any]:
    """The figures of a finished run."""
    data = session.data
    classes = len(data.class_names)
    memorised, recovered = _on_wrong_labels(session)
    counts = np.bincount(data.train.given, minlength=classes)
    spreads = log.column("map_spread")
    share = float(counts.max() / counts.sum())
    relabelled = relabel_summary(session)
    # The best epoch's network comes last: the method is left with its weights, and its labels.
    session.method.load_weights(checkpoints.path("best"))
    best = session.judge(last.samples)
    return {
        "method": session.method.name,
        "judged_on": "test" if data.test else "validation",
        "last_epoch": last.scores[-1].as_dict(data.class_names),
        "mean_of_last_epochs": {
            "epochs": len(last.scores),
            **mean_figures(last.scores, data.class_names),
        },
        "best_on_validation": {
            "epoch": checkpoints.best_epoch,
            "validation_accuracy": checkpoints.best,
            **best.figures(data.class_names),
        },
        "best_on_test": last.best(),
        "noise": noise_summary(data.manifest),
        "memorised_wrong_labels": memorised,
        "recovered_wrong_labels": recovered,
        "relabelled": relabelled,
        "collapsed": has_collapsed(log.column("accuracy"), spreads, share),
        "epochs": session.recipe.train.epochs,
        "seconds": seconds,
        "devices": describe_devices(session.strategy),
    }


def _on_wrong_labels(session: Session) -> tuple[float | None, float | None]:
    """Of the wrongly labelled training samples, the shares predicted as given and as true."""
    train = session.data.train
    if train.clean is None:
        return None, None
    wrong = np.flatnonzero((train.clean != train.given) & (train.clean >= 0))
    if not len(wrong):
        return None, None
    guess = session.predict(train.take(wrong))
    as_given = float(np.mean(guess == train.given[wrong]))
    return as_given, float(np.mean(guess == train.clean[wrong]))


def _write_beginnings(
    folder: RunFolder, session: Session, resolved: ResolvedRecipe, command: Sequence[str]
) -> None:
    folder.write_text("recipe.yaml", resolved.dump_yaml())
    folder.write_text("command.txt", command_line(*command) + "\n")
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


def _write_ending(folder: RunFolder, failure: BaseException) -> None:
    stopped = isinstance(failure, (Interrupted, KeyboardInterrupt))
    code = failure.exit_code if isinstance(failure, EactfError) else 130 if stopped else 1
    folder.write_status("interrupted" if stopped else "failed", reason=str(failure), exit_code=code)


def _facts(session: Session) -> dict[str, Any]:
    return {
        "class_names": list(session.data.class_names),
        "image_size": session.form.size,
        "channels": session.form.channels,
        "source": session.data.dataset.source,
        "method": session.method.name,
    }
