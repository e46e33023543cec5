"""The figures of a run that is trained: its last epochs, and what it made of wrong labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from eactf.evaluation.metrics import mean_figures
from eactf.evaluation.values import given_concordances
from eactf.training.callbacks import StepGuard, has_collapsed
from eactf.training.checkpoints import read_checkpoint
from eactf.training.folder import RunFolder
from eactf.training.records import division_summary
from eactf.training.run_state import RunState
from eactf.training.samples import relabel_summary
from eactf.training.session import Session
from eactf.training.strategy import describe_devices
from eactf.training.summary import noise_summary

__all__ = ["judge"]


def judge(session: Session, folder: RunFolder, state: RunState, guard: StepGuard) -> dict[str, Any]:
    """The figures of a run whose epochs are all trained."""
    data, epochs, names = session.data, session.recipe.train.epochs, session.data.class_names
    first = epochs - session.recipe.report.last_epochs
    scores = [state.judged[epoch] for epoch in sorted(state.judged) if epoch >= first]
    memorised, recovered = _on_wrong_labels(session, guard)
    counts = np.bincount(data.train.given, minlength=len(names))
    share = float(counts.max() / counts.sum())
    relabelled, division = relabel_summary(session), division_summary(session)
    alone = [state.alone[epoch] for epoch in sorted(state.alone) if epoch >= first]
    # The best epoch's network comes last: the method is left with its weights, and its labels.
    best_file = folder.checkpoint("best")
    session.restore(read_checkpoint(best_file).state if session.workers.leads else None)
    best = session.judge(session.judged, callbacks=[guard])
    return {
        "method": session.method.name,
        "judged_on": "test" if data.test else "validation",
        "last_epoch": scores[-1].as_dict(names),
        "mean_of_last_epochs": {"epochs": len(scores), **mean_figures(scores, names)},
        "best_on_validation": {
            "epoch": state.best_epoch,
            "validation_accuracy": state.best,
            **best.figures(names),
        },
        "best_on_test": _best_on_test(session, state),
        "noise": noise_summary(data.manifest),
        "given_values": given_concordances(data.train),
        "memorised_wrong_labels": memorised,
        "recovered_wrong_labels": recovered,
        "relabelled": relabelled,
        "networks": [
            {
                "last_epoch": own[-1].as_dict(names),
                "mean_of_last_epochs": {"epochs": len(own), **mean_figures(own, names)},
            }
            for own in map(list, zip(*alone, strict=True))
        ],
        "division": division,
        "collapsed": has_collapsed(state.column("accuracy"), state.column("map_spread"), share),
        "epochs": epochs,
        "seconds": state.seconds,
        "devices": describe_devices(session.strategy),
    }


def _best_on_test(session: Session, state: RunState) -> dict[str, Any] | None:
    """The epoch best on the judged split, where it was asked for."""
    if not session.recipe.report.best_on_test:
        return None
    best = max(sorted(state.figures), key=lambda epoch: state.figures[epoch]["accuracy"])
    return {"epoch": best + 1, **state.figures[best], "optimistic": True}


def _on_wrong_labels(session: Session, guard: StepGuard) -> tuple[float | None, float | None]:
    """Of the wrongly labelled training samples, the shares predicted as given and as true."""
    train = session.data.train
    if train.clean is None:
        return None, None
    wrong = np.flatnonzero((train.clean != train.given) & (train.clean >= 0))
    if not len(wrong):
        return None, None
    guess = session.predict(train.take(wrong), callbacks=[guard])
    as_given = float(np.mean(guess == train.given[wrong]))
    return as_given, float(np.mean(guess == train.clean[wrong]))
