"""Twelve small images with labels of every kind, packed."""

from __future__ import annotations

import numpy as np

from eactf.packed import PackedWriter

__all__ = ["CLASSES", "GIVEN", "NAMES", "pack_faces"]

CLASSES = ("anger", "<b>joy</b>", "fear")
GIVEN = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
NAMES = [f"faces/{number:02d} <i>&.png" for number in range(12)]


def pack_faces(path, *, targets=False):
    """Two splits of eight and four images; each has a pixel that says which it is."""
    images = np.zeros((12, 6, 6, 1), np.uint8)
    images[np.arange(12), 0, 0, 0] = 20 * np.arange(12)
    with PackedWriter(
        path,
        counts={"train": 8, "test": 4},
        image_shape=(6, 6, 1),
        class_names=CLASSES,
        source="twelve faces",
        label_sets=("rater",),
        values=("valence",),
        has_clean=True,
        has_targets=targets,
        has_names=True,
        columns={"city": 8},
    ) as writer:
        for split, rows in (("train", np.arange(8)), ("test", np.arange(8, 12))):
            writer.append(
                images[rows],
                100 + rows,
                GIVEN[rows],
                split,
                clean=(GIVEN[rows] + (rows == 4)) % 3,
                labels={"rater": (GIVEN[rows] + 1) % 3},
                values={"valence": rows / 12.0},
                targets=0.7 * np.eye(3)[GIVEN[rows]] + 0.1 if targets else None,
                names=np.array(NAMES)[rows],
                columns={"city": np.array([f"no {row}" for row in rows])},
            )
    return path
