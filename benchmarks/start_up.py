"""How long the commands take to start, beside the import of Keras that two of them wait for.

python benchmarks/start_up.py                # a ResNet-18 of 64 px, 9 rounds
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from PIL import Image

FOLDER = 200


@click.command()
@click.option("--rounds", type=click.IntRange(2), default=9, show_default=True)
@click.option("--size", type=click.IntRange(32), default=64, show_default=True)
def main(rounds: int, size: int) -> None:
    """Start each command once a round; medians, and ratios to the import round by round."""
    with tempfile.TemporaryDirectory() as folder:
        commands = prepare(Path(folder), size)
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(-1, rounds):  # the first round reads the files into memory
            for name, command in commands.items():
                taken = timed(command)
                if number >= 0:
                    seconds[name].append(taken)
    report(seconds)


def prepare(folder: Path, size: int) -> Mapping[str, Sequence[str]]:
    """The commands by name; the classifier and the images that they need lie in `folder`."""
    build = (
        "import eactf; from pathlib import Path;"
        "from eactf.evaluation.storage import save_classifier;"
        f"c = eactf.build_classifier('resnet18', image_size={size}, channels=3, classes=7);"
        f"save_classifier(Path({str(folder / 'model.keras')!r}), c, {{}})"
    )
    timed([sys.executable, "-c", build])
    pixels = np.random.default_rng(0).integers(0, 256, (FOLDER, 80, 80, 3), dtype=np.uint8)
    (folder / "images").mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / "images" / f"{number:03d}.png")
    eactf = [sys.executable, "-m", "eactf"]
    predict = [*eactf, "predict", str(folder / "model.keras")]
    return {
        "import keras": [sys.executable, "-c", "import keras"],
        "predict one image": [*predict, str(folder / "images" / "000.png")],
        f"predict {FOLDER} images": [*predict, str(folder / "images")],
        "--help": [*eactf, "--help"],
    }


def timed(command: Sequence[str]) -> float:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - begun


def report(seconds: Mapping[str, Sequence[float]]) -> None:
    base = seconds["import keras"]
    click.echo("                          seconds   of the import")
    for name, taken in seconds.items():
        ratios = [one / other for one, other in zip(taken, base, strict=True)]
        click.echo(
            f"  {name:<22} {statistics.median(taken):8.2f} {statistics.median(ratios):12.2f}"
        )


if __name__ == "__main__":
    main()
