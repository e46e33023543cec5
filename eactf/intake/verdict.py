"""The one list of findings that every way in tells, and the errors in it that stop them all.

Checking, packing, opening for training and the wizard look at the same things: what reading the
labels turned up, what the files are like, which of them are copies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from eactf.errors import DataError
from eactf.intake.checks import check
from eactf.intake.checks.images import MAX_BAD
from eactf.intake.findings import Finding, Severity
from eactf.intake.image_files import REASONS
from eactf.intake.listing import Listing
from eactf.intake.scan import scan
from eactf.suggestions import command_line
from eactf.wording import counted

__all__ = ["ONLY_FOR_TRAINING", "look_through", "refuse_errors"]

ONLY_FOR_TRAINING = frozenset(
    {"class-folder-missing", "class-without-training-images", "one-class"}
)
"""Errors in data to train on that are none in data to judge by."""

_BAD_IMAGES = frozenset(reason.replace(" ", "-") for reason in REASONS)
_SHOWN = 3


def look_through(
    listing: Listing,
    *,
    max_bad: float = MAX_BAD,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Finding, ...]:
    """All findings of a listing, errors first; every image is decoded for it.

    More images that cannot be used than the share `max_bad` are an error. `progress` is as in
    `scan`.
    """
    return check(listing, scan(listing, progress=progress), max_bad=max_bad)


def refuse_errors(
    findings: Sequence[Finding], source: Path, *, accept: Collection[str] = ()
) -> None:
    """Raise `DataError` with all errors among `findings` whose code is not in `accept`.

    Too many bad images are left to whoever packs, who lists them in a file.
    """
    passed = {*accept, *_BAD_IMAGES}
    errors = [f for f in findings if f.severity is Severity.ERROR and f.code not in passed]
    if not errors:
        return
    lines = [f"{source} has {counted(len(errors), 'error')}:"]
    for number, error in enumerate(errors, start=1):
        lines += [f"  {number}. {error.code}: {error.what}"]
        lines += [f"       {name}" for name in error.files[:_SHOWN]]
        if len(error.files) > _SHOWN:
            lines.append(f"       and {len(error.files) - _SHOWN:,} more")
        lines.append(f"     fix: {error.fix}")
    accepted = " ".join(f"--accept {error.code}" for error in errors)
    check_command = command_line("eactf", "data", "check", source, "--all")
    raise DataError(
        "\n".join(lines),
        hint=f"every file by name: {check_command}\n"
        f"  to use the data as it is all the same: eactf data pack, with {accepted}",
    )
