"""Whether learning a joint distribution of noisy labels of two kinds is worth its price.

The joint method against the multi-task network, which is its encoder alone, and Co-teaching on the
classes, on drawn faces whose expression, valence and arousal a machine gave: right for two faces of
three, wrong as a network trained elsewhere is wrong on RAF-DB. Test faces have their true labels,
and beside the methods stands what the machine itself says of them. All networks are the encoder in
one width; Co-teaching's have its two dense layers as convolutions of the one position that the last
pooling leaves, which is the same network. Settings were chosen on the validation faces of a seed
that is not reported (100). Cells that are in the file already are not trained again.

    python benchmarks/multi_task.py results.jsonl                  # every method on seed 0
    python benchmarks/multi_task.py results.jsonl --seed 1 --seed 2 --only multi-task
    python benchmarks/multi_task.py results.jsonl --seed 0 --seed 1 --seed 2 --table
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import eactf
from eactf import console
from eactf.data.pipeline import ImageForm, steps_per_epoch, training_batches
from eactf.faces import drawn_face_dataset
from eactf.methods.base import Method
from eactf.metrics import concordance
from eactf.nn.adversarial.starts import scaled_width, seed_of, uniform_starts
from eactf.noise.machine_values import label_by_machine
from eactf.packed.records import Samples
from eactf.report.table import markdown_table

SIZE, VALIDATION, TEST, DIFFICULTY = 32, 1000, 2000, 0.5
WIDTH, NOISE, DROPOUT, BATCH, RATE = 1 / 8, 16, 0.2, 64, 5e-4
WRONG = 0.35
"""The share of wrong labels, which Co-teaching is told: the machine's."""

AFFECT = ("valence", "arousal")
HEADS = {"expression": 7, "affect": 2}
LAST = 5

VALUES = {"affect": AFFECT}
Labels = dict[str, np.ndarray]
Faces = Mapping[str, Samples]
Record = dict[str, Any]
Done = dict[tuple[str, str, int], Record]
Wanted = Sequence[tuple[str, str]]

ALONE = ("Co-teaching, classes alone", "cross-entropy, classes alone", "multi-task on clean labels")
WEIGHTS = {"multi-task": 0.0} | {
    f"lambda {weight:g}": weight for weight in (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
}
WITHOUT = "lambda 0.4 without the labels' own scores"
"""The discriminator's scores of a label alone can tell raw logits from 0 and 1 by their range."""

WEIGHTS[WITHOUT] = 0.4
METHODS = (*ALONE, *WEIGHTS)


class Form(NamedTuple):
    """How many faces are trained on for how long, and how often that is judged.

    The joint law counts in the epochs from `start` on; before, its method is the multi-task one.
    """

    faces: int
    start: int
    epochs: int
    every: int


FORMS = {
    "many": Form(4000, 12, 20, 1),
    "long": Form(4000, 12, 48, 2),
    "few": Form(1000, 50, 80, 5),
}
"""Those of few faces are shown to the network so often that it learns wrong labels by heart."""


def main() -> None:
    options = parse_options()
    seeds = options.seed or [0]
    if not options.table:
        for seed in seeds:
            add_cells(options, seed)
    done = records(options.file)
    for form in options.form or ["many"]:
        console.say(table({key[1:]: one for key, one in done.items() if key[0] == form}, seeds))


def add_cells(options: argparse.Namespace, seed: int) -> None:
    """Train what the file has not yet of a seed."""
    done = records(options.file)
    wanted = [
        (form, name)
        for form in options.form or ["many"]
        for name in options.only or METHODS
        if (form, name, seed) not in done
    ]
    for record in trained(wanted, seed):
        with options.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**record, "seed": seed}) + "\n")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="JSON lines, to which each finished cell is added")
    parser.add_argument("--seed", type=int, action="append", help="0 by default; several times")
    parser.add_argument("--form", action="append", choices=list(FORMS), help="many by default")
    parser.add_argument("--only", action="append", choices=METHODS)
    parser.add_argument("--table", action="store_true", help="train nothing, show what is there")
    return parser.parse_args()


def records(file: Path) -> Done:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    found = [json.loads(line) for line in lines]
    return {(one["form"], one["name"], one["seed"]): one for one in found}


def trained(wanted: Wanted, seed: int) -> Iterator[Record]:
    """The cells that are wanted, forms and names, as they are finished."""
    for form, name in wanted:
        if name in ALONE:
            yield {"form": form, **trained_alone(name, FORMS[form], seed)}
    weighed = [(form, name) for form, name in wanted if name in WEIGHTS]
    if weighed:
        yield from trained_with_weights(weighed, seed)


