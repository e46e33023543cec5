"""What an exported classifier is worth beside Keras: parity, size, accuracy and images a second.

python benchmarks/export.py runs/quickstart                   # its own test or validation split
python benchmarks/export.py runs/ferplus --data ferplus.h5    # all kinds in one run, interleaved
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

FOLDER = 1000
"""Images of the folder that `predict` reads."""

Run = Callable[[np.ndarray], Any]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path))
@click.option("--images", "most", type=click.IntRange(2), default=2000, show_default=True)
@click.option("--rounds", type=click.IntRange(2), default=15, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=len(os.sched_getaffinity(0)))
@click.option("--json", "readings", type=click.Path(path_type=Path))
def main(
    model: Path, data: Path | None, most: int, rounds: int, threads: int, readings: Path | None
) -> None:
    """Export MODEL in every form, then time all forms in turn, each once a round."""
    from eactf.quiet import start_tensorflow

    start_tensorflow(find_devices=False)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        forms = written(model, data, most, Path(folder))
        parity(forms)
        runs = runners(model, forms, threads)
        images = pixels(model, data)
        taken = {
            batch: timed(runs, images[:batch], rounds) for batch in (1, 64) if batch <= len(images)
        }
        for batch, seconds in taken.items():
            report(batch, seconds)
        pace = predict_pace(model, images, Path(folder), max(2, rounds // 5))
    if readings is not None:
        found = {str(batch): seconds for batch, seconds in taken.items()}
        readings.write_text(json.dumps({"seconds": found, "predict": pace}))


def written(model: Path, data: Path | None, most: int, folder: Path) -> Mapping[str, Any]:
    """Every form by name, exported with its comparison."""
    from eactf.export.exporting import export_classifier
    from eactf.export.form import ExportForm, Runtime

    kinds = {
        "SavedModel": ("m", ExportForm(Runtime.SAVED_MODEL)),
        "ONNX": ("m.onnx", ExportForm(Runtime.ONNX)),
        "ONNX, maps": ("maps.onnx", ExportForm(Runtime.ONNX, maps=True)),
        "TFLite": ("m.tflite", ExportForm(Runtime.TFLITE)),
        "TFLite, maps": ("maps.tflite", ExportForm(Runtime.TFLITE, maps=True)),
        "TFLite int8": ("int8.tflite", ExportForm(Runtime.TFLITE, int8=True)),
    }
    found = {}
    for name, (file, form) in kinds.items():
        begun = time.perf_counter()
        made = export_classifier(model, form, output=folder / file, data=data, most=most)
        found[name] = made
        click.echo(f"{name}: {time.perf_counter() - begun:.1f} s, {made.compared_on}", err=True)
    return found


def parity(forms: Mapping[str, Any]) -> None:
    keras = next(iter(forms.values()))
    accuracy = keras.parity.accuracy
    size = keras.classifier.stat().st_size / 1e6
    click.echo(f"{keras.classifier}, compared on {keras.compared_on}\n")
    click.echo("                    MB   largest difference   same class   accuracy   lost gained")
    click.echo(f"  {'Keras':<14} {size:7.2f} {'':>20} {'':>12} {_percent(accuracy, 0):>10}")
    for name, form in forms.items():
        one = form.parity
        differs = max(one.largest.values())
        click.echo(
            f"  {name:<14} {form.size / 1e6:7.2f} {differs:20.1e} {one.agree / one.images:12.2%}"
            f" {_percent(one.accuracy, 1):>10} {one.lost!s:>6} {one.gained!s:>6}"
        )


def _percent(accuracy: tuple[float, float] | None, which: int) -> str:
    return "-" if accuracy is None else f"{accuracy[which]:.2%}"


def runners(model: Path, forms: Mapping[str, Any], threads: int) -> Mapping[str, Run]:
    """What computes a batch of float32 images, by name; all with the same number of threads."""
    import tensorflow as tf

    from eactf.evaluation.storage import find_classifier, open_classifier_file

    stored = open_classifier_file(find_classifier(model))
    serve = tf.saved_model.load(str(forms["SavedModel"].path)).signatures["serving_default"]
    return {
        "Keras": stored.model.predict_on_batch,
        "SavedModel": lambda images: serve(images=tf.constant(images))["probabilities"].numpy(),
        "ONNX": onnx_runner(forms["ONNX"].path, threads),
        "ONNX, maps": onnx_runner(forms["ONNX, maps"].path, threads),
        "TFLite": tflite_runner(forms["TFLite"].path, threads, np.float32),
        "TFLite, maps": tflite_runner(forms["TFLite, maps"].path, threads, np.float32),
        "TFLite int8": tflite_runner(forms["TFLite int8"].path, threads, np.uint8),
    }


def onnx_runner(path: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})


def tflite_runner(path: Path, threads: int, dtype: Any) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path), num_threads=threads).get_signature_runner()
    return lambda images: run(images=images.astype(dtype))


def pixels(model: Path, data: Path | None) -> np.ndarray:
    """Images as float32 that the classifier is judged on, `FOLDER` at the most."""
    from eactf.evaluation.storage import find_classifier, open_classifier_file
    from eactf.export.check_images import choose_check_images

    stored = open_classifier_file(find_classifier(model))
    chosen = choose_check_images(stored, model, data, (), most=FOLDER, calibrate=False)
    return chosen.images.astype(np.float32)


def timed(
    runs: Mapping[str, Run], batch: np.ndarray, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Seconds of a batch by name, on the clock and of the processor: each form once a round."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    order = np.random.default_rng(0)
    for number in range(-3, rounds):  # the first three make graphs and fill caches
        for name in order.permutation(list(runs)):
            begun = time.perf_counter(), time.process_time()
            runs[name](batch)
            taken = time.perf_counter() - begun[0], time.process_time() - begun[1]
            if number >= 0:
                seconds[name].append(taken)
            time.sleep(0.02)  # libraries' threads spin for a while after their last work
    return seconds


def report(batch: int, seconds: Mapping[str, list[tuple[float, float]]]) -> None:
    """Medians, and by round ratios of processor seconds, which others' work moves less."""
    click.echo(
        f"\nbatch {batch}            ms   cpu ms   images/cpu s   cpu: Keras / it (quartiles)"
    )
    for name, taken in seconds.items():
        pairs = zip(seconds["Keras"], taken, strict=True)
        low, middle, high = statistics.quantiles([a[1] / b[1] for a, b in pairs], n=4)
        wall, cpu = (statistics.median(column) for column in zip(*taken, strict=True))
        click.echo(
            f"  {name:<14} {wall * 1e3:8.2f} {cpu * 1e3:8.2f} {batch / cpu:14,.0f}"
            f" {middle:8.2f} ({low:.2f} to {high:.2f})"
        )


def predict_pace(
    model: Path, images: np.ndarray, folder: Path, rounds: int
) -> list[tuple[float, float]]:
    """Images a second of `eactf predict` of a folder of PNG files, and the network's share."""
    from eactf.evaluation.predicting import predict_files

    place = folder / "images"
    place.mkdir()
    for number, image in enumerate(images.astype(np.uint8)):
        Image.fromarray(image.squeeze()).save(place / f"{number:05d}.png")
    found = []
    for _ in range(rounds + 1):
        pace = predict_files(model, (place,), batch_size=128).pace
        found.append((pace.images_per_second, pace.network_seconds / pace.seconds))
    rates, shares = zip(*found[1:], strict=True)  # the first one reads the files into memory
    click.echo(
        f"\neactf predict, {len(images):,} PNG files: {statistics.median(rates):,.0f} images/s,"
        f" the network {statistics.median(shares):.0%} of the time"
    )
    return found


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
