"""What is printed never commands the terminal, and never fails for want of a letter."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from eactf import console
from eactf.errors import DataError

HOSTILE = "a\x1b[31mred\x07\x9b[b].png"
SHOWN = r"a\x1b[31mred\x07\x9b[b].png"


@pytest.mark.parametrize(
    "tell",
    [
        lambda: console.say(HOSTILE, markup=False),
        lambda: console.table(["file"], [[HOSTILE]]),
        lambda: console.warn(HOSTILE),
        lambda: console.error(DataError(HOSTILE)),
    ],
)
def test_control_characters_are_spelled_out(tell, capsys):
    tell()
    told = "".join(capsys.readouterr())
    assert SHOWN in told
    assert not {"\x1b", "\x07", "\x9b"} & set(told)


def test_letters_that_the_encoding_lacks_are_spelled_out(tmp_path):
    for place in ("sad\U0001f622", "happy"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "1.png").write_bytes(b"")
    done = subprocess.run(
        [sys.executable, "-m", "eactf", "data", "check", str(tmp_path)],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert r"sad\U0001f622" in done.stdout
