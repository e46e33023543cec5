"""`eactf data undo` takes the changes of a review back."""

from __future__ import annotations

from pathlib import Path

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.progress import counting

__all__ = ["undo"]


@click.command()
@click.argument("reviewed", type=FILE_PATH)
@click.option("-o", "--output", type=FILE_PATH, required=True, help="The file to write.")
@json_option
def undo(reviewed: Path, output: Path) -> None:
    """Make again the data that REVIEWED was made of by 'eactf data apply'.

    Labels and dropped images come back from the files that lie beside it, those of a manifest from
    its own columns.

    \b
    eactf data undo reviewed.h5 -o as-before.h5
    """
    from eactf.review.reviewed_manifest import undo_manifest
    from eactf.review.undoing import undo as make_again

    if reviewed.suffix.lower() == ".csv" and reviewed.is_file():
        images = undo_manifest(reviewed, output)
    else:
        with counting("packing") as progress:
            report = make_again(reviewed, output, progress=progress)
        images = sum(sum(counts.values()) for counts in report.splits.values())
    console.emit("undone", output=str(output), images=images)
    console.say(f"wrote {output}: {images:,} images with the labels from before", markup=False)
