"""Manifests: CSV and TSV files and plain lists that name images and their labels.

How one is read lies in `manifest/`: the form of the table (`tables`), what each column is
(`columns`), its cells (`cells`), the files meant (`paths`), the splits (`splits`), the labels
(`labels`, `vocabulary`, `votes`), images named twice (`repeats`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.intake.decode import FileImages
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import Listing
from eactf.intake.sources.manifest.cells import Cells, read_cells
from eactf.intake.sources.manifest.columns import Roles, find_roles
from eactf.intake.sources.manifest.labels import read_labels
from eactf.intake.sources.manifest.paths import Located, locate
from eactf.intake.sources.manifest.repeats import settle_repeats
from eactf.intake.sources.manifest.splits import RowSplits, splits_by_column, splits_by_path
from eactf.intake.sources.manifest.tables import open_table
from eactf.intake.sources.options import SourceOptions

__all__ = ["list_manifest"]


def list_manifest(path: Path, options: SourceOptions) -> Listing:
    """List the images that a manifest names, in its order.

    Paths start from the manifest's folder, or from `options.root`. A file that is not there is
    listed all the same and is missing when it is opened; `DataError` where nearly all are missing.
    Raises `DataError` with file and line for what cannot be read, `UsageError` for an option that
    names no column.
    """
    root = _root(path, options)
    named = (options.path_column, options.label, options.clean, options.split_column)
    table = open_table(path, has_header=any(named) or bool(options.votes))
    roles = find_roles(table, options)
    cells = read_cells(table, roles)
    located = locate(path, cells.columns[roles.path], root)
    labels = read_labels(path, cells, roles, options)
    split = _splits(path, cells, roles, located)
    repeats = settle_repeats(path, cells.lines, located.names, labels.given, split.splits)
    rows = repeats.rows
    names = np.array(located.names)[rows]
    if (repeats.given < 0).all():
        raise DataError(f"{path}: not one image has a label", hint="see its label column")
    return Listing(
        source=path,
        kind="manifest",
        class_names=labels.class_names,
        names=names,
        splits=split.splits[rows],
        given=repeats.given,
        images=FileImages(root, names),
        clean=None if labels.clean is None else labels.clean[rows],
        labels={name: array[rows] for name, array in labels.labels.items()},
        votes=None if labels.votes is None else labels.votes.counts[rows],
        vote_columns=() if labels.votes is None else labels.votes.columns,
        targets=None if labels.targets is None else labels.targets[rows],
        columns={name: array[rows] for name, array in labels.columns.items()},
        findings=(
            *labels.findings,
            *repeats.findings,
            *split.findings,
            *cells.findings,
            *_path_findings(path, cells, located),
        ),
        notes={"manifest": path.name, **labels.notes, "splits": split.note},
    )


def _root(path: Path, options: SourceOptions) -> Path:
    if options.root is None:
        return path.parent
    if not options.root.is_dir():
        raise UsageError(f"--root {options.root} is no folder", hint="check the path")
    return options.root


def _splits(path: Path, cells: Cells, roles: Roles, located: Located) -> RowSplits:
    if roles.split is None:
        return splits_by_path(path, located.names)
    return splits_by_column(path, roles.names[roles.split], cells.lines, cells.columns[roles.split])


def _path_findings(path: Path, cells: Cells, located: Located) -> Iterator[Finding]:
    outside = [n for n in located.names if n.startswith("/") or ".." in n.split("/")]
    lines = [f"line {cells.lines[row]}" for row in located.respelled]
    if located.prefix:
        yield Finding(
            "prefix-taken-off",
            Severity.NOTE,
            f"{path.name}: the paths begin with {located.prefix}, which is not here; without it"
            " the files are found",
            "nothing to do",
        )
    if lines:
        yield Finding(
            "paths-respelled",
            Severity.NOTE,
            f"{path.name}: paths written a little differently than the files are named"
            f" (capitals, accents, a suffix left out): {len(lines)}",
            "nothing to do here; other programs may not find them",
            tuple(lines),
        )
    if outside:
        yield Finding(
            "outside-the-folder",
            Severity.NOTE,
            f"{path.name}: images outside the folder that the paths start from: {len(outside)}",
            "nothing to do",
            tuple(outside),
        )
