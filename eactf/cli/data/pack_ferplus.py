"""`eactf data pack ferplus` packs FERPlus from its two published CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError
from eactf.progress import counting
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.intake.readers.ferplus import PackReport

__all__ = ["ferplus"]


@click.command()
@click.argument("folder", required=False, type=FILE_PATH)
@click.option("--images", type=FILE_PATH, help="Kaggle's fer2013.csv; else that of FOLDER.")
@click.option("--votes", type=FILE_PATH, help="Microsoft's fer2013new.csv; else that of FOLDER.")
@click.option("-o", "--output", required=True, type=FILE_PATH, help="The packed file to write.")
@click.option(
    "--vote-rule",
    type=click.Choice(["argmax", "majority", "soft"]),
    default="argmax",
    show_default=True,
    help="argmax: the most voted emotion; majority: more than half of all votes; soft: as argmax,"
    " with the votes' shares as target.",
)
@click.option(
    "--classes",
    type=click.Choice(["8", "7"]),
    default="8",
    show_default=True,
    help="7 leaves out contempt.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@json_option
def ferplus(
    folder: Path | None,
    images: Path | None,
    votes: Path | None,
    output: Path,
    vote_rule: str,
    classes: str,
    overwrite: bool,
) -> None:
    """Pack FERPlus from the two published CSV files, which may lie in FOLDER.

    FER2013 with its own labels, without the votes, is eactf data pack fer2013.

    \b
    eactf data pack ferplus --images fer2013.csv --votes fer2013new.csv -o ferplus.h5
    """
    from eactf.intake.readers.ferplus import pack_ferplus  # NumPy and h5py only where needed

    with counting("packing") as progress:
        report = pack_ferplus(
            _file(images, folder, "fer2013.csv", "--images"),
            _file(votes, folder, "fer2013new.csv", "--votes"),
            output,
            rule=vote_rule,
            classes=int(classes),
            overwrite=overwrite,
            progress=progress,
        )
    console.emit("packed", **report.as_dict())
    _show(report)


def _file(named: Path | None, folder: Path | None, name: str, flag: str) -> Path:
    """The file that is named, else the one in the folder."""
    if named is not None:
        return named
    if folder is None:
        raise UsageError(
            f"{flag} is missing: which file is FERPlus's {name}?",
            hint="give --images fer2013.csv --votes fer2013new.csv, or the folder that has both;"
            " FER2013 without the votes: eactf data pack fer2013 FILE -o fer2013.h5",
        )
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is no folder: expected the one that has fer2013.csv and fer2013new.csv",
            hint="FER2013 without the votes: eactf data pack fer2013 FILE -o fer2013.h5",
        )
    return folder / name


def _show(report: PackReport) -> None:
    console.say(
        f"packed {report.kept:,} of {counted(report.rows, 'image')} into {report.path}",
        markup=False,
    )
    console.say(f"vote rule: {report.rule}, {counted(len(report.class_names), 'class', 'classes')}")
    splits = {name: split for name, split in report.splits.items() if split.rows}
    reasons = sorted({reason for split in splits.values() for reason in split.dropped})
    lines = {
        "rows": [split.rows for split in splits.values()],
        "kept": [split.kept for split in splits.values()],
        **{f"dropped: {r}": [s.dropped.get(r, 0) for s in splits.values()] for r in reasons},
        "kept, tie": [split.ties for split in splits.values()],
    }
    console.say()
    console.table(["", *splits], [[name, *map("{:,}".format, row)] for name, row in lines.items()])
    console.say()
    console.table(
        ["class", *splits],
        [
            [name, *(f"{split.classes[name]:,}" for split in splits.values())]
            for name in report.class_names
        ],
    )
    console.say()
    for name, split in splits.items():
        if split.kept:
            share = f"{100 * split.agree / split.kept:.1f} %"
            console.say(f"{name}: FER2013's own label is the consensus for {share} of the kept")
    console.say()
    recipe = ("--recipe", "ferplus-noise20")
    command = command_line("eactf", "train", *recipe, "--data", Path(report.path))
    console.say(f"next: {command}", markup=False)
