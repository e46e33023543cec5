"""A constructor's annotations are what its arguments are held against."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt

from eactf.methods.arguments import check_arguments
from eactf.only import Only


class Taking:
    def __init__(
        self,
        anything: object = None,
        *,
        share: Annotated[float, Ge(0), Lt(1)] = 0.0,
        rate: Annotated[float | None, Gt(0)] = None,
        most: Annotated[float, Le(2)] = 1.0,
        count: Annotated[int, Ge(1)] = 1,
        way: Literal["left", "right", "up"] = "left",
        depth: Annotated[float | None, Only("way", "up")] = None,
    ) -> None: ...


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"share": 0, "rate": np.float32(0.5), "count": np.int64(3), "most": -5},
        {"rate": None, "way": "right", "depth": None, "anything": "at all"},
        {"way": "up", "depth": 1.0},
        {"not_an_argument": 5},
    ],
)
def test_what_the_annotations_accept_passes(values):
    check_arguments(Taking, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"share": 1.0}, "share must be in [0, 1); received 1.0"),
        ({"share": float("nan")}, "share must be in [0, 1); received nan"),
        ({"share": None}, "share must be in [0, 1); received None"),
        ({"share": "0.5"}, "share must be in [0, 1); received '0.5'"),
        ({"rate": 0}, "rate must be > 0; received 0"),
        ({"most": 3}, "most must be at most 2; received 3"),
        ({"count": 1.5}, "count must be a whole number >= 1; received 1.5"),
        ({"way": "down"}, "way must be 'left', 'right' or 'up'; received 'down'"),
        (
            {"way": "left", "depth": 1.0},
            "depth has no effect with way='left': leave it out, or set way=up; received 1.0",
        ),
    ],
)
def test_what_they_do_not_accept_is_refused_by_name(values, message):
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        check_arguments(Taking, values)
