"""`eactf data check` finds what is wrong with a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf import console
from eactf.cli.data.by_name import ByName, pack_first, path_argument
from eactf.cli.data.published import published_command
from eactf.cli.data.source_options import source_options
from eactf.cli.options import json_option
from eactf.errors import UsageError
from eactf.progress import counting
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.intake.findings import Finding
    from eactf.intake.fingerprint import Fingerprint
    from eactf.intake.listing import Listing
    from eactf.intake.sources import SourceOptions

__all__ = ["check"]

_SHOWN = 4
"""Files named of each finding, where not all are asked for."""


_OPTIONS = (
    click.option(
        "--max-bad",
        type=click.FloatRange(0, 1),
        default=0.01,
        show_default=True,
        help="Share of the images that may be unusable; more are an error.",
    ),
    click.option("--all", "everything", is_flag=True, help="Name every file of every finding."),
    json_option,
)


def _check_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--max-bad`, `--all` and `--json`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@path_argument(metavar="")  # the command is called PATH itself
@source_options
@_check_options
def check_path(path: Path, options: SourceOptions, **settings: Any) -> None:
    """Find what is wrong with the labelled images of PATH; nothing is changed.

    PATH is a folder (train/<class>/..., or <class>/..., or images with train.csv, test.csv beside
    them), a manifest (.csv, .tsv, .txt), a file of arrays (.npz, .h5) or a packed file. The exit
    code is 3 when there is an error among the findings, 0 when there are only warnings and notes.

    \b
    eactf data check my-faces/
    """
    from eactf.intake.sources import open_source  # NumPy and Pillow only where needed

    _check(open_source(path, options), **settings)


def _check(listing: Listing, *, max_bad: float, everything: bool) -> None:
    """Look through a listing and tell what was found; ends with code 3 where that is an error."""
    from eactf.intake.checks import check as find_faults
    from eactf.intake.duplicates import find_duplicates
    from eactf.intake.fingerprint import take_fingerprint
    from eactf.intake.scan import scan

    with counting("looking") as progress:
        scanned = scan(listing, progress=progress)
    duplicates = find_duplicates(scanned)
    fingerprint = take_fingerprint(listing, scanned, duplicates)
    findings = find_faults(listing, scanned, duplicates, max_bad=max_bad)
    console.emit("fingerprint", **fingerprint.as_dict())
    _show_header(listing.source, fingerprint)
    for finding in findings:
        console.emit("finding", **asdict(finding))
        _show(finding, len(finding.files) if everything else _SHOWN)
    counts = {kind: sum(f.severity == kind for f in findings) for kind in _PLURAL}
    console.emit("verdict", ok=not counts["error"], **{_PLURAL[k]: n for k, n in counts.items()})
    _show_verdict(counts, everything or all(len(f.files) <= _SHOWN for f in findings))
    if counts["error"]:
        click.get_current_context().exit(3)


_PLURAL = {"error": "errors", "warning": "warnings", "note": "notes"}

_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def _show_header(path: Path, found: Fingerprint) -> None:
    sizes = f"{found.widths.median} x {found.heights.median} pixels"
    if not found.same_size:
        sizes = (
            f"{found.widths.least} x {found.heights.least} to"
            f" {found.widths.most} x {found.heights.most} pixels"
        )
    bad = f" ({sum(found.bad.values()):,} cannot be used)" if found.bad else ""
    colours = {1.0: "grey", 0.0: "colour"}.get(found.grey_share, "grey and colour")
    console.say(
        f"{path} ({found.kind}): {counted(found.images, 'image')}{bad},"
        f" {counted(len(found.class_names), 'class', 'classes')}, {sizes}, {colours}\n",
        markup=False,
    )
    rows = [
        [name, *(f"{counts[name]:,}" for counts in found.class_counts.values())]
        for name in found.class_names
    ]
    if found.splits:
        rows.append(["all", *(f"{count:,}" for count in found.splits.values())])
        console.table(["class", *found.splits], rows)
        console.say()
    _show_targets(found)


def _show_targets(found: Fingerprint) -> None:
    """The further label sets and the continuous targets, a line each."""
    lines = [
        f"label set {name}: differs in {share:.1%}" for name, share in found.label_sets.items()
    ]
    lines += [
        f"{name}: {value.known:,} of {counted(found.usable, 'image')}"
        + (f", {value.least:g} to {value.most:g}, mean {value.mean:g}" if value.known else "")
        for name, value in found.values.items()
    ]
    for line in lines:
        console.say(line, markup=False)
    if lines:
        console.say()


def _show(finding: Finding, most: int) -> None:
    style = _STYLES[finding.severity]
    console.say(f"[{style}]{finding.severity}[/] [bold]{finding.code}[/]")
    console.say(f"  {finding.what}", markup=False)
    for name in finding.files[:most]:
        console.say(f"    {name}", markup=False)
    if len(finding.files) > most:
        console.say(f"    and {len(finding.files) - most:,} more")
    console.say(f"  fix: {finding.fix}\n", markup=False)


def _show_verdict(counts: Mapping[str, int], all_shown: bool) -> None:
    if not all_shown:
        console.say("every file by name: --all")
    said = ", ".join(counted(counts[kind], kind) for kind in counts if counts[kind])
    if counts["error"]:
        console.say(f"[bold red]mend the errors first[/]: {said}")
    else:
        console.say(f"[bold green]nothing stands in the way[/]: {said or 'nothing found'}")


def _named(name: str) -> click.Command:
    if name == "ferplus":
        return _ferplus
    return published_command(name, "Check", _check, options=_check_options)


@click.command("ferplus", context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, metavar="")
def _ferplus(words: tuple[str, ...]) -> None:
    """FERPlus's labels are made of its votes when it is packed; the packed file is checked."""
    raise UsageError(
        "FERPlus's labels are made of its votes when it is packed: there are none to check before",
        hint=pack_first("ferplus", "eactf data check"),
    )


@click.group(
    cls=ByName,
    name="check",
    own=check_path,
    named=_named,
    path_form="eactf data check PATH",
    own_first=True,
)
def check() -> None:
    """Find what is wrong with a data set."""
