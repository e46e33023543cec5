"""Which labels are wrong, ranked: `eactf audit` beside cleanlab, on labels whose truth is known.

`labels`: both rank by the same out-of-fold probabilities. Noise is planted into drawn faces,
Fashion-MNIST and FERPlus's consensus; FER2013's own labels against that consensus, and CIFAR-10N's,
are noise that people made. `runs`: finished runs, audited by what they left. `step`: what it costs
a training step to leave it.

    python benchmarks/audit.py labels --data ../shared/data --keep predictions/
    python benchmarks/audit.py runs runs/quickstart runs/quickstart-2
    python benchmarks/audit.py step
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.faces import EXPRESSIONS, draw_faces
from eactf.noise import draw_noise, machine_law
from eactf.noise.estimate import estimate_noise
from eactf.noise.ranking import rank
from eactf.packed.hashing import uniform
from eactf.packed.records import Samples

PART = 2001  # stream of the rows taken of a larger set
FIRST = 100

CASES = (
    *("faces_sym30", "faces_pair30", "faces_machine"),
    *("fashion_sym20", "fashion_sym40", "fashion_pair30"),
    *(
        "ferplus_sym20",
        "ferplus_sym30",
        "ferplus_sym40",
        "ferplus_pair30",
        "ferplus_machine",
        "ferplus_fer2013",
        "ferplus_fer2013_all",
    ),
    *(
        "cifar10n_sym20",
        "cifar10n_sym30",
        "cifar10n_sym40",
        "cifar10n_pair30",
        "cifar10n_aggre",
        "cifar10n_random1",
        "cifar10n_worst",
    ),
)
COUNTS = {"fashion": 20_000, "ferplus": 8_000, "cifar10n": 8_000}
TRUE = {"fashion": "label", "ferplus": "label", "cifar10n": "clean"}
FILES = {"fashion": "fashion_mnist"}
GIVEN = {"fer2013": "fer2013_as8"}


@dataclass(frozen=True)
class Case:
    """Images with a true and a given label each, and the names of the classes."""

    images: np.ndarray
    ids: np.ndarray
    true: np.ndarray
    given: np.ndarray
    names: tuple[str, ...]


def main() -> None:
    options = parse_options()
    {"labels": labels, "runs": runs, "step": step}[options.part](options)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    of_labels = parts.add_parser("labels")
    of_labels.add_argument(
        "--data", type=Path, help="folder of fashion_mnist.npz, ferplus.npz, ..."
    )
    of_labels.add_argument("--only", nargs="+", default=CASES, help="cases, such as ferplus_sym30")
    of_labels.add_argument("--keep", type=Path, help="folder for predictions; those are reused")
    of_runs = parts.add_parser("runs")
    of_runs.add_argument("folders", type=Path, nargs="+")
    of_step = parts.add_parser("step")
    of_step.add_argument("--rounds", type=int, default=40)
    of_step.add_argument("--samples", type=int, default=28_000)
    return parser.parse_args()


# Labels.


def labels(options: argparse.Namespace) -> None:
    peers = cleanlab_scores()
    print(f"| labels | wrong | eactf | {' | '.join(peers)} | networks | eactf | cleanlab |")
    print("| --- " * (6 + len(peers)) + "|", flush=True)
    for name in options.only:
        given, true, probabilities, trained = predictions(name, options)
        wrong = given != true
        score, own = timed(lambda p=probabilities, g=given: audit_scores(p, g))
        cells, peer = [figures(score, wrong)], 0.0
        for scorer in peers.values():
            found, seconds = timed(lambda s=scorer, p=probabilities, g=given: -s(g, p))
            cells.append(figures(found, wrong))
            peer = max(peer, seconds)
        seconds = [f"{trained:.0f} s", f"{own:.1f} s", f"{peer:.2f} s"]
        print("| " + " | ".join([name, f"{wrong.mean():.1%}", *cells, *seconds]) + " |", flush=True)


def audit_scores(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    return rank(estimate_noise(probabilities, given).probability, given).score


def cleanlab_scores() -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """cleanlab's scores of a label's quality; the first is what Datalab ranks by."""
    from cleanlab.rank import get_label_quality_scores

    def score(method: str, adjusted: bool) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        def scores(given: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
            return get_label_quality_scores(
                given, probabilities, method=method, adjust_pred_probs=adjusted
            )

        return scores

    return {
        "self-confidence": score("self_confidence", False),
        "normalized margin": score("normalized_margin", False),
        "weighted entropy": score("confidence_weighted_entropy", False),
        "adjusted self-confidence": score("self_confidence", True),
        "adjusted margin": score("normalized_margin", True),
    }


def figures(score: np.ndarray, wrong: np.ndarray) -> str:
    """Average precision, and the precision of the first hundred."""
    hits = wrong[np.argsort(-score, kind="stable")]
    precision = (np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()
    return f"{precision:.3f}, {hits[:FIRST].mean():.0%}"


def timed(action: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    begun = time.perf_counter()
    found = action()
    return found, time.perf_counter() - begun


def predictions(
    name: str, options: argparse.Namespace
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Given and true labels, and the probabilities of networks that did not see them."""
    kept = options.keep and options.keep / f"{name}.npz"
    if kept and kept.exists():
        with np.load(kept) as file:
            rows = file["probabilities"].astype(np.float64)
            rows /= rows.sum(axis=1, keepdims=True)
            return file["given"], file["clean"], rows, float(file["seconds"])
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.training.out_of_fold import out_of_fold, quick_plan

    case = made(name, options)
    begun = time.perf_counter()
    samples = Samples(images=case.images, ids=case.ids, given=case.given)
    probabilities = out_of_fold(samples, len(case.names), quick_plan(samples))
    seconds = time.perf_counter() - begun
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            kept, given=case.given, clean=case.true, probabilities=probabilities, seconds=seconds
        )
    return case.given, case.true, probabilities, seconds


