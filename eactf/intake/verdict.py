"""`look_through` makes the one list of findings that every command tells and whose errors stop it.

Checking, packing, opening for training and the wizard look at the same things: what reading the
labels turned up, what the files are like, which of them are copies.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from eactf.errors import DataError
from eactf.intake.advice import pack_command
from eactf.intake.bad_images import REASONS
from eactf.intake.checks import check
from eactf.intake.checks.images import MAX_BAD
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import Listing
from eactf.intake.scan import scan
from eactf.intake.sources.options import SourceOptions
from eactf.suggestions import command_line
from eactf.wording import counted

__all__ = ["acceptable", "look_through", "refuse_errors", "without_training"]

_ABOUT_TRAINING = frozenset(
    {
        "class-folder-missing",
        "class-without-training-images",
        "imbalance",
        "no-test-split",
        "no-training-split",
        "no-validation-split",
        "one-class",
        "tiny-class",
    }
)
"""Findings that mean nothing to somebody who only judges by the data; some stop training."""

_NEVER_ACCEPTED = frozenset({"one-class"})
"""Errors that no training can do with, whatever the user says."""

_BAD_IMAGES = frozenset(reason.replace(" ", "-") for reason in REASONS)
_SHOWN = 3


def acceptable(codes: Collection[str]) -> frozenset[str]:
    """Those of the codes of errors that a user may choose to go on with."""
    return frozenset(codes) - _NEVER_ACCEPTED


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


def without_training(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that matter where images are only judged by, not trained on."""
    return tuple(finding for finding in findings if finding.code not in _ABOUT_TRAINING)


def refuse_errors(
    findings: Sequence[Finding],
    source: Path,
    *,
    options: SourceOptions | None = None,
    accept: Collection[str] = (),
) -> None:
    """Raise `DataError` with all errors among `findings` whose code is not in `accept`.

    `options` say how the source was read, for the commands in the message. Too many bad images are
    left to whoever packs, who lists them in a file.
    """
    passed = {*accept, *_BAD_IMAGES}
    errors = [f for f in findings if f.severity is Severity.ERROR and f.code not in passed]
    if not errors:
        return
    flags = [] if options is None else options.flags()
    lines = [f"{source} has {counted(len(errors), 'error')}:"]
    for number, error in enumerate(errors, start=1):
        lines.append(f"  {number}. {error.code}: {error.what}")
        lines += [f"       {name}" for name in error.files[:_SHOWN]]
        if len(error.files) > _SHOWN:
            lines.append(f"       and {len(error.files) - _SHOWN:,} more")
    command = command_line("eactf", "data", "check", source, *flags, "--all")
    lines.append(f"  every file by name: {command}")
    raise DataError("\n".join(lines), hint=_next_step(errors, source, flags))


def _next_step(errors: Sequence[Finding], source: Path, flags: Sequence[str]) -> str:
    """What mends each of the errors, and how to go on without that, where one can."""
    several = len(errors) > 1
    steps = [f"{number}. {e.fix}" if several else e.fix for number, e in enumerate(errors, start=1)]
    codes = [error.code for error in errors]
    if not _NEVER_ACCEPTED.intersection(codes):
        accepted = [word for code in codes for word in ("--accept", code)]
        steps.append(f"to use it as it is all the same: {pack_command(source, *flags, *accepted)}")
    return "\n  ".join(steps)
