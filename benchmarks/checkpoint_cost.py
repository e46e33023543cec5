"""What a checkpoint costs beside an epoch: seconds that training waits, seconds to the disk, bytes.

Each network trains in float32 with Adam. A checkpoint's arrays are taken while training waits and
written while it goes on. The epoch is that of the recipe's training images at the speed of the
steps measured in between; validation is left out.

    python benchmarks/checkpoint_cost.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import eactf
from eactf import console
from eactf.report.table import markdown_table
from eactf.training.folder import RunFolder
from eactf.training.run_state import RunState
from eactf.training.saving import Saver

SMALL = {"name": "resnet10", "channels": 1, "width": 16, "stem": "small"}
CASES = {
    "quickstart": ({**SMALL, "image_size": 40}, 32, 1500),
    "ferplus-human-small": ({**SMALL, "image_size": 48}, 64, 5000),
    "ferplus-noise20": ({"name": "resnet18", "channels": 3, "image_size": 224}, 32, 25000),
}
"""Network, batch and training images of the shipped recipes (the last one's batch is 256)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows = [measured(name, *case, options.rounds) for name, case in CASES.items()]
    heads = ["recipe", "size", "training waits", "to the disk", "epoch", "share of the epoch"]
    console.say(markdown_table(heads, rows))


def measured(name: str, network: dict, batch: int, images: int, rounds: int) -> list[str]:
    settings = {key: value for key, value in network.items() if key != "name"}
    classifier = eactf.build_classifier(network["name"], classes=8, **settings)
    method = eactf.EAC(classifier)
    method.compile(optimizer=eactf.optimizers.Adam(1e-3), metrics=["accuracy"])
    pixels = np.random.default_rng(0).integers(0, 256, (batch, *classifier.input_shape[1:]))
    arrays = pixels.astype("uint8"), np.arange(batch) % 8
    method.fit(*arrays, batch_size=batch, verbose=0)
    waits, writes, steps = [], [], []
    with tempfile.TemporaryDirectory(dir=".") as place:
        folder = RunFolder(Path(place))
        saver = Saver(method, folder, RunState())
        for _ in range(rounds):
            steps.append(seconds(lambda: method.train_on_batch(*arrays)))
            waits.append(seconds(lambda: saver.save("best", "last")))
            writes.append(seconds(saver.wait))
        size = folder.checkpoint("last").stat().st_size
    epoch = statistics.median(steps) * images / batch
    wait, write = statistics.median(waits), statistics.median(writes)
    return [
        name,
        f"{size / 1e6:.1f} MB",
        f"{1000 * wait:.0f} ms",
        f"{1000 * write:.0f} ms",
        f"{epoch:.1f} s",
        f"{wait / epoch:.2%} (written at once: {(wait + write) / epoch:.2%})",
    ]


def seconds(work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
