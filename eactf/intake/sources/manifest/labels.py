"""`read_labels` makes labels, further label sets, values and votes of a manifest's cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import UsageError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.clean_flags import FLAG_NAMES, is_flag, refuse_flags, says_yes_or_no
from eactf.intake.sources.manifest.cells import Cells
from eactf.intake.sources.manifest.columns import Roles, plain
from eactf.intake.sources.manifest.values import Values, read_values
from eactf.intake.sources.manifest.vocabulary import Vocabulary, build_vocabulary
from eactf.intake.sources.manifest.votes import (
    Votes,
    class_columns,
    decide,
    read_votes,
    votes_among,
    votes_findings,
)
from eactf.intake.sources.missing import (
    choose_missing,
    is_missing,
    missing_finding,
    missing_note,
)
from eactf.intake.sources.options import SourceOptions
from eactf.packed.layout import LABEL_NAME

__all__ = ["Labels", "read_labels"]

_LABEL_WORDS = ("label", "class", "emotion", "expression", "target", "annot", "given", "rater")


@dataclass(frozen=True)
class Labels:
    """What a manifest says of its rows' classes; the fields are as in `Listing`."""

    class_names: tuple[str, ...]
    given: np.ndarray
    clean: np.ndarray | None
    labels: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    votes: Votes | None
    targets: np.ndarray | None
    columns: Mapping[str, np.ndarray]
    findings: tuple[Finding, ...]
    notes: Mapping[str, object]


@dataclass(frozen=True)
class _Given:
    """The labels to train on, whichever way they were found."""

    vocabulary: Vocabulary
    given: np.ndarray
    votes: Votes | None
    targets: np.ndarray | None
    findings: tuple[Finding, ...]
    notes: Mapping[str, object]


def read_labels(path: Path, cells: Cells, roles: Roles, options: SourceOptions) -> Labels:
    """Make classes, label sets, values and votes of the cells; other columns stay text.

    Raises `DataError` where the labels are no classes or the votes no numbers.
    """
    _check_clean(path, cells, roles, options)
    if roles.label is None:
        found = _by_votes(path, cells, roles, options)
    else:
        found = _by_column(path, cells, roles, roles.label, options)
    vocabulary = found.vocabulary
    of_votes = found.votes.columns if found.votes else ()
    measured = read_values(path, cells, roles)
    taken = {*measured.positions, *(i for i in roles.others if roles.names[i] in of_votes)}
    rest = [i for i in roles.others if i in cells.columns and i not in taken]
    sets = _label_sets(cells, roles, vocabulary, rest)
    return Labels(
        class_names=vocabulary.class_names,
        given=found.given,
        clean=None if roles.clean is None else vocabulary.indices(cells.columns[roles.clean]),
        labels={_set_name(roles.names[i]): labels for i, labels in sets.items()},
        values=measured.values,
        votes=found.votes,
        targets=found.targets,
        columns={roles.names[i]: np.array(cells.columns[i]) for i in rest if i not in sets},
        findings=(
            *vocabulary.findings,
            *found.findings,
            *measured.findings,
            *_rivals(path, roles),
        ),
        notes={"manifest_columns": _described(roles, measured), **found.notes},
    )


def _described(roles: Roles, measured: Values) -> dict[str, str]:
    names = ", ".join(roles.names[i] for i in measured.positions)
    return {**roles.described(), **({"values": names} if names else {})}


def _check_clean(path: Path, cells: Cells, roles: Roles, options: SourceOptions) -> None:
    """Refuse a column that may hold true labels or flags, unless the user says which."""
    if options.clean is not None or roles.label is None:
        return
    labels = set(cells.columns[roles.label])
    missing = choose_missing(labels, options.missing)
    classes = {text for text in labels if text not in missing}
    flags = [i for i in roles.others if i in cells.columns and plain(roles.names[i]) in FLAG_NAMES]
    for i in (roles.clean, *flags):
        if i is None:
            continue
        name = roles.names[i]
        values = {text for text in cells.columns[i] if not is_missing(text) and text != "-1"}
        if i == roles.clean or says_yes_or_no(values):
            refuse_flags(path.name, name, values, classes, classes=len(classes))


