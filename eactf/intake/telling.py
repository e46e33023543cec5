"""These functions print what was found and what was packed, alike for every command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eactf import console
from eactf.intake.findings import Finding, Severity
from eactf.intake.pack_report import PackReport
from eactf.intake.sources.options import SourceOptions
from eactf.suggestions import command_line
from eactf.wording import counted

__all__ = ["tell_classes", "tell_findings", "tell_further_labels", "tell_left_out"]


def tell_findings(
    findings: Sequence[Finding], source: Path, options: SourceOptions | None = None
) -> None:
    """A line for each finding, and the command that names the files.

    `options` say how the source was read.
    """
    for finding in findings:
        if finding.severity is Severity.NOTE:
            console.say(f"note: {finding.what}", markup=False)
        else:
            console.warn(f"{finding.what}; {finding.fix}")
    if any(finding.files for finding in findings):
        flags = [] if options is None else options.flags()
        command = command_line("eactf", "data", "check", source, *flags, "--all")
        console.say(f"every file by name: {command}", markup=False)


def tell_classes(report: PackReport) -> None:
    """How many images of each class there are in each split, as a table."""
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


def tell_further_labels(report: PackReport) -> None:
    """How many images have a label in each further set, and each continuous target."""
    told = [("label set", *pair) for pair in report.label_sets.items()]
    told += [("value", *pair) for pair in report.values.items()]
    for what, name, count in told:
        images = counted(report.images, "image")
        console.say(f"  {what:<9} {name}: {count:,} of {images}", markup=False)


def tell_left_out(report: PackReport) -> None:
    """How many images were left out and why; nothing where none was."""
    left_out = dict(report.reasons)
    if report.unlabelled:
        left_out["no label, or one that is not known"] = report.unlabelled
    if left_out:
        console.say()
        rows = [[reason, f"{count:,}"] for reason, count in left_out.items()]
        console.table(["left out", "images"], rows)
