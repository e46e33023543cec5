"""This module lists what manifests name: CSV, TSV and plain lists of images and their labels.

The steps of reading one are in `manifest/`: the form of the table (`tables`), what each column is
(`columns`), its cells (`cells`), the files meant (`paths`), the splits (`splits`), the labels
(`labels`, `vocabulary`, `votes`), images named twice (`repeats`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.intake.decode import FileImages
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import Listing
from eactf.intake.sources.manifest.cells import Cells, read_cells
from eactf.intake.sources.manifest.columns import Roles, find_roles
from eactf.intake.sources.manifest.joined import JoinedTable, Line, join_tables
from eactf.intake.sources.manifest.labels import read_labels
from eactf.intake.sources.manifest.near import Near
from eactf.intake.sources.manifest.paths import Located, locate
from eactf.intake.sources.manifest.repeats import settle_repeats
from eactf.intake.sources.manifest.splits import (
    RowSplits,
    splits_by_column,
    splits_by_file,
    splits_by_path,
)
from eactf.intake.sources.manifest.tables import Table, open_table
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.splits import split_in_stem

__all__ = ["list_manifest", "list_split_tables"]


def list_manifest(path: Path, options: SourceOptions) -> Listing:
    """List the images that a manifest names, in its order.

    Paths start from the manifest's folder, or from `options.root`. A file that is not there is
    listed all the same and is missing when it is opened; `DataError` where nearly all are missing.
    Raises `DataError` with file and line for what cannot be read, `UsageError` for an option that
    names no column.
    """
    table = open_table(path, has_header=_names_columns(options))
    return _list_table(table, path.parent, options)


def list_split_tables(folder: Path, paths: Sequence[Path], options: SourceOptions) -> Listing:
    """List the images that the tables `paths` in `folder` name, one table a split, as one manifest.

    Raises what `list_manifest` raises; lines are told with the table that they are in.
    """
    table = join_tables(folder, paths, has_header=_names_columns(options))
    return _list_table(table, folder, options)


def _names_columns(options: SourceOptions) -> bool:
    named = (options.path_column, options.label, options.clean, options.split_column)
    return any(named) or bool(options.votes) or bool(options.values)


def _list_table(table: Table, folder: Path, options: SourceOptions) -> Listing:
    path, root = table.path, _root(folder, options)
    near = Near(root)
    roles = find_roles(table, options, near)
    cells = read_cells(table, roles)
    located = _locate(table, cells, roles, near)
    labels = read_labels(path, cells, roles, options)
    split = _splits(table, cells, roles, located, options)
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
        values={name: array[rows] for name, array in labels.values.items()},
        votes=None if labels.votes is None else labels.votes.counts[rows],
        vote_columns=() if labels.votes is None else labels.votes.columns,
        targets=None if labels.targets is None else labels.targets[rows],
        columns={name: array[rows] for name, array in labels.columns.items()},
        findings=(
            *labels.findings,
            *repeats.findings,
            *split.findings,
            *cells.findings,
            *_path_findings(path, cells, roles, located),
        ),
        notes={"manifest": path.name, **labels.notes, "splits": split.note},
    )


def _root(folder: Path, options: SourceOptions) -> Path:
    if options.root is None:
        return folder
    if not options.root.is_dir():
        raise UsageError(f"--root {options.root} is no folder", hint="check the path")
    return options.root


def _locate(table: Table, cells: Cells, roles: Roles, near: Near) -> Located:
    """The files that the rows name; the tables of the splits are looked at one by one."""
    texts = cells.columns[roles.path]
    files: dict[Path, list[int]] = {}
    for row, line in enumerate(cells.lines):
        path = table.path / line.file if isinstance(line, Line) else table.path
        files.setdefault(path, []).append(row)
    parts = []
    for path, rows in files.items():
        split = split_in_stem(path.stem)
        these = [texts[row] for row in rows]
        parts.append(locate(path, these, near, split=split and split[0]))
    if roles.path_by_files:
        _check_header(table, roles.names[roles.path], near, parts[0].folders)
    return Located.joined(parts, list(files.values()))


def _check_header(table: Table, name: str, near: Near, folders: Sequence[str]) -> None:
    """Refuse a first line that is data: it names an image itself."""
    if any(near.inside(folder).find(name) is not None for folder in folders or [""]):
        raise DataError(
            f"{table.path}, line 1: {name!r} is an image itself, no name of a column",
            hint="write a first line that names the columns, for example: path,label",
        )


def _splits(
    table: Table, cells: Cells, roles: Roles, located: Located, options: SourceOptions
) -> RowSplits:
    if isinstance(table, JoinedTable) and options.split_column is None:
        return splits_by_file(table, cells.lines)
    path = table.path
    if roles.split is None:
        return splits_by_path(path, located.names)
    return splits_by_column(path, roles.names[roles.split], cells.lines, cells.columns[roles.split])


def _path_findings(path: Path, cells: Cells, roles: Roles, located: Located) -> Iterator[Finding]:
    outside = [n for n in located.names if n.startswith("/") or ".." in n.split("/")]
    lines = [f"line {cells.lines[row]}" for row in located.respelled]
    if roles.path_by_files or located.folders:
        column, folders = roles.names[roles.path], located.folders or ("",)
        shown = [posixpath.join(folder, f"<{column}>{located.suffix()}") for folder in folders]
        yield Finding(
            "images-found",
            Severity.NOTE,
            f"{path.name}: the column {column} names the images: {', '.join(shown[:4])}"
            + (" ..." if len(shown) > 4 else ""),
            "nothing to do; to take others name the column and the folder: --path-column, --root",
        )
    elif located.suffixed:
        suffixed = [f"line {cells.lines[row]}" for row in located.suffixed]
        yield Finding(
            "suffix-left-out",
            Severity.NOTE,
            f"{path.name}: names without their suffix ({located.suffix()}): {len(suffixed)}",
            "nothing to do here; other programs may not find them",
            () if len(suffixed) == len(located.names) else tuple(suffixed),
        )
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
            f" (capitals, accents): {len(lines)}",
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
