"""This module words the next step in a message: a name probably meant, or a command to type.

Every "did you mean" and every command that holds a name of the user's is made here, so that all of
them read alike and a path with blanks can be copied into a shell as it stands.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

__all__ = ["command_line", "did_you_mean", "meant", "nearest"]


def nearest(name: str, known: Iterable[str], *, most: int = 1, alike: float = 0.5) -> list[str]:
    """The known names most like `name`, the nearest first, `most` of them at the most.

    `alike` is how much two names must have in common, from 0 (nothing) to 1 (all), as difflib's
    `SequenceMatcher.ratio` counts it.

    >>> nearest("quikstart", ["quickstart", "ferplus-clean"])
    ['quickstart']
    """
    return get_close_matches(name, list(known), n=most, cutoff=alike)


def did_you_mean(name: str, known: Iterable[str], *, most: int = 1, alike: float = 0.5) -> str:
    """The question after what was probably meant; empty where no known name is near.

    >>> did_you_mean("scm", ["scn", "rul", "eac"])
    'did you mean scn?'
    >>> did_you_mean("something else", ["scn", "rul", "eac"])
    ''
    """
    return meant(*nearest(name, known, most=most, alike=alike))


def meant(*names: object) -> str:
    """The question whether one of `names` was meant; empty without any.

    >>> meant("table1", "table2")
    'did you mean table1 or table2?'
    """
    return f"did you mean {' or '.join(map(str, names))}?" if names else ""


def command_line(*words: object) -> str:
    """A command to copy into a shell: each word is quoted where the shell would take it apart.

    A `Path` that begins with a dash is written so that it is not taken for an option.

    >>> command_line("eactf", "data", "check", Path("my faces"))
    "eactf data check 'my faces'"
    >>> command_line("eactf", "predict", Path("-model.keras"), "FACE.png")
    'eactf predict ./-model.keras FACE.png'
    """
    return shlex.join(_word(word) for word in words)


def _word(word: object) -> str:
    text = str(word)
    return f"./{text}" if isinstance(word, Path) and text.startswith("-") else text
