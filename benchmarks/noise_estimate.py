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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.faces import EXPRESSIONS, draw_faces
from eactf.noise import draw_noise, machine_law
from eactf.noise.estimate import NoiseEstimate, estimate_noise
from eactf.noise.panel import panel_reading
from eactf.packed.hashing import uniform
from eactf.packed.records import Samples

PART = 2001  # stream of the rows taken of a larger set


@dataclass(frozen=True)
class Case:
    """Images with a true label and a given one; `make` reads or draws them."""

    name: str
    classes: int
    make: Callable[[], Labelled]


@dataclass(frozen=True)
class Labelled:
    """`votes` `(n, columns)`, the classes first, where people voted."""

    images: np.ndarray
    ids: np.ndarray
    true: np.ndarray
    given: np.ndarray
    votes: np.ndarray | None = None


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
    yield faces(3000, 0.6, "pair", 0.3, options.seed)
    yield faces(3000, 0.6, "machine", 0.227, options.seed)
    if options.data is None:
        return
    for count in (8_000, 20_000):
        for rate in options.rates:
            yield planted(options, "fashion_mnist", count, "symmetric", rate)
        yield planted(options, "fashion_mnist", count, "pair", 0.3)
    yield planted(options, "fashion_mnist", 20_000, "symmetric", 0.2, imbalanced=True)
    for name in ("cifar10n", "ferplus"):
        for rate in (0.0, 0.2, 0.3, 0.4):
            yield planted(options, name, 8_000, "symmetric", rate)
        yield planted(options, name, 8_000, "pair", 0.3)
    yield planted(options, "ferplus", 8_000, "machine", 0.227)
    for count in (8_000, 28_386):
        yield by_people(options, "ferplus", "fer2013_as8", "label", count)
    for labels in ("aggre", "random1", "random2", "worst"):
        yield by_people(options, "cifar10n", labels, "clean", 8_000)


def faces(count: int, difficulty: float, kind: str, rate: float, seed: int) -> Case:
    def make() -> Labelled:
        images, true = draw_faces(count, seed=100 + seed, difficulty=difficulty)
        ids = np.arange(count)
        return Labelled(images, ids, true, drawn(true, ids, EXPRESSIONS, kind, rate, seed))

    return Case(f"{count} faces, difficulty {difficulty:g}, {kind} {rate:.0%}", 7, make)


def drawn(
    true: np.ndarray, ids: np.ndarray, names: Sequence[str], kind: str, rate: float, seed: int
) -> np.ndarray:
    if kind == "machine":
        law = machine_law(names)
        return draw_noise(true, ids, len(names), kind="matrix", matrix=law, seed=seed)
    return draw_noise(true, ids, len(names), kind=kind, rate=rate, seed=seed)


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
    column = "clean" if name == "cifar10n" else "label"

    def make() -> Labelled:
        found = stored(options, name, column, column, count)
        images, ids, true = found.images, found.ids, found.true
        if imbalanced:
            share = 10.0 ** -(true / (classes - 1))  # the last class a tenth of the first
            kept = uniform(options.seed, ids, PART + 1) < share
            images, ids, true = images[kept], ids[kept], true[kept]
        names = class_names(options, name)
        given = drawn(true, ids, names, kind, rate, options.seed)
        return Labelled(images, ids, true, given, found.votes)

    form = ", imbalanced" if imbalanced else ""
    return Case(f"{count} {name}{form}, {kind} {rate:.0%}", classes, make)


def by_people(options: argparse.Namespace, name: str, given: str, true: str, count: int) -> Case:
    def make() -> Labelled:
        return stored(options, name, given, true, count)

    return Case(f"{count} {name}, {given}", 8 if name == "ferplus" else 10, make)


def class_names(options: argparse.Namespace, name: str) -> list[str]:
    with np.load(options.data / f"{name}.npz", allow_pickle=False) as file:
        return [str(each) for each in file["class_names"]]


def stored(options: argparse.Namespace, name: str, given: str, true: str, count: int) -> Labelled:
    with np.load(options.data / f"{name}.npz", allow_pickle=False) as file:
        usable = file["train_valid"] if "train_valid" in file else np.ones(1, bool)
        images = file["train_images"]
        rows = np.flatnonzero(np.broadcast_to(usable, len(images)))
        rows = np.sort(rows[np.argsort(uniform(options.seed, rows, PART))[:count]])
        images = images[rows] if images.ndim == 4 else images[rows][..., None]
        labels = [file[f"train_{column}"][rows].astype(np.int64) for column in (true, given)]
        votes = file["train_votes"][rows] if name == "ferplus" else None
    return Labelled(images, rows, *labels, votes)


HEAD = (
    "| labels | wrong | estimate | interval | by votes | suspects right | confident learning"
    " | anchor points | contradicted | seconds |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def row(case: Case, options: argparse.Namespace) -> str:
    labelled = case.make()
    true, given = labelled.true, labelled.given
    probabilities, seconds = predictions(case, labelled, options)
    begun = time.perf_counter()
    found = estimate_noise(probabilities, given)
    seconds += time.perf_counter() - begun
    rate = float(np.mean(true != given))
    cells = [
        case.name,
        f"{rate:.1%}",
        f"{found.rate:.1%}" + (" (pairs)" if found.paired else ""),
        f"{found.low:.0%} to {found.high:.0%}" + ("" if found.low <= rate <= found.high else " !"),
        by_votes(labelled, case.classes),
        precision(found, true, given),
        f"{confident_learning(probabilities, given):.0%}",
        f"{anchor_points(probabilities, given):.0%}",
        f"{found.disagreement:.0%}",
        f"{seconds:.0f}",
    ]
    return "| " + " | ".join(cells) + " |"


def by_votes(labelled: Labelled, classes: int) -> str:
    if labelled.votes is None:
        return "-"
    found = panel_reading(labelled.votes, classes, labelled.given)
    return f"{found.rate:.1%} ({found.low:.0%} to {found.high:.0%})"


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


def kept_at(case: Case, options: argparse.Namespace) -> Path:
    name = "".join(letter if letter.isalnum() else "-" for letter in case.name)
    return Path(options.keep / f"{name}-{options.seed}-{options.folds or 0}.npz")


def predictions(
    case: Case, labelled: Labelled, options: argparse.Namespace
) -> tuple[np.ndarray, float]:
    kept = options.keep and kept_at(case, options)
    if kept and kept.exists():
        with np.load(kept) as file:
            return file["probabilities"], float(file["seconds"])
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.training.out_of_fold import out_of_fold, quick_plan

    begun = time.perf_counter()
    samples = Samples(images=labelled.images, ids=labelled.ids, given=labelled.given)
    plan = quick_plan(samples, options.folds)
    probabilities = out_of_fold(samples, case.classes, plan, seed=options.seed)
    seconds = time.perf_counter() - begun
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, probabilities=probabilities, seconds=seconds)
    return probabilities, seconds


if __name__ == "__main__":
    main()