def trained_alone(name: str, form: Form, seed: int) -> Record:
    faces = splits(seed, form)
    labels = labels_of(faces["train"], clean="clean" in name)
    if "Co-teaching" in name:
        model: Method = eactf.CoTeaching(
            pooled(network(seed), seed),
            forget_rate=WRONG,
            gradual=form.epochs // 2,
            flip_probability=0.5,
            seed=seed,
        )
        labels = labels["expression"]
    else:
        affect = 0.0 if "alone" in name else 1.0
        model = eactf.MultiTask(
            network(seed), values=VALUES, task_weights={"affect": affect}, seed=seed
        )
    model.compile(optimizer=eactf.optimizers.Adam(RATE))
    told = Told(name, faces, form.every)
    fit(model, faces["train"], labels, seed, range(form.epochs), told)
    return record_of(name, model, faces, told.epochs)


def trained_with_weights(wanted: Wanted, seed: int) -> Iterator[Record]:
    """The multi-task network and the joint method's: one start, and from it each weight's epochs.

    Until the joint law counts they are one training, and with a weight that is a variable one
    graph as well, which takes longer to make than an epoch.
    """
    model = eactf.JointDistribution(network(seed), values=VALUES, seed=seed)
    model.compile(optimizer=eactf.optimizers.Adam(RATE))
    weight, own_scores = tf.Variable(0.0), tf.Variable(1.0)
    model.joint_weight = weight
    model.score_weights = {
        name: own_scores if name in HEADS else 1.0 for name in model.score_weights
    }
    at_first = model.state()
    for kind in dict.fromkeys(form for form, _ in wanted):
        form, faces = FORMS[kind], splits(seed, FORMS[kind])
        labels = labels_of(faces["train"], clean=False)
        model.restore(at_first)
        weight.assign(0.0)
        begun = Told("start", faces, form.every)
        fit(model, faces["train"], labels, seed, range(form.start), begun)
        state = model.state()
        for name in [name for own, name in wanted if own == kind]:
            model.restore(state)
            weight.assign(WEIGHTS[name])
            own_scores.assign(0.0 if name == WITHOUT else 1.0)
            told = Told(name, faces, form.every)
            fit(model, faces["train"], labels, seed, range(form.start, form.epochs), told)
            yield {"form": kind, **record_of(name, model, faces, begun.epochs + told.epochs)}


def fit(model: Method, samples: Samples, labels: Any, seed: int, epochs: range, told: Told) -> None:
    form, first = ImageForm(SIZE, 1), epochs.start
    data = training_batches(
        samples, form, batch_size=BATCH, seed=seed, first_epoch=first, labels=labels
    )
    model.fit(
        data,
        initial_epoch=first,
        epochs=epochs.stop,
        steps_per_epoch=steps_per_epoch(len(samples), BATCH),
        callbacks=[told],
        verbose=0,
    )


def record_of(name: str, model: Method, faces: Faces, epochs: Sequence[Record]) -> Record:
    test = faces["test"]
    return {
        "name": name,
        "machine": figures(test, test.labels["machine"], values_of(test, clean=False)),
        "learnt": wrong_labels_learnt(model, faces["train"]),
        "epochs": list(epochs),
    }


def splits(seed: int, form: Form) -> Faces:
    """Drawn faces of one seed, all labelled by the machine too; forms differ in training faces."""
    drawn = drawn_face_dataset(
        train=max(one.faces for one in FORMS.values()),
        validation=VALIDATION,
        test=TEST,
        size=SIZE,
        seed=seed,
        difficulty=DIFFICULTY,
    )
    found = {
        name: label_by_machine(samples, drawn.class_names, seed=seed)
        for name, samples in drawn.splits.items()
    }
    return {**found, "train": found["train"].take(np.arange(form.faces))}


def labels_of(samples: Samples, *, clean: bool) -> Labels:
    classes = samples.given if clean else samples.labels["machine"]
    return {"expression": classes, **values_of(samples, clean=clean)}


def values_of(samples: Samples, *, clean: bool) -> Labels:
    return {name: samples.values[f"clean_{name}" if clean else name] for name in AFFECT}


def network(seed: int) -> keras.Model:
    return eactf.nn.adversarial.encoder(
        SIZE, HEADS, channels=1, width=WIDTH, noise=NOISE, dropout=DROPOUT, seed=seed
    )