def made(name: str, options: argparse.Namespace) -> Case:
    data, noise, *whole = name.split("_")
    if data == "faces":
        images, true = draw_faces(3000, seed=100, difficulty=0.6)
        return with_noise(images, np.arange(3000), true, tuple(EXPRESSIONS), noise)
    with np.load(options.data / f"{FILES.get(data, data)}.npz", allow_pickle=False) as file:
        images = file["train_images"]
        usable = file["train_valid"] if "train_valid" in file else np.ones(len(images), bool)
        rows = np.flatnonzero(usable)
        count = len(rows) if whole else COUNTS[data]
        rows = np.sort(rows[np.argsort(uniform(0, rows, PART))[:count]])
        images = images[rows] if images.ndim == 4 else images[rows][..., None]
        true = file[f"train_{TRUE[data]}"][rows].astype(np.int64)
        names = tuple(map(str, file["class_names"]))
        own = f"train_{GIVEN.get(noise, noise)}"
        if own in file:
            return Case(images, rows, true, file[own][rows].astype(np.int64), names)
    return with_noise(images, rows, true, names, noise)


def with_noise(
    images: np.ndarray, ids: np.ndarray, true: np.ndarray, names: tuple[str, ...], noise: str
) -> Case:
    if noise == "machine":
        law = machine_law(names)
        given = draw_noise(true, ids, len(names), kind="matrix", matrix=law, seed=0)
    else:
        kind = "symmetric" if noise.startswith("sym") else "pair"
        rate = int(noise.removeprefix("sym").removeprefix("pair")) / 100
        given = draw_noise(true, ids, len(names), kind=kind, rate=rate, seed=0)
    return Case(images, ids, true, given, names)


# Runs.


