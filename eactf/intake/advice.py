"""This module adds to the hint of an error the `eactf data pack` command that does what it says.

What reads the user's data hints at options that may help, such as `--label NAME`. `eactf train` and
`evaluate` have no such options, because a recipe could not repeat them; there the hint goes on with
the command that packs the data with these options once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eactf.errors import EactfError
from eactf.suggestions import command_line

__all__ = ["hints_lead_to_packing", "pack_command", "packed_name", "packing_commands"]

_READING = "label|clean|path-column|split-column|votes|vote-rule|missing|root"
_READING_FLAGS = "merge-spellings"
_PACKING = "max-bad|size|channels"
_VALUE = r"(?: (?:'[^']*'|[^\s;,'-][^\s;]*))"


def packing_commands(text: str, path: Path, *, reads: bool = False) -> list[str]:
    """The commands that pack `path` with each of the options that `text` names, in their order.

    With `reads` the caller has the options of how data is read, and only those of packing count.

    >>> packing_commands("name it: --label NAME", Path("my faces.csv"))
    ["eactf data pack 'my faces.csv' -o 'my faces.h5' --label NAME"]
    """
    with_value = _PACKING if reads else f"{_READING}|{_PACKING}"
    pattern = rf"--(?:{with_value}){_VALUE}"
    if not reads:
        pattern += rf"|--(?:{_READING_FLAGS})\b"
    options = dict.fromkeys(found.rstrip(",.") for found in re.findall(pattern, text))
    return [f"{pack_command(path)} {option}" for option in options]


def pack_command(path: Path, *words: str) -> str:
    """The command that packs `path`, with `words` as further options, as a shell takes it."""
    return command_line("eactf", "data", "pack", path, "-o", packed_name(path), *words)


def packed_name(path: Path) -> str:
    """The file to pack into that is proposed for `path`: in the folder one is in.

    >>> packed_name(Path("data/faces.csv")), packed_name(Path("/"))
    ('faces.h5', 'data.h5')
    """
    return f"{path.resolve().stem or 'data'}.h5"


@contextmanager
def hints_lead_to_packing(path: Path, *, reads: bool = False) -> Iterator[None]:
    """Add to the hint of what is raised inside the commands that do what it says.

    `reads` is as in `packing_commands`.
    """
    try:
        yield
    except EactfError as error:
        commands = packing_commands(error.hint or "", path, reads=reads)
        if commands:
            then = f"these are options of packing; pack once, then give --data {packed_name(path)}:"
            error.hint = "\n  ".join([error.hint or "", then, *commands])
        raise
