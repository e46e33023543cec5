"""This module lists the images that could not be used, in a file beside the packed one."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from eactf.errors import DataError, UsageError
from eactf.files import write_bytes
from eactf.intake.scan import BadRow

__all__ = [
    "TooManyBad",
    "check_quarantine",
    "count_reasons",
    "quarantine_path",
    "refuse_too_many",
    "write_quarantine",
]

_HEADER = ("name", "reason", "detail")
_SHOWN = 10


class TooManyBad(DataError):  # noqa: N818 - a verdict on the user's files
    """More images cannot be used than the user allows."""


def quarantine_path(out: Path) -> Path:
    """`faces.quarantine.csv` for `faces.h5`."""
    return out.with_name(f"{out.stem}.quarantine.csv")


def check_quarantine(path: Path, overwrite: bool) -> None:
    """Raise `UsageError` where something else than an earlier such list stands at `path`."""
    if not path.exists() or overwrite or is_quarantine(path):
        return
    raise UsageError(
        f"{path}, where images that cannot be used would be listed, exists already",
        hint="choose another name for the output or pass --overwrite",
    )


def is_quarantine(path: Path) -> bool:
    """Whether the file begins as these lists do."""
    expected = (",".join(_HEADER) + "\n").encode()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(expected)) == expected


def write_quarantine(path: Path, bad: Sequence[BadRow]) -> Path | None:
    """Write the list, whole or not at all; where there is nothing to list an earlier one goes."""
    if not bad:
        if is_quarantine(path):
            path.unlink()
        return None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows((row.name, row.reason, row.detail) for row in bad)
    # A file name need not be text in UTF-8; what is not is spelled out.
    write_bytes(path, text.getvalue().encode(errors="backslashreplace"))
    return path


def count_reasons(bad: Sequence[BadRow]) -> dict[str, int]:
    """How many images each reason kept out, the most frequent first."""
    return dict(Counter(row.reason for row in bad).most_common())


def refuse_too_many(bad: Sequence[BadRow], labelled: int, max_bad: float, hint: str) -> None:
    """Raise `TooManyBad`, naming the first, where `bad` are more than the share allowed, or all."""
    if len(bad) / labelled <= max_bad and len(bad) < labelled:
        return
    shown = [f"  {row.name}: {_why(row)}" for row in bad[:_SHOWN]]
    if len(bad) > _SHOWN:
        shown.append(f"  and {len(bad) - _SHOWN:,} more")
    what = f"{len(bad):,} of {labelled:,} images cannot be used ({len(bad) / labelled:.2%})"
    allowed = f", more than the {max_bad:.2%} that are allowed" if len(bad) < labelled else ""
    raise TooManyBad("\n".join([f"{what}{allowed}:", *shown]), hint=hint)


def _why(row: BadRow) -> str:
    return f"{row.reason} ({row.detail})" if row.detail else row.reason
