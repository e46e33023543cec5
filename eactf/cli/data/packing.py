"""The commands that pack share the options, the progress bar and the summary in this module."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.progress import counting
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.intake.listing import Listing
    from eactf.intake.packing import PackReport

__all__ = ["output_options", "pack_listing"]


class _Size(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.4
    name = "N|HxW"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,4})(?:[xX](\d{1,4}))?", str(value).strip())
        if found is None:
            self.fail(f"{value!r}: expected pixels, such as 48, or 64x48 for height x width")
        height = int(found[1])
        return height, int(found[2] or height)


_OUTPUT = (
    click.option("-o", "--output", required=True, type=FILE_PATH, help="The packed file to write."),
    click.option(
        "--size",
        type=_Size(),
        help="Resize to this side, or height x width; else as the images are, or a square of their"
        " median short side.",
    ),
    click.option(
        "--channels",
        type=click.Choice(["1", "3"]),
        help="1 grey, 3 colour; else 1 where every image is grey.",
    ),
    click.option(
        "--max-bad",
        type=float,
        default=0.01,
        show_default=True,
        help="Share of the images that may turn out unreadable and be left out.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace the output if it exists."),
    json_option,
)


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--output`, `--size`, `--channels`, `--max-bad`, `--overwrite` and `--json`."""
    for option in reversed(_OUTPUT):
        command = option(command)
    return command


def pack_listing(
    listing: Listing,
    *,
    output: Path,
    size: tuple[int, int] | None,
    channels: str | None,
    max_bad: float,
    overwrite: bool,
) -> None:
    """Pack a listing with a bar on the terminal, and say what came of it.

    The errors and warnings among the listing's findings are said too, each with what mends it.
    """
    from eactf.intake.packing import pack as pack_images
    from eactf.intake.two_classes import refuse_one_class

    refuse_one_class(listing)
    with counting("packing") as progress:
        report = pack_images(
            listing,
            output,
            size=size,
            channels=int(channels) if channels else None,
            max_bad=max_bad,
            overwrite=overwrite,
            progress=progress,
        )
    faults = [
        f"{finding.what}; {finding.fix}"
        for finding in listing.findings
        if finding.severity != "note"
    ]
    console.emit("packed", **report.as_dict(), faults=faults)
    _show(report, faults)


def _show(report: PackReport, faults: list[str]) -> None:
    height, width, channels = report.image_shape
    console.say(f"packed {counted(report.images, 'image')} into {report.path}", markup=False)
    console.say(f"  size      {height} x {width}: {report.why_size}", markup=False)
    console.say(f"  channels  {channels}: {report.why_channels}", markup=False)
    if report.resized:
        console.say(f"  resized   {counted(report.resized, 'image')} had another size")
    console.say()
    console.table(
        ["class", *report.splits],
        [
            *(
                [name, *(f"{classes[name]:,}" for classes in report.splits.values())]
                for name in report.class_names
            ),
            ["all", *(f"{sum(classes.values()):,}" for classes in report.splits.values())],
        ],
    )
    _show_left_out(report)
    for remark in (*faults, *report.remarks):
        console.warn(remark)
    console.say(f"\nnext: {command_line('eactf', 'wizard', Path(report.path))}", markup=False)


def _show_left_out(report: PackReport) -> None:
    left_out = dict(report.reasons)
    if report.unlabelled:
        left_out["no label, or one that is not known"] = report.unlabelled
    if left_out:
        console.say()
        rows = [[reason, f"{count:,}"] for reason, count in left_out.items()]
        console.table(["left out", "images"], rows)
    if report.quarantine:
        console.say(f"which, and why: {report.quarantine}", markup=False)
