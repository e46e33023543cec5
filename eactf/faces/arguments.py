"""These checks refuse what no face can be drawn of, before any is drawn."""

from __future__ import annotations

from typing import cast

import numpy as np

from eactf.errors import DataError
from eactf.packed.records import MAX_ID

__all__ = ["check_faces", "check_whole"]


def check_faces(count: int, seed: int, start: int, difficulty: float) -> None:
    """Raise `DataError` where these do not name `count` faces from index `start` on."""
    check_whole("count", count, 0, MAX_ID)
    check_whole("start", start, 0, MAX_ID - count)
    check_whole("seed", seed, -(2**63), 2**64 - 1)
    if not 0.0 <= difficulty <= 2.0:
        raise _out_of_range("difficulty", difficulty, "0 <= difficulty <= 2")


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Raise `DataError` where `value` is no whole number from `low` to `high`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not low <= int(cast(int, value)) <= high:
        raise _out_of_range(name, value, f"a whole number, {low} <= {name} <= {high}")


def _out_of_range(name: str, value: object, expected: str) -> DataError:
    return DataError(
        f"drawn faces: {name} = {value!r} is out of range", hint=f"expected {expected}"
    )
