"""`eactf data noise` on labels whose noise is known: what it says beside the truth.

Noise is planted into drawn faces and Fashion-MNIST, and into FERPlus's consensus labels; FER2013's
own labels against that consensus, and CIFAR-10N's, are noise that people made. Data sets that are
not in --data are left out.

    python benchmarks/noise_estimate.py --data ../shared/data
    python benchmarks/noise_estimate.py --only faces --rates 0 0.4 --keep probabilities/
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.faces import draw_faces
from eactf.noise import draw_noise
from eactf.noise.estimate import NoiseEstimate, estimate_noise
from eactf.packed.hashing import uniform
from eactf.packed.records import Samples

PART = 2001  # stream of the rows taken of a larger set


@dataclass(frozen=True)
class Case:
    """Images with a true label and a given one; `make` returns `(images, true, given)`."""

    name: str
    classes: int
    make: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]]


def main() -> None:
    options = parse_options()
    cases = [case for case in all_cases(options) if any(word in case.name for word in options.only)]
    print(HEAD, flush=True)
    for case in cases:
        print(row(case, options), flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of fashion_mnist.npz, cifar10n.npz, ...")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.4])
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the cases' names")
    parser.add_argument("--folds", type=int, help="else the command's own choice")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for predictions; those there are reused")
    return parser.parse_args()


def all_cases(options: argparse.Namespace) -> Iterator[Case]:
    for rate in options.rates:
        for count, difficulty in ((1500, 0.6), (3000, 0.6), (2000, 1.0)):
            yield faces(count, difficulty, "symmetric", rate, options.seed)
    yield faces(1500, 0.6, "pair", 0.3, options.seed)
    if options.data is None:
        return
    for rate in options.rates:
        yield planted(options, "fashion_mnist", 20_000, "symmetric", rate)
    yield planted(options, "fashion_mnist", 20_000, "pair", 0.3)
    yield planted(options, "fashion_mnist", 20_000, "symmetric", 0.2, imbalanced=True)
    yield planted(options, "ferplus", 8_000, "symmetric", 0.2)
    yield by_people(options, "ferplus", "fer2013_as8", "label", 8_000)
    for labels in ("aggre", "random1", "worst"):
        yield by_people(options, "cifar10n", labels, "clean", 8_000)


def faces(count: int, difficulty: float, kind: str, rate: float, seed: int) -> Case:
    def make() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        images, true = draw_faces(count, seed=100 + seed, difficulty=difficulty)
        given = draw_noise(true, np.arange(count), 7, kind=kind, rate=rate, seed=seed)
        return images, true, given

    return Case(f"{count} faces, difficulty {difficulty:g}, {kind} {rate:.0%}", 7, make)


def planted(
    options: argparse.Namespace,
    name: str,
    count: int,
    kind: str,
    rate: float,
    *,
    imbalanced: bool = False,
) -> Case:
    classes = 8 if name == "ferplus" else 10

    def make() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        images, labels = stored(options, name, "label", count, options.seed)
        true = labels["label"]
        if imbalanced:
            share = 10.0 ** -(true / (classes - 1))  # the last class a tenth of the first
            kept = uniform(options.seed, np.arange(len(true)), PART + 1) < share
            images, true = images[kept], true[kept]
        ids = np.arange(len(true))
        return images, true, draw_noise(true, ids, classes, kind=kind, rate=rate, seed=options.seed)

    form = ", imbalanced" if imbalanced else ""
    return Case(f"{count} {name}{form}, {kind} {rate:.0%}", classes, make)


def by_people(options: argparse.Namespace, name: str, given: str, true: str, count: int) -> Case:
    def make() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        images, labels = stored(options, name, f"{given} {true}", count, options.seed)
        return images, labels[true], labels[given]

    return Case(f"{count} {name}, {given}", 8 if name == "ferplus" else 10, make)


def stored(
    options: argparse.Namespace, name: str, columns: str, count: int, seed: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    with np.load(options.data / f"{name}.npz", allow_pickle=False) as file:
        usable = file["train_valid"] if "train_valid" in file else np.ones(1, bool)
        images = file["train_images"]
        rows = np.flatnonzero(np.broadcast_to(usable, len(images)))
        rows = np.sort(rows[np.argsort(uniform(seed, rows, PART))[:count]])
        images = images[rows] if images.ndim == 4 else images[rows][..., None]
        labels = {c: file[f"train_{c}"][rows].astype(np.int64) for c in columns.split()}
    return images, labels


HEAD = (
    "| labels | wrong | estimate | interval | suspects right | confident learning | anchor points"
    " | contradicted | seconds |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def row(case: Case, options: argparse.Namespace) -> str:
    images, true, given = case.make()
    probabilities, seconds = predictions(case, images, given, options)
    begun = time.perf_counter()
    found = estimate_noise(probabilities, given)
    seconds += time.perf_counter() - begun
    rate = float(np.mean(true != given))
    cells = [
        case.name,
        f"{rate:.1%}",
        f"{found.rate:.1%}" + (" (pairs)" if found.paired else ""),
        f"{found.low:.0%} to {found.high:.0%}" + ("" if found.low <= rate <= found.high else " !"),
        precision(found, true, given),
        f"{confident_learning(probabilities, given):.0%}",
        f"{anchor_points(probabilities, given):.0%}",
        f"{found.disagreement:.0%}",
        f"{seconds:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def precision(found: NoiseEstimate, true: np.ndarray, given: np.ndarray) -> str:
    worst = found.suspects()[:100]
    return f"{np.mean(true[worst] != given[worst]):.0%} of {len(worst)}" if len(worst) else "-"


def confident_learning(probabilities: np.ndarray, given: np.ndarray) -> float:
    """The rate by counting confident predictions (Northcutt, Jiang and Chuang, 2021)."""
    classes = probabilities.shape[1]
    # A class that nothing is labelled as (FER2013 has no contempt) is never confident.
    usual = np.full(classes, 2.0)
    for label in np.unique(given):
        usual[label] = probabilities[given == label, label].mean()
    confident = probabilities >= usual
    counted = np.flatnonzero(confident.any(axis=1))
    likely = np.where(confident, probabilities, -1.0).argmax(axis=1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (given[counted], likely[counted]), 1.0)
    joint *= (np.bincount(given, minlength=classes) / np.maximum(joint.sum(axis=1), 1.0))[:, None]
    return float(1.0 - np.trace(joint) / joint.sum())


def anchor_points(probabilities: np.ndarray, given: np.ndarray) -> float:
    """The rate by the surest prediction of each class (Patrini et al., 2017; 97th percentile)."""
    place = int(0.97 * len(given))
    anchors = np.argsort(probabilities, axis=0)[place]
    noise = probabilities[anchors]
    shares, *_ = np.linalg.lstsq(
        noise.T, np.bincount(given, minlength=len(noise)) / len(given), rcond=None
    )
    shares = np.maximum(shares, 0.0) / np.maximum(shares, 0.0).sum()
    return float(shares @ (1.0 - np.diag(noise)))


def predictions(
    case: Case, images: np.ndarray, given: np.ndarray, options: argparse.Namespace
) -> tuple[np.ndarray, float]:
    name = "".join(letter if letter.isalnum() else "-" for letter in case.name)
    kept = options.keep and options.keep / f"{name}-{options.seed}-{options.folds or 0}.npz"
    if kept and kept.exists():
        with np.load(kept) as file:
            return file["probabilities"], float(file["seconds"])
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.training.out_of_fold import out_of_fold, quick_plan

    begun = time.perf_counter()
    samples = Samples(images=images, ids=np.arange(len(images)), given=given)
    plan = quick_plan(samples, options.folds)
    probabilities = out_of_fold(samples, case.classes, plan, seed=options.seed)
    seconds = time.perf_counter() - begun
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, probabilities=probabilities, seconds=seconds)
    return probabilities, seconds


if __name__ == "__main__":
    main()
