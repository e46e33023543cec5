"""The commands that pack share the options, the progress bar and the summary in this module."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.progress import counting
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.intake.findings import Finding
    from eactf.intake.listing import Listing
    from eactf.intake.packing import PackReport
    from eactf.intake.sources import SourceOptions

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
    options: SourceOptions | None = None,
    accept: tuple[str, ...] = (),
) -> None:
    """Pack a listing with a bar on the terminal, and say what was found and what came of it.

    `options` are those that the listing was read with, None for a published data set: of that the
    images are not looked at, and what its reader found is told. Of other data the errors among the
    findings stop the packing, those whose codes are in `accept` aside.
    """
    from eactf.intake.packing import check_request, pack
    from eactf.intake.two_classes import refuse_one_class
    from eactf.intake.verdict import acceptable, look_through, refuse_errors

    grey_or_colour = int(channels) if channels else None
    check_request(
        listing,
        output,
        size=size,
        channels=grey_or_colour,
        max_bad=max_bad,
        overwrite=overwrite,
    )
    findings = tuple(found for found in listing.findings if found.severity != "note")
    if options is None:
        refuse_one_class(listing)
    else:
        with counting("looking") as progress:
            findings = look_through(listing, max_bad=max_bad, progress=progress)
        refuse_errors(findings, listing.source, options=options, accept=acceptable(accept))
    with counting("packing") as progress:
        report = pack(
            listing,
            output,
            size=size,
            channels=grey_or_colour,
            max_bad=max_bad,
            overwrite=overwrite,
            progress=progress,
        )
    faults = [finding.what for finding in findings if finding.severity == "error"]
    told = [asdict(finding) for finding in findings]
    console.emit("packed", **report.as_dict(), faults=faults, findings=told)
    _show(report, findings, options)


def _show(report: PackReport, findings: Sequence[Finding], options: SourceOptions | None) -> None:
    from eactf.intake.telling import (
        tell_classes,
        tell_findings,
        tell_further_labels,
        tell_left_out,
    )

    height, width, channels = report.image_shape
    console.say(f"packed {counted(report.images, 'image')} into {report.path}", markup=False)
    console.say(f"  size      {height} x {width}: {report.why_size}", markup=False)
    console.say(f"  channels  {channels}: {report.why_channels}", markup=False)
    if report.resized:
        console.say(f"  resized   {counted(report.resized, 'image')} had another size")
    tell_further_labels(report)
    console.say()
    tell_classes(report)
    tell_left_out(report)
    if report.quarantine:
        console.say(f"which, and why: {report.quarantine}", markup=False)
    console.say()
    tell_findings(findings, Path(report.source), options)
    for remark in report.remarks:
        console.warn(remark)
    console.say(f"\nnext: {command_line('eactf', 'wizard', Path(report.path))}", markup=False)
