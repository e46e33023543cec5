"""`draw_faces` makes pictures of faces with seven expressions, in code and from a seed alone.

Nothing is downloaded and nothing is stored: face `k` is a pure function of (seed, k, size,
difficulty), the same bits whatever the batch. Each expression shows in brows, eyes and mouth at
once; identity, pose, light and what covers the face vary independently of it.

Example:
    >>> from eactf.faces import EXPRESSIONS, draw_faces
    >>> images, labels = draw_faces(3, size=32, seed=7)
    >>> images.shape, str(images.dtype), labels.shape
    ((3, 32, 32, 1), 'uint8', (3,))
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from eactf.faces import geometry
from eactf.faces.affect import drawn_affect
from eactf.faces.arguments import check_faces, check_whole
from eactf.faces.features import render
from eactf.faces.geometry import EXPRESSIONS, Draws
from eactf.packed.hashing import uniform
from eactf.packed.records import MAX_ID, Dataset, Samples

__all__ = ["EXPRESSIONS", "draw_faces", "drawn_face_dataset"]

_CHUNK_PIXELS = 100_000  # float32 fields of this many pixels stay in the processor's cache
_MIN_SIZE, _MAX_SIZE = 16, 512


def draw_faces(
    count: int, *, size: int = 48, seed: int = 0, start: int = 0, difficulty: float = 1.0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Draw the faces with indices start .. start + count - 1.

    Args:
        count: how many faces, at least 0.
        size: height and width in pixels, 16 to 512.
        seed: any 64-bit integer; another seed gives other people.
        start: index of the first face.
        difficulty: 0 (full expressions, frontal, evenly lit) to 1 (weak to strong expressions,
            turned heads, covered parts, noise); up to 2 for still harder faces.

    Returns:
        Images (count, size, size, 1) uint8 and labels (count,) int64, indices into EXPRESSIONS.

    Raises:
        DataError: an argument is out of range.
    """
    check_faces(count, seed, start, difficulty)
    check_whole("size", size, _MIN_SIZE, _MAX_SIZE)
    images = np.empty((count, size, size, 1), dtype=np.uint8)
    labels = np.empty(count, dtype=np.int64)
    chunk = max(1, _CHUNK_PIXELS // (size * size))
    for first in range(0, count, chunk):
        rows = slice(first, min(first + chunk, count))
        ids = np.arange(start + rows.start, start + rows.stop, dtype=np.int64)
        images[rows, :, :, 0], labels[rows] = _draw_chunk(ids, size, seed, float(difficulty))
    return images, labels


def drawn_face_dataset(
    *,
    train: int,
    validation: int,
    test: int,
    size: int = 48,
    seed: int = 0,
    difficulty: float = 1.0,
) -> Dataset:
    """Draw a data set with the given number of faces in each split.

    The ids are the face indices: train comes first, then validation, then test, so no face is in
    two splits. Labels are right by construction: `given` equals `clean`. The values are `valence`
    and `arousal`, see `drawn_affect`.

    Raises:
        DataError: an argument is out of range.
    """
    splits = {}
    start = 0
    for name, count in (("train", train), ("validation", validation), ("test", test)):
        check_whole(name, count, 0, MAX_ID - start)
        images, labels = draw_faces(count, size=size, seed=seed, start=start, difficulty=difficulty)
        ids = np.arange(start, start + count, dtype=np.int64)
        splits[name] = Samples(
            images=images,
            ids=ids,
            given=labels,
            clean=labels.copy(),
            values=drawn_affect(count, seed=seed, start=start, difficulty=difficulty),
        )
        start += count
    return Dataset(
        class_names=EXPRESSIONS,
        splits=splits,
        source=f"drawn faces, seed {seed}, {size} px, difficulty {difficulty:g}",
        notes={"seed": seed, "size": size, "difficulty": difficulty},
    )


def _draw_chunk(
    ids: npt.NDArray[np.int64], size: int, seed: int, difficulty: float
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    draws = Draws(seed, ids)
    labels = draws.label()
    tones = render(
        size,
        geometry.draw_pose(draws, difficulty),
        geometry.draw_head(draws),
        geometry.draw_actions(draws, labels, difficulty),
        geometry.draw_light(draws, difficulty),
        geometry.draw_covers(draws, difficulty),
        _sensor_noise(ids, size, seed),
    )
    return (np.clip(tones, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8), labels


def _sensor_noise(ids: npt.NDArray[np.int64], size: int, seed: int) -> geometry.Array:
    """Independent noise of unit variance, (n, size, size): a sum of two uniforms a pixel."""
    stream = 2**40 + np.arange(size * size, dtype=np.int64)
    first = uniform(seed, ids[:, None], stream)
    # The low digits of the same number serve as the second one.
    second = first * 2.0**20 % 1.0
    noise = (first + second - 1.0) * math.sqrt(6.0)
    grid: geometry.Array = noise.astype(np.float32).reshape(len(ids), size, size)
    return grid