def runs(options: argparse.Namespace) -> None:
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    print("| run | method | wrong | audit | its last network alone | steps alone | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for folder in options.folders:
        print(row_of_run(folder), flush=True)


def row_of_run(folder: Path) -> str:
    from eactf.training import run_audit

    seen = []
    plain = run_audit.rank_run
    run_audit.rank_run = lambda evidence, given: seen.append(evidence) or plain(evidence, given)
    try:
        begun = time.perf_counter()
        found = run_audit.audit_run(folder)
        seconds = time.perf_counter() - begun
    finally:
        run_audit.rank_run = plain
    given, wrong = found.samples.given, found.samples.given != found.samples.clean
    alone = [odds(p, given) for p in (seen[0].final, seen[0].shown["probabilities"])]
    cells = [figures(score, wrong) for score in (found.ranking.score, *alone)]
    name, rate = folder.name, f"{wrong.mean():.1%}"
    return "| " + " | ".join([name, found.method, rate, *cells, f"{seconds:.0f}"]) + " |"


def odds(probability: np.ndarray, given: np.ndarray) -> np.ndarray:
    rows = np.arange(len(given))
    others = probability.astype(np.float64)
    others[rows, given] = 0.0
    return np.log(others.max(axis=1) + 1e-9) - np.log(probability[rows, given] + 1e-9)


# Steps.


def step(options: argparse.Namespace) -> None:
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    settings = {"backbone": "resnet10", "width": 16, "image_size": 40}
    plain, followed = medians(settings, 32, options)
    more = (
        f"{1000 * plain:.1f} ms without, {1000 * followed:.1f} ms with, {followed / plain - 1:+.1%}"
    )
    print(f"a step of the quickstart's network: {more}\n", flush=True)
    print("| samples | classes | batch | ms |\n| --- | --- | --- | --- |")
    for samples, classes, batch in ((1_500, 7, 32), (28_000, 7, 128), (100_000, 200, 128)):
        seconds = noting(samples, classes, batch)
        print(f"| {samples:,} | {classes} | {batch} | {1000 * seconds:.2f} |", flush=True)


def noting(samples: int, classes: int, batch: int) -> float:
    """The seconds of noting a batch by itself, an empty call of a graph taken off."""
    import tensorflow as tf

    from eactf.methods.traces import SampleTraces

    numbers = np.random.default_rng(0)
    columns = (
        tf.constant(numbers.choice(samples, batch, replace=False).astype(np.int32)),
        tf.constant(numbers.integers(0, classes, batch)),
        tf.constant(numbers.normal(size=(batch, classes)).astype(np.float32)),
    )
    add = tf.function(SampleTraces(samples, classes).add)
    empty = tf.function(lambda ids, labels, logits: tf.reduce_sum(logits))
    return fastest(lambda: add(*columns)) - fastest(lambda: empty(*columns))


def fastest(action: Callable[[], object]) -> float:
    seconds = []
    for _ in range(300):
        begun = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begun)
    return min(seconds[10:])


def medians(settings: dict[str, object], batch: int, options: argparse.Namespace) -> list[float]:
    """The seconds of a step of EAC without and with traces, taken in turn."""
    steps = [stepper(settings, batch, options.samples, follow) for follow in (False, True)]
    for take in steps:
        for _ in range(3):
            take()
    seconds: list[list[float]] = [[], []]
    for _ in range(options.rounds):
        for number, take in enumerate(steps):
            begun = time.perf_counter()
            take()
            seconds[number].append(time.perf_counter() - begun)
    return [statistics.median(own) for own in seconds]


def stepper(
    settings: dict[str, object], batch: int, samples: int, follow: bool
) -> Callable[[], object]:
    import tensorflow as tf

    import eactf

    classifier = eactf.build_classifier(channels=1, classes=7, seed=0, **settings)
    method = eactf.EAC(classifier)
    method.compile(optimizer=eactf.optimizers.Adam(1e-3), metrics=["accuracy"])
    if follow:
        method.follow(samples)
    method.optimizer.build(method.trainable_variables)
    numbers = np.random.default_rng(0)
    size = settings["image_size"]
    columns = (
        numbers.integers(0, 256, (batch, size, size, 1), np.uint8),
        numbers.integers(0, 7, batch),
        numbers.choice(samples, batch, replace=False).astype(np.int32),
    )
    data: Iterator = iter(tf.data.Dataset.from_tensors(columns).repeat())
    function = method.make_train_function()
    return lambda: float(function(data)["loss"])


if __name__ == "__main__":
    main()