def pooled(encoder: keras.Model, seed: int) -> keras.Model:
    """The encoder's classifier as Co-teaching takes one: pooling, then the dense layer of classes.

    At 32 px one position is left, on which a dense layer is a convolution of 1x1.
    """
    x = encoder.get_layer("stage5_pool").output
    for place in (1, 2):
        starts = uniform_starts(x.shape[-1], seed_of(seed, f"features{place}"))
        units = scaled_width(500, WIDTH)
        x = layers.Conv2D(units, 1, activation="relu", **starts, name=f"features{place}")(x)
        if place == 1:
            x = layers.Dropout(DROPOUT, seed=seed_of(seed, "dropout", place))(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(DROPOUT, seed=seed_of(seed, "dropout", 2))(x)
    starts = uniform_starts(x.shape[-1], seed_of(seed, "expression"))
    logits = layers.Dense(HEADS["expression"], **starts, name="expression")(x)
    return keras.Model(encoder.input, logits)


class Told(keras.callbacks.Callback):
    """What each epoch came to, on splits whose true labels are known."""

    def __init__(self, name: str, faces: Faces, every: int) -> None:
        super().__init__()
        self.name, self.faces, self.every = name, faces, every
        self.epochs: list[Record] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.begun = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if (epoch + 1) % self.every:
            return
        taken = time.perf_counter() - self.begun[0], time.process_time() - self.begun[1]
        logs = {key: float(value) for key, value in (logs or {}).items()}
        found: Record = {"epoch": epoch + 1, "seconds": taken[0], "processor_seconds": taken[1]}
        found["logs"] = logs
        found |= {split: judged(self.model, self.faces[split]) for split in ("validation", "test")}
        self.epochs.append(found)
        shown = {key: round(value, 3) for key, value in found["validation"].items()}
        console.say(f"{self.name}, epoch {epoch + 1}: {shown}")


def judged(model: Any, samples: Samples) -> dict[str, float]:
    """Figures on true labels, and accuracy on the machine's, which is all a user would have."""
    classes, values = predicted(model, samples.images)
    agreed = float(np.mean(classes == samples.labels["machine"]))
    return {**figures(samples, classes, values), "on_given": agreed}


def predicted(model: Any, images: np.ndarray) -> tuple[np.ndarray, Labels]:
    """Classes `(n,)`, and values by name, of which Co-teaching has none."""
    if not isinstance(model, eactf.MultiTask):
        return model.predict(images, batch_size=250, verbose=0).argmax(axis=1), {}
    outputs = model.encoder.predict(images, batch_size=250, verbose=0)
    return outputs["expression"].argmax(axis=1), dict(zip(AFFECT, outputs["affect"].T, strict=True))


def figures(samples: Samples, classes: np.ndarray, values: Labels) -> dict[str, float]:
    right = classes == samples.given
    recalls = [right[samples.given == number].mean() for number in np.unique(samples.given)]
    truth = values_of(samples, clean=True)
    return {
        "accuracy": float(right.mean()),
        "recall": float(np.mean(recalls)),
        **{name: float(concordance(own, truth[name])) for name, own in values.items()},
    }


def wrong_labels_learnt(model: Any, samples: Samples) -> float:
    """The share of the training faces' wrong labels that the network has learnt to give them."""
    wrong = samples.labels["machine"] != samples.given
    classes, _ = predicted(model, samples.images[wrong])
    return float(np.mean(classes == samples.labels["machine"][wrong]))


def table(done: Mapping[tuple[str, int], Record], seeds: Sequence[int]) -> str:
    rows = []
    for name in METHODS:
        found = [done[name, seed] for seed in seeds if (name, seed) in done]
        if found:
            rows.append([name, str(len(found)), *line(found)])
    machine = list(
        {seed: one["machine"] for (_, seed), one in done.items() if seed in seeds}.values()
    )
    if machine:
        rows.insert(0, ["the machine itself", str(len(machine)), *cells(machine)])
    heads = ["", "seeds", "accuracy", "mean recall", "valence", "arousal"]
    heads += ["of the epoch best on given labels", "epoch", "wrong labels learnt"]
    heads += ["joint loss", "discriminator's", "processor s"]
    return markdown_table(heads, [row + [""] * (len(heads) - len(row)) for row in rows])


def line(found: Sequence[Record]) -> list[str]:
    """Means of the last epochs, then the epoch that validation with given labels would keep."""
    last = [mean_of([epoch["test"] for epoch in one["epochs"][-LAST:]]) for one in found]
    kept = [
        max(range(len(one["epochs"])), key=lambda n: one["epochs"][n]["validation"]["on_given"])
        for one in found
    ]
    best = [one["epochs"][n]["test"]["accuracy"] for one, n in zip(found, kept, strict=True)]
    logs = [mean_of([epoch["logs"] for epoch in one["epochs"][-LAST:]]) for one in found]
    seconds = [
        statistics.median(e["processor_seconds"] for e in one["epochs"][-LAST:]) for one in found
    ]
    return [
        *cells(last),
        spread([100 * value for value in best]),
        ", ".join(str(one["epochs"][n]["epoch"]) for one, n in zip(found, kept, strict=True)),
        spread([100 * one["learnt"] for one in found]),
        *(
            spread([one[key] for one in logs], 2) if key in logs[0] else ""
            for key in ("joint_loss", "discriminator_loss")
        ),
        spread(seconds),
    ]


def cells(found: Sequence[Mapping[str, float]]) -> list[str]:
    shares = [spread([100 * one[key] for one in found]) for key in ("accuracy", "recall")]
    values = [spread([one[key] for one in found], 3) if key in found[0] else "" for key in AFFECT]
    return shares + values


def mean_of(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: statistics.mean(one[key] for one in found) for key in found[0]}


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean and standard deviation, where there are several."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


if __name__ == "__main__":
    main()
