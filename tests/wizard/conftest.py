"""Fingerprints, machines and image folders of every shape, and a fake of what is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eactf.intake.fingerprint import Fingerprint, Spread
from eactf.intake.sources import SourceOptions
from eactf.wizard.machine import Gpu, Machine


def square(side):
    return Spread(side, side, side)


@pytest.fixture
def cpu():
    return Machine(cores=2, memory_bytes=16 * 2**30)


@pytest.fixture
def gpu():
    return Machine(cores=8, memory_bytes=64 * 2**30, gpus=(Gpu("A100", 8.0, 40 * 2**30),))


@pytest.fixture
def fingerprint():
    """A maker of fingerprints: 3,000 grey training faces of 48x48, whatever is not said."""

    def make(**changes):
        splits = changes.pop("splits", {"train": 3000, "validation": 300, "test": 300})
        side = changes.pop("side", 48)
        facts = {
            "kind": "folder",
            "source": "faces",
            "images": sum(splits.values()),
            "splits": splits,
            "class_names": ("no", "yes"),
            "class_counts": {
                name: {"no": count // 2, "yes": count - count // 2}
                for name, count in splits.items()
            },
            "unlabelled": 0,
            "bad": {},
            "widths": square(side),
            "heights": square(side),
            "short_side": square(side),
            "same_size": True,
            "aspect": (1.0, 1.0),
            "grey_share": 1.0,
            "formats": {"PNG": 1},
            "modes": {"L": 1},
            "turned": 0,
            "animated": 0,
            "exact_duplicates": 0,
            "duplicate_groups": 0,
            "across_splits": 0,
            "contradicting": 0,
            "near_duplicates": 0,
            "flat": 0,
            "imbalance": 1.0,
            "label_sets": {},
            "clean_known": 0,
            "wrong_share": None,
            "votes": False,
            "bytes_on_disk": 1,
        }
        return Fingerprint(**{**facts, **changes})

    return make


@pytest.fixture
def draw():
    """Writes a small image of its own under a path, grey or colour."""

    def write(path: Path, number: int = 0, *, size=(16, 16), mode="L"):
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
        pixels = np.random.default_rng(number).integers(0, 256, shape).astype("uint8")
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def folder(tmp_path, draw):
    """A maker of image folders: `splits` of `classes` with `count` images each."""

    def make(
        name="faces", *, splits=("train", "test"), classes=("no", "yes"), count=6, **settings
    ) -> Path:
        number = 0
        for split in splits:
            for label in classes:
                for index in range(count):
                    number += 1
                    draw(tmp_path / name / split / label / f"{index}.png", number, **settings)
        return tmp_path / name

    return make


@pytest.fixture
def options():
    return SourceOptions()
