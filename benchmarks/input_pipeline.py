"""Time eactf's input pipeline beside plain tf.data, and beside the step that it feeds.

    python benchmarks/input_pipeline.py
    python benchmarks/input_pipeline.py --only grey48-to-224rgb --seconds 1 --step-rate 10

The pipeline is to deliver at least 20 times what an EAC step takes, so that feeding the network
costs nothing to speak of. Columns: benchmarks/README.md.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from train_step import worker_environment
from workers import Case, Settings, Worker

from eactf.intake.parallel import usable_cores

TARGET = 20.0
"""Pipeline images/s over the EAC step's images/s, at least."""

CLASSES = 7


@dataclass(frozen=True)
class Source:
    """What is stored, what the network takes, and how many images go into a batch."""

    name: str
    stored_size: int
    stored_channels: int
    size: int
    channels: int
    batch: int
    mapped: bool = False


SOURCES = (
    Source("grey48", 48, 1, 48, 1, 128),
    Source("grey48-to-224rgb", 48, 1, 224, 3, 16),
    Source("rgb100", 100, 3, 100, 3, 128),
    Source("rgb100-mapped", 100, 3, 100, 3, 128, mapped=True),
)


@click.command()
@click.option("--only", type=click.Choice([source.name for source in SOURCES]), multiple=True)
@click.option("--images", type=click.IntRange(256), default=12_000, show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1), default=2.0, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--step-rate", type=click.FloatRange(0, min_open=True), help="Images/s of the step.")
@click.option(
    "--precision", type=click.Choice(["float32", "bfloat16"]), default="bfloat16", show_default=True
)
@click.option("--steps", type=click.IntRange(1), default=5, help="Steps timed for its rate.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path))
def main(
    only: tuple[str, ...],
    images: int,
    seconds: float,
    rounds: int,
    step_rate: float | None,
    precision: str,
    steps: int,
    json_path: Path | None,
) -> None:
    """Images/s of the pipeline, of plain tf.data, and of the EAC step (ResNet-18)."""
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    header = ("source", "batch", "eactf", "tf.data", "ratio", "EAC step", "times the step")
    click.echo("{:<18} {:>5} {:>11} {:>11} {:>6} {:>9} {:>15}".format(*header))
    rows = []
    for source in SOURCES:
        if only and source.name not in only:
            continue
        # The step first, with the pipelines not yet made: neither takes time from the other.
        rate = step_rate or eac_step_rate(source, precision, steps)
        ours, plain = compare(source, images, seconds, rounds)
        rows.append(summary(source, ours, plain, rate))
        click.echo(_line(rows[-1]))
    if json_path is not None:
        json_path.write_text(json.dumps(rows, indent=1) + "\n")


def summary(
    source: Source, ours: list[float], plain: list[float], step_rate: float
) -> dict[str, Any]:
    middle = statistics.median(ours)
    return {
        "source": source.name,
        "batch": source.batch,
        "images_per_second": middle,
        "plain_images_per_second": statistics.median(plain),
        "ratio": statistics.median(a / b for a, b in zip(ours, plain, strict=True)),
        "step_images_per_second": step_rate,
        "times_the_step": middle / step_rate,
        "met": middle >= TARGET * step_rate,
        "rounds": {"eactf": ours, "plain": plain},
    }


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['source']:<18} {row['batch']:>5} {row['images_per_second']:>11,.0f} "
        f"{row['plain_images_per_second']:>11,.0f} {row['ratio']:>6.2f} "
        f"{row['step_images_per_second']:>9,.1f} {row['times_the_step']:>9,.0f} "
        f"{'(met)' if row['met'] else '(MISSED)'}"
    )


def compare(
    source: Source, images: int, seconds: float, rounds: int
) -> tuple[list[float], list[float]]:
    """Images/s of eactf and of plain tf.data, one after the other in each round."""
    from eactf.data import pipeline

    form = pipeline.ImageForm(source.size, source.channels)
    with stored(source, images) as samples:
        makers: tuple[Callable[[], Any], ...] = (
            lambda: pipeline.training_batches(samples, form, batch_size=source.batch, seed=1),
            lambda: plain_batches(samples, form, source.batch),
        )
        rates: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds):
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                rates[side].append(delivery_rate(makers[side](), seconds))
    return rates


def plain_batches(samples: Any, form: Any, batch: int) -> Any:
    """The peer: `from_tensor_slices().shuffle().batch()`, brought into the same form by the batch.

    It holds the images in memory also where eactf reads them from the mapped file.
    """
    import tensorflow as tf

    from eactf.data import pipeline

    with tf.device("CPU:0"):
        arrays = (np.asarray(samples.images), samples.given, samples.ids.astype(np.int32))
        slices = tf.data.Dataset.from_tensor_slices(arrays)
    batches = slices.shuffle(len(samples), seed=1).repeat().batch(batch)

    def formed(images: Any, labels: Any, ids: Any) -> Any:
        return pipeline._formed(images, form), labels, ids

    return batches.map(formed, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def delivery_rate(batches: Any, seconds: float) -> float:
    """Images/s over a stretch of `seconds`, after a start that is not counted.

    The start fills shuffle buffers and lets tf.data tune itself. The iterator is new and goes
    away afterwards: one that waits would fill its buffers in the other side's time.
    """
    iterator = iter(batches)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds / 2:
        next(iterator)
    count, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        count += len(next(iterator)[1])
    return count / passed


@contextmanager
def stored(source: Source, count: int) -> Iterator[Any]:
    """Random `Samples`, in memory or as the memory map of a packed file."""
    from eactf.data import pipeline
    from eactf.packed import open_packed, write_packed
    from eactf.packed.records import Dataset, Samples

    random = np.random.default_rng(1)
    shape = (count, source.stored_size, source.stored_size, source.stored_channels)
    samples = Samples(
        images=random.integers(0, 256, shape, "uint8"),
        ids=np.arange(count),
        given=random.integers(0, CLASSES, count),
    )
    if not source.mapped:
        yield samples
        return
    # Images of this size would be taken into memory; the limit is lowered to time the file.
    limit, pipeline._IN_MEMORY_BYTES = pipeline._IN_MEMORY_BYTES, 0
    names = tuple(f"class {index}" for index in range(CLASSES))
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "images.h5"
            write_packed(path, Dataset(names, {"train": samples}, "random pixels"))
            yield open_packed(path).splits["train"]
    finally:
        pipeline._IN_MEMORY_BYTES = limit


def eac_step_rate(source: Source, precision: str, steps: int) -> float:
    """Images/s of the EAC step on images of the source's form, in a process of its own."""
    case = Case("eac", precision)
    threads = usable_cores()
    settings = Settings(
        source.size, source.batch, source.channels, CLASSES, threads, "uint8", (case,)
    )
    # The fastest step is the hardest to feed, so memory is kept.
    environment = worker_environment(threads, malloc_tuned=True, passive_wait=False)
    worker = Worker("eactf_step", settings, environment)
    try:
        worker.step(case)
        worker.step(case)
        return source.batch / statistics.median(worker.step(case).seconds for _ in range(steps))
    finally:
        worker.close()


if __name__ == "__main__":
    main()
