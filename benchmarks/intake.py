"""Time how a folder of images is brought in, and show that memory does not grow with it.

    python benchmarks/intake.py                    # 5,000 and 20,000 images, about 0.5 GB on disk
    python benchmarks/intake.py --images 2000 --images 4000 --folder /somewhere/roomy

Draws a folder of face-like pictures, half PNG and half JPEG, grey and colour, of 48 to 256 pixels,
one in 500 broken, among the temporary files. Then scans it (`eactf data check` up to the
fingerprint) and packs it at 96 x 96, each in a fresh process, and prints seconds and peak memory.
The files have just been written, so that the disk is not what is measured.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import click
import numpy as np
from PIL import Image

from eactf.faces import draw_faces

CLASSES = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
SIDES = (48, 96, 112, 128, 160, 224, 256)
BROKEN_EVERY = 500
FACES = 256
"""Faces that are drawn; every picture is one of them under noise of its own."""


@click.command()
@click.option("--images", multiple=True, type=click.IntRange(100), default=(5_000, 20_000))
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to draw.")
@click.option("--size", type=click.IntRange(8), default=96, show_default=True)
def main(images: tuple[int, ...], folder: Path | None, size: int) -> None:
    """Seconds and peak memory of scanning and packing folders of images."""
    click.echo(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores")
    click.echo(f"{'':>8} {'images':>8} {'on disk':>9} {'seconds':>8} {'images/s':>9} {'peak':>8}")
    for count in sorted(images):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            source = Path(place) / "faces"
            on_disk = draw_folder(source, count)
            for step in ("scan", "pack"):
                found = measured(step, source, size)
                click.echo(
                    f"{step:>8} {count:8,} {on_disk / 1e6:6,.0f} MB {found['seconds']:8.1f}"
                    f" {count / found['seconds']:9,.0f} {found['peak'] / 1e6:5,.0f} MB"
                )
    idle = measured("nothing", Path(), size)
    click.echo(f"a process that has only imported as much: {idle['peak'] / 1e6:,.0f} MB")


def draw_folder(folder: Path, count: int) -> int:
    """Draw `count` images into `train/<class>/`, one in 500 of them broken; their bytes."""
    for name in CLASSES:
        (folder / "train" / name).mkdir(parents=True)
    with ProcessPoolExecutor() as processes:
        ranges = [range(start, min(start + 500, count)) for start in range(0, count, 500)]
        return sum(processes.map(partial(draw_images, folder), ranges))


def draw_images(folder: Path, numbers: range) -> int:
    faces = draw_faces(FACES, size=64, seed=0)[0][..., 0]
    written = 0
    for number in numbers:
        random = np.random.default_rng(number)
        side = SIDES[number % len(SIDES)]
        face = Image.fromarray(faces[number % FACES]).resize((side, side), Image.Resampling.BICUBIC)
        channels = 3 if number % 3 else 1
        noise = random.normal(0, 8, (side, side, channels))
        pixels = np.clip(np.asarray(face, float)[..., None] + noise, 0, 255).astype(np.uint8)
        suffix = ".png" if number % 2 else ".jpg"
        path = folder / "train" / CLASSES[number % len(CLASSES)] / f"{number:06}{suffix}"
        Image.fromarray(pixels.squeeze()).save(path, quality=90)
        if number % BROKEN_EVERY == 0:
            path.write_bytes(path.read_bytes()[:200])
        written += path.stat().st_size
    return written


def measured(step: str, source: Path, size: int) -> dict[str, float]:
    """Take a step in a fresh process: its seconds, imports left out, and its peak in bytes."""
    command = [sys.executable, __file__, "--take", step, str(source), str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def take(step: str, source: Path, size: int) -> None:
    """What runs in the fresh process."""
    from eactf.intake.duplicates import find_duplicates
    from eactf.intake.fingerprint import take_fingerprint
    from eactf.intake.packing import pack
    from eactf.intake.scan import scan
    from eactf.intake.sources import open_source

    start = time.perf_counter()
    if step != "nothing":
        listing = open_source(source)
    if step == "scan":
        scanned = scan(listing)
        take_fingerprint(listing, scanned, find_duplicates(scanned))
    elif step == "pack":
        pack(listing, source.with_suffix(".h5"), size=size)
    seconds = time.perf_counter() - start
    # Linux counts kibibytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    click.echo(json.dumps({"seconds": seconds, "peak": peak}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--take"]:
        take(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
