"""Counts and lists in words."""

from __future__ import annotations

import pytest

from eactf.wording import counted, enumerated


@pytest.mark.parametrize(
    "count, words", [(0, "0 epochs"), (1, "1 epoch"), (2, "2 epochs"), (1_234, "1,234 epochs")]
)
def test_one_thing_alone_is_no_plural(count, words):
    assert counted(count, "epoch") == words


def test_a_plural_that_is_no_s_can_be_given():
    assert counted(3, "class", "classes") == "3 classes"
    assert counted(1, "class", "classes") == "1 class"


def test_a_list_is_whole_up_to_its_most():
    assert enumerated(["a", "b", "c"], most=3) == "a, b, c"
    assert enumerated(["a", "b", "c", "d"], most=3) == "a, b, c and 1 more"
    assert enumerated([]) == ""
