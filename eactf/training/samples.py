"""This module writes what a method has learnt of single training images into the run's folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from eactf.files import write_bytes
from eactf.methods.base import Method
from eactf.methods.ledger import RelabelLedger
from eactf.training.folder import RunFolder, writing
from eactf.training.session import Session

__all__ = ["relabel_summary", "shown_of_samples", "write_relabels", "write_scores"]


def write_relabels(folder: RunFolder, session: Session) -> None:
    """Write `relabels.csv`, the ledger of a method that changes labels; no file for others."""
    ledger = _ledger(session)
    if ledger is not None:
        ledger.write_csv(folder.file("relabels.csv"), session.data.class_names)


def shown_of_samples(session: Session) -> Mapping[str, np.ndarray]:
    """What training showed of each of its samples, as `SampleTraces.means`.

    All workers have to ask. Empty where the method followed none.
    """
    traces = session.method.traces
    return {} if traces is None else traces.means()


def write_scores(folder: RunFolder, session: Session, shown: Mapping[str, np.ndarray]) -> None:
    """Write what training showed of each sample, and what the method says of it.

    `scores.csv` for people, with SCN's importance or RUL's uncertainty; `traces.npz` with every
    class's probability for `eactf audit`.
    """
    own = _scores(session)
    if shown:
        path = folder.file("traces.npz")
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **_plain_arrays(shown))
        with writing(path):
            write_bytes(path, buffer.getvalue())
    if shown or own:
        folder.write_text("scores.csv", _table(session, {**_singles(session, shown), **own}))


def relabel_summary(session: Session) -> dict[str, Any] | None:
    """How many labels were changed, and of those with a known truth how many for the better."""
    ledger = _ledger(session)
    if ledger is None:
        return None
    train = session.data.train
    final = ledger.replay(train.ids, train.given)
    changed = final != train.given
    facts: dict[str, Any] = {"changes": len(ledger), "samples_changed": int(changed.sum())}
    if train.clean is not None and (known := train.clean >= 0).any():
        facts["wrong_before"] = float(np.mean((train.given != train.clean)[known]))
        facts["wrong_after"] = float(np.mean((final != train.clean)[known]))
        if (changed & known).any():
            facts["changed_to_truth"] = float(np.mean((final == train.clean)[changed & known]))
    return facts


def _ledger(session: Session) -> RelabelLedger | None:
    return getattr(session.method, "ledger", None)


def _scores(session: Session) -> dict[str, np.ndarray]:
    if type(session.method).sample_scores is Method.sample_scores:
        return {}
    compute = tf.function(session.method.sample_scores)
    parts = [compute(images) for images, _, _ in session.evaluation(session.data.train)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def _plain_arrays(shown: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays as they are stored; probabilities in half the room, to three digits."""
    halves = {"probabilities": shown["probabilities"].astype(np.float16)}
    return {**{name: np.asarray(array) for name, array in shown.items()}, **halves}


def _singles(session: Session, shown: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The single values of each training sample, in the order of the data."""
    if not shown:
        return {}
    rows = np.searchsorted(shown["ids"], session.data.train.ids)
    return {name: shown[name][rows] for name in ("seen", "loss", "margin", "agreement")}


def _table(session: Session, scores: dict[str, np.ndarray]) -> str:
    train, names = session.data.train, session.data.class_names
    columns = {"id": train.ids.tolist()}
    if train.names is not None:
        columns["name"] = train.names.tolist()
    columns["given"] = [names[label] for label in train.given]
    columns |= {name: [f"{value:.6g}" for value in array] for name, array in scores.items()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()
