"""Runs to make pages of, without training: their folders, and what a network would say."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
from run_folders import write_run

from eactf.packed.records import Samples
from eactf.report.page.facts import read_facts
from eactf.report.page.looks import Looks
from eactf.report.page.subject import Subject, View

CLASSES = ("calm", "glad", "sad")


def finished_run(path, *settings, names=CLASSES, method="eac", confusion=None):
    """The folder of a finished run of three classes, its confusion matrix as given."""
    write_run(path, f"method.name={method}", *settings, state="finished", epoch=3)
    counts = np.array([[8, 1, 1], [0, 10, 0], [4, 0, 6]] if confusion is None else confusion)
    recalls = counts.diagonal() / counts.sum(axis=1)
    result = json.loads((path / "result.json").read_text())
    section = {
        "accuracy": float(counts.trace() / counts.sum()),
        "macro_recall": float(recalls.mean()),
        "lowest_recall": float(recalls.min()),
        "lowest_recall_classes": [names[int(recalls.argmin())]],
        "recalls": dict(zip(names, recalls.tolist(), strict=True)),
        "confusion": counts.tolist(),
        "count": int(counts.sum()),
    }
    sections = dict.fromkeys(("last_epoch", "mean_of_last_epochs", "best_on_validation"), section)
    learnt = {"memorised_wrong_labels": 0.25, "recovered_wrong_labels": 0.5}
    changed = {**result, **sections, **learnt, "method": method}
    (path / "result.json").write_text(json.dumps(changed))
    (path / "data.json").write_text(
        json.dumps({"source": "a test", "class_names": list(names), "fingerprint": "f00d"})
    )
    noise = {"kind": "symmetric", "realised": 0.3, "samples": 30, "sha256": "b0"}
    (path / "noise.json").write_text(json.dumps(noise))
    return path


def looks(logits, given, clean=None, agreement=None):
    """A network's view of so many tiny images."""
    logits = np.asarray(logits, np.float32)
    count = len(logits)
    samples = Samples(
        images=np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8, 1),
        ids=np.arange(count) + 100,
        given=np.asarray(given),
        clean=None if clean is None else np.asarray(clean),
    )
    distance = None if agreement is None else np.zeros(count)
    return Looks(samples, logits, logits, agreement, distance)


class Evidence(SimpleNamespace):
    """Stands in for what is found with a real network."""

    def maps(self, samples):
        """Maps that are the positions, whatever the image."""
        shape = (len(samples), 2, 2, len(self.images.class_names))
        maps = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        return np.asarray(samples.images), maps, maps[:, :, ::-1]


def evidence(seed=0, count=40, names=CLASSES):
    """Evidence of `count` images, drawn from a seed, a third of the labels wrong."""
    draws = np.random.default_rng(seed)
    clean = draws.integers(len(names), size=count)
    given = np.where(np.arange(count) % 3 == 0, (clean + 1) % len(names), clean)
    logits = 2.0 * np.eye(len(names))[clean] + draws.normal(size=(count, len(names)))
    train = looks(logits, given, clean, agreement=draws.uniform(-1, 1, count))
    judged = looks(logits, clean)
    return Evidence(
        images=SimpleNamespace(
            class_names=names, train=train.samples, judged=judged.samples, split="test"
        ),
        train=train,
        judged=judged,
        occluded=draws.uniform(size=(3, 3)),
        uncovered=0.75,
        occluded_images=count,
        points=train.samples,
        features=draws.normal(size=(count, 6)),
        network=object(),
        remarks=(),
    )


def subject(tmp_path, *methods, names=CLASSES, comparisons=()):
    """A page's subject: a finished run of each method, with evidence."""
    views = []
    for number, method in enumerate(methods):
        folder = finished_run(tmp_path / f"run-{method}", names=names, method=method)
        facts = read_facts(folder, method, method.replace("_", "-"))
        views.append(View(number, facts, evidence(number, names=names)))
    return Subject(tuple(views), tuple(comparisons))
