"""`machine_law` is how a network that learned elsewhere mislabels facial expressions.

The figures count RAF-DB's 12,271 training labels against what a network trained on AffectNet said
of the same faces, from `noisy_labels/list_label_AffectnetModel.txt` of noisyFER (Zhang, Huang,
Paudel and Van Gool, "Facial Emotion Recognition with Noisy Multi-task Annotations", WACV 2021;
github.com/sanweiliti/noisyFER). 22.7 % differ: of disgust 69 %, most often taken for anger, of
happiness 10 %, where symmetric noise treats all classes alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.noise.expressions import BASIC_EXPRESSIONS, basic_expression
from eactf.wording import enumerated

__all__ = ["MACHINE_COUNTS", "machine_law", "machine_notices"]

MACHINE_COUNTS = (
    (2046, 82, 177, 65, 22, 16, 116),
    (262, 4316, 59, 64, 22, 21, 28),
    (315, 57, 1416, 11, 46, 42, 95),
    (116, 25, 26, 838, 249, 5, 31),
    (14, 35, 24, 36, 137, 7, 28),
    (121, 43, 89, 5, 27, 222, 210),
    (27, 31, 25, 12, 27, 71, 512),
)
"""Labels by person (row) and machine (column), both in the order of `BASIC_EXPRESSIONS`."""

_OWN_LAW = (
    "give a law of your own, rows of probabilities in the order of the data's classes:"
    " --set noise.kind=matrix --set noise.path=law.json"
)


def machine_law(class_names: Sequence[str], strength: float = 1.0) -> np.ndarray:
    """Row-stochastic `(classes, classes)` float64: how often class i is labelled as each class.

    It is `(1 - s) I + s A`: `strength` s in [0, 1] tempers the published law A, which has 22.7 % of
    RAF-DB's labels wrong. Classes are known by name, in any order, see `basic_expression`. A class
    that is none of the seven keeps its labels and takes none. Where some of the seven are not
    among `class_names`, A is the law given that the machine names one that is.

    Raises `UsageError` for a strength out of range; `DataError` where fewer than two, or fewer than
    half, of the classes are basic expressions, or two are the same one.

    >>> machine_law(["disgust", "anger", "contempt"]).round(3)
    array([[0.514, 0.486, 0.   ],
           [0.122, 0.878, 0.   ],
           [0.   , 0.   , 1.   ]])
    """
    if not 0 <= strength <= 1:
        raise UsageError(
            f"noise strength {strength:g}: expected 0 <= strength <= 1",
            hint="1 is the published law, 22.7 % wrong on RAF-DB; 0.5 half of that",
        )
    known = _known(class_names)
    shares = np.array(MACHINE_COUNTS, np.float64)[np.ix_(list(known), list(known))]
    identity = np.eye(len(class_names))
    law = identity.copy()
    law[np.ix_(list(known.values()), list(known.values()))] = shares / shares.sum(1, keepdims=True)
    return np.asarray((1 - strength) * identity + strength * law)


def machine_notices(class_names: Sequence[str]) -> tuple[str, ...]:
    """What to tell where the classes are not just the seven; `DataError` as `machine_law`."""
    known = _known(class_names)
    others = [name for name in class_names if basic_expression(name) is None]
    missing = [name for row, name in enumerate(BASIC_EXPRESSIONS) if row not in known]
    notices = []
    if others:
        kept = f"{enumerated(others)}, whose labels stay as given"
        notices.append(f"machine noise has no figures for {kept}")
    if missing:
        notices.append(
            f"machine noise: the data has no {enumerated(missing)}; labels that would become so"
            " are spread over its other classes as the rest of their row is"
        )
    return tuple(notices)


def _known(class_names: Sequence[str]) -> dict[int, int]:
    """Row of the figures to place in `class_names`, of those that are basic expressions."""
    known: dict[int, int] = {}
    for place, expression in enumerate(map(basic_expression, class_names)):
        if expression is None:
            continue
        row = BASIC_EXPRESSIONS.index(expression)
        if row in known:
            raise _twice(class_names[known[row]], class_names[place], expression)
        known[row] = place
    if len(known) < max(2, len(class_names) / 2):
        raise _other_classes(class_names)
    return known


def _twice(one: str, other: str, expression: str) -> DataError:
    return DataError(
        f"noise of kind 'machine': the classes {one!r} and {other!r} both mean {expression}",
        hint=f"make one class of them; or {_OWN_LAW}",
    )


def _other_classes(class_names: Sequence[str]) -> DataError:
    return DataError(
        "noise of kind 'machine' is known for facial expressions only: expected classes named"
        f" {', '.join(BASIC_EXPRESSIONS)}; received {enumerated(class_names)}",
        hint=_OWN_LAW,
    )