def _by_column(
    path: Path, cells: Cells, roles: Roles, label: int, options: SourceOptions
) -> _Given:
    vocabulary = _vocabulary(path, cells, roles, options)
    given = vocabulary.indices(cells.columns[label])
    positions = roles.votes or votes_among(cells, roles, vocabulary.class_names)
    votes = read_votes(path, cells, roles, positions) if positions else None
    findings = tuple(_unlabelled(path, cells, cells.columns[label], given))
    said = Counter(text for text in cells.columns[label] if text in vocabulary.missing)
    return _Given(vocabulary, given, votes, None, findings, missing_note(said))


def _by_votes(path: Path, cells: Cells, roles: Roles, options: SourceOptions) -> _Given:
    votes = read_votes(path, cells, roles, roles.votes)
    classes = class_columns(votes.columns)
    if len(classes) < 2:
        raise UsageError(
            f"--votes {','.join(votes.columns)}: expected the columns of two classes or more"
        )
    result = decide(votes, options.vote_rule)
    given = np.where(result.keep, result.label, -1).astype(np.int64)
    findings = tuple(votes_findings(path, cells, result, options.vote_rule))
    notes = {"vote_rule": options.vote_rule, "dropped": result.dropped, "ties": result.ties}
    vocabulary = _vocabulary(path, cells, roles, options, classes)
    return _Given(vocabulary, given, votes, result.targets, findings, notes)


def _vocabulary(
    path: Path, cells: Cells, roles: Roles, options: SourceOptions, fixed: Sequence[str] = ()
) -> Vocabulary:
    found = [i for i in (roles.label, roles.clean) if i is not None]
    columns = {roles.names[i]: cells.columns[i] for i in found}
    return build_vocabulary(
        path,
        cells.lines,
        columns,
        merge=options.merge_spellings,
        missing=options.missing,
        fixed=fixed,
        chosen=options.label is not None,
    )


def _label_sets(
    cells: Cells, roles: Roles, vocabulary: Vocabulary, positions: Sequence[int]
) -> dict[int, np.ndarray]:
    """The columns whose every cell is a class or empty.

    Where classes are numbers, any count or age might be one: there the column's name has to speak
    of labels.
    """
    sets: dict[int, np.ndarray] = {}
    taken = {"given", "clean"}
    for i in positions:
        name = _set_name(roles.names[i])
        speaks = any(word in name.lower() for word in _LABEL_WORDS)
        if name in taken or not LABEL_NAME.fullmatch(name) or (vocabulary.numeric and not speaks):
            continue
        if is_flag(name, set(cells.columns[i]), classes=len(vocabulary.class_names)):
            continue
        labels = vocabulary.translate(cells.columns[i])
        if labels is not None:
            sets[i] = labels
            taken.add(name)
    return sets


def _set_name(name: str) -> str:
    """A column's name in the letters that the name of a label set may have."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).lstrip("_.-")[:64]


def _unlabelled(
    path: Path, cells: Cells, texts: Sequence[str], given: np.ndarray
) -> Iterator[Finding]:
    rows = np.flatnonzero(given < 0).tolist()
    if rows:
        said = Counter(texts[row] for row in rows)
        yield missing_finding(
            f"{path.name}: {len(rows)} of {len(given)} rows have no label",
            said,
            tuple(f"line {cells.lines[row]}" for row in rows),
        )


def _rivals(path: Path, roles: Roles) -> Iterator[Finding]:
    if roles.rivals and roles.label is not None:
        label, others = roles.names[roles.label], ", ".join(roles.rivals)
        yield Finding(
            "label-column",
            Severity.NOTE,
            f"{path.name}: the labels are taken from the column {label}, not from {others}",
            "to choose another: --label NAME",
            roles.rivals,
        )
