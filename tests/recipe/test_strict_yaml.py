"""YAML 1.2 meanings, and writing values so that they read back."""

from __future__ import annotations

import math
import random

import pytest

from eactf.recipe.strict_yaml import parse, plain_scalar, write_scalar

MEANINGS = {
    "1e-4": 1e-4,
    "1E4": 1e4,
    "2": 2,
    "+2": 2,
    "012": 12,
    "0o17": 15,
    "0xff": 255,
    ".5": 0.5,
    "5.": 5.0,
    "-.inf": -math.inf,
    "true": True,
    "FALSE": False,
    "null": None,
    "~": None,
    "": None,
    "no": "no",
    "yes": "yes",
    "on": "on",
    "y": "y",
    "2020-01-01": "2020-01-01",
    "12:30": "12:30",
    "1_000": "1_000",
    "0b11": "0b11",
    "=": "=",
    "1e": "1e",
    "٣": "٣",
}


@pytest.mark.parametrize(("text", "value"), MEANINGS.items())
def test_a_plain_value_means_what_yaml_1_2_says(text: str, value: object) -> None:
    read = parse(f"a: {text}", "x").value["a"]
    assert read == value
    assert type(read) is type(value)


def test_quoted_and_block_values_are_text() -> None:
    read = parse("a: '1'\nb: \"true\"\nc: |\n  2\n", "x").value
    assert read == {"a": "1", "b": "true", "c": "2\n"}


def test_lines_are_those_of_the_keys() -> None:
    document = parse("# head\na:\n  b: 1\n\n  c:\n    - 2\n", "x")
    assert document.lines == {("a",): 2, ("a", "b"): 3, ("a", "c"): 5}


def test_a_number_of_endless_digits_stays_text() -> None:
    assert plain_scalar("9" * 5000) == "9" * 5000


LETTERS = "ab:-[]{},&*!|>'\"%@#?\n\t 1.~<\\\x00\x85\u2028\ud800é😀"


def random_text(draw: random.Random, longest: int) -> str:
    return "".join(draw.choices(LETTERS, k=draw.randint(0, longest)))


def random_value(draw: random.Random, depth: int = 3) -> object:
    kind = draw.randrange(6 if depth else 5)
    if kind == 5:
        return [random_value(draw, depth - 1) for _ in range(draw.randint(0, 3))]
    number = draw.uniform(-1, 1) * 10.0 ** draw.randint(-300, 300)
    text = draw.choice([random_text(draw, 12), *MEANINGS])
    return [None, draw.random() < 0.5, draw.randint(-(10**20), 10**20), number, text][kind]


def test_every_value_reads_back_as_it_was_written() -> None:
    draw = random.Random(0)
    for _ in range(300):
        value = random_value(draw)
        document = parse(f"a: {write_scalar(value)}  # note", "x")
        assert document.problems == []
        assert document.value == {"a": value}


def test_no_text_makes_the_reader_raise() -> None:
    draw = random.Random(0)
    for _ in range(1000):
        document = parse(random_text(draw, 30), "x")
        assert document.problems == [] or document.problems[0].where.startswith("x")
