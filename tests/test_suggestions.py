"""Suggested names are the nearest ones; a shell takes suggested commands as they were meant."""

from __future__ import annotations

import ast
import shlex
import subprocess
from pathlib import Path

import pytest

from eactf.suggestions import command_line, did_you_mean, nearest

PACKAGE = Path(__file__).resolve().parents[1] / "eactf"


def test_the_nearest_names_come_first_and_no_more_than_asked_for():
    known = {"table1": 1, "table2": 2, "figure3-area": 3}
    assert nearest("tabel2", known) == ["table2"]
    assert nearest("tabel2", known, most=3) == ["table2", "table1"]
    assert did_you_mean("tabel2", known, most=3) == "did you mean table2 or table1?"


def test_where_nothing_is_near_nothing_is_asked():
    assert did_you_mean("xyz", ["quickstart"]) == ""
    assert did_you_mean("xyz", []) == ""


@pytest.mark.parametrize(
    "word",
    [
        "plain",
        "two words",
        "it's",
        'a"b',
        "$HOME",
        "a;b",
        "tab\there",
        "new\nline",
        "*",
        "~",
        "ä b",
    ],
)
def test_a_shell_takes_every_word_as_it_stands(word):
    command = command_line("printf", "%s", word, Path(word))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == word + word
    assert shlex.split(command)[2:] == [word, word]


def test_a_path_that_looks_like_an_option_is_written_so_that_it_is_none():
    assert command_line("eactf", "evaluate", Path("-run")) == "eactf evaluate ./-run"
    assert command_line("eactf", "train", "--recipe", "mine") == "eactf train --recipe mine"


def test_names_are_compared_and_commands_quoted_in_one_place_alone():
    for path in PACKAGE.rglob("*.py"):
        if path.name == "suggestions.py":
            continue
        text = path.read_text(encoding="utf-8")
        named = {
            alias.name if isinstance(node, ast.Import) else node.module
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert "difflib" not in named, path
        assert "shlex.quote" not in text and "shlex.join" not in text, path
        assert "did you mean {" not in text, path
