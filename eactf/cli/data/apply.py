"""`eactf data apply` makes new data of what was decided on its labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.data.source_options import source_options
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError
from eactf.progress import counting
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.intake.listing import Listing
    from eactf.intake.sources import SourceOptions
    from eactf.review.applying import Applied

__all__ = ["apply"]


@click.command()
@click.argument("decisions", type=FILE_PATH)
@click.option("--data", type=FILE_PATH, help="The data that was judged; by default the audit's.")
@click.option("-o", "--output", type=FILE_PATH, help="The new packed file; by default reviewed.h5.")
@source_options
@json_option
def apply(decisions: Path, data: Path | None, output: Path | None, options: SourceOptions) -> None:
    """Make new data of DECISIONS, a CSV file: labels kept, changed, samples dropped.

    The data itself stays as it is. Every change is listed beside the new file, and
    'eactf data undo' takes all of them back.

    \b
    eactf data apply runs/quickstart/audit/decisions.csv -o mended.h5
    eactf data apply decisions.csv --data faces.h5
    eactf data apply decisions.csv --data faces/ -o reviewed.csv
    """
    from eactf.review.applying import apply_decisions
    from eactf.review.decisions import read_decisions
    from eactf.review.reviewed import Beside, write_reviewed
    from eactf.review.reviewed_manifest import write_manifest

    out = output or Path("reviewed.h5")
    original, label_set = _original(decisions, data, options)
    made = read_decisions(decisions, original.class_names)
    applied = apply_decisions(original, made, label_set)
    if not applied.changes:
        console.say("nothing is to be changed: no file was made")
        return
    if out.suffix.lower() == ".csv" and label_set is not None:
        raise UsageError(
            f"the labels judged are the set {label_set}, which a manifest has no place for",
            hint="write a packed file: -o reviewed.h5",
        )
    if out.suffix.lower() == ".csv":
        write_manifest(original, applied, out)
        changes = out
    else:
        with counting("packing") as progress:
            write_reviewed(original, applied, out, progress=progress)
        changes = Beside.of(out).changes
    _show(applied, out, changes)


def _show(applied: Applied, out: Path, changes: Path) -> None:
    dropped = int(applied.dropped.sum())
    console.emit(
        "applied",
        output=str(out),
        changes=str(changes),
        relabelled=applied.relabelled,
        dropped=dropped,
        kept=applied.kept,
    )
    labels = counted(applied.relabelled, "label was changed", "labels were changed")
    gone = counted(dropped, "image was dropped", "images were dropped")
    console.say(f"{labels}, {gone}, {applied.kept:,} kept as given")
    console.say(f"wrote {out}; every change is in {changes}", markup=False)
    console.say("next:")
    console.say(f"  {command_line('eactf', 'wizard', out)}", markup=False)
    undo = command_line("eactf", "data", "undo", out, "-o", f"as-before{out.suffix}")
    console.say(f"to take it back: {undo}", markup=False)


def _original(
    decisions: Path, data: Path | None, options: SourceOptions
) -> tuple[Listing, str | None]:
    """The data that was judged, and which label set of it where that is not the given one.

    It is what is named, else that of the audit beside the decisions.
    """
    from eactf.intake.sources import open_source
    from eactf.review.audited import AuditFolder, audited_listing

    if data is not None:
        return open_source(data, options), None
    options.refuse("the data of an audit")
    folder = AuditFolder(decisions.absolute().parent)
    if not folder.exists:
        raise UsageError(
            f"{decisions} does not lie with an audit, so that its data is not known",
            hint="name it: --data FILE.h5",
        )
    audited = folder.read()
    return audited_listing(audited), audited.label_set
