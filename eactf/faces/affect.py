"""`drawn_affect` says how pleasant and how excited each drawn face is, by its own expression.

The rule is plain. Each expression has a place in the plane of valence and arousal (Russell, "A
circumplex model of affect", 1980), and a face is as far on the way there, from the neutral middle,
as its expression is strong. The strength is that by which the face is drawn, so that it shows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from eactf.faces.arguments import check_faces
from eactf.faces.geometry import EXPRESSIONS, Draws, draw_strength

__all__ = ["drawn_affect"]

# Valence and arousal of the expression in full, about as far out as the means that networks give
# to people's faces (`eactf.noise.machine_values`); the strongest face, 1.08, stays within 1.
_IN_FULL: Final = {
    "neutral": (0.0, 0.0),
    "happiness": (0.75, 0.25),
    "surprise": (0.05, 0.90),
    "sadness": (-0.80, -0.20),
    "anger": (-0.60, 0.90),
    "disgust": (-0.60, 0.55),
    "fear": (-0.25, 0.90),
}


def drawn_affect(
    count: int, *, seed: int = 0, start: int = 0, difficulty: float = 1.0
) -> dict[str, npt.NDArray[np.float32]]:
    """`valence` and `arousal`, `(count,)` float32 in [-1, 1], of the faces that `draw_faces` draws.

    The arguments are those of `draw_faces`, and equal ones mean the same faces. Raises `DataError`
    for one that is out of range.

    >>> {name: values.shape for name, values in drawn_affect(3, seed=7).items()}
    {'valence': (3,), 'arousal': (3,)}
    """
    check_faces(count, seed, start, difficulty)
    draws = Draws(seed, np.arange(start, start + count, dtype=np.int64))
    places = np.array([_IN_FULL[name] for name in EXPRESSIONS], np.float32)
    strength = draw_strength(draws, difficulty)[:, 0, 0].astype(np.float32)
    labels = draws.label()
    valence, arousal = (axis[labels] * strength for axis in places.T)
    return {"valence": valence, "arousal": arousal}
