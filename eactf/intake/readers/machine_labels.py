"""`read_machine_labels` reads what a network that learned elsewhere said of a data set's images.

The file is CSV, TSV or a plain list with a row an image: its name, the class, valence and arousal.
With a header the columns are known by name, so that what `eactf predict --csv` writes will do;
without one two cells are name and class, three are name, valence and arousal, and four are all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

from eactf.errors import DataError, UsageError
from eactf.intake.sources.continuous import number
from eactf.intake.sources.manifest.columns import plain
from eactf.intake.sources.manifest.tables import Table, open_table
from eactf.intake.sources.missing import is_missing
from eactf.noise.expressions import BASIC_EXPRESSIONS, basic_expression
from eactf.noise.files import stem
from eactf.packed.values import AFFECT

__all__ = ["NUMBERINGS", "MachineLabels", "Said", "read_machine_labels"]

NUMBERINGS = ("raf-db", "affectnet")
"""How classes may be numbered: 1 to 7 in RAF-DB's order, or 0 to 7 in AffectNet's."""

_NAMES = (
    *("path", "name", "file", "filename", "file_name", "filepath", "file_path"),
    *("image", "image_name", "image_path", "img"),
)
_CLASSES = ("predicted", "machine", "label", "class", "expression", "emotion", "prediction")
_BARE = {
    2: ("name", "label"),
    3: ("name", "valence", "arousal"),
    4: ("name", "label", "valence", "arousal"),
}
_FORM = (
    "write the header name,label,valence,arousal (or only some of them), or rows that begin with"
    " the name of an image file"
)


@dataclass(frozen=True)
class Said:
    """What the machine said of an image: a class index, -1 for none, and two values, NaN for none.

    `clipped` counts those of the values that were outside -1 to 1.
    """

    label: int = -1
    valence: float = nan
    arousal: float = nan
    clipped: int = 0


@dataclass(frozen=True)
class MachineLabels:
    """A file of machine labels: what was said `by_stem` of the image's name, and its columns."""

    path: Path
    by_stem: Mapping[str, Said]
    columns: frozenset[str]


def read_machine_labels(
    path: Path, class_names: Sequence[str], numbering: str = "raf-db"
) -> MachineLabels:
    """Read a file of machine labels; `columns` are those of label, valence and arousal it has.

    Classes are names of expressions in any case, or numbers as `numbering` (of `NUMBERINGS`) has
    them; contempt, which `class_names` may lack, is no label then. An empty value, NaN or -2 is
    missing. Raises `UsageError` where there is no file, `DataError` with its line for what does not
    fit.
    """
    if not path.is_file():
        raise UsageError(f"label file {path} does not exist", hint="check the path")
    table = open_table(path)
    places = _places(table)
    numbers = _numbers(class_names, numbering)
    found: dict[str, Said] = {}
    for line, cells in table.rows():
        texts = {role: cells[place] for role, place in places.items()}
        where = f"{path}, line {line}"
        said = _said(where, texts, class_names, numbers)
        key = stem(texts["name"])
        if repr(found.setdefault(key, said)) != repr(said):  # NaN is not equal to itself
            raise DataError(f"{where}: {key} stands there twice", hint="keep one line an image")
    return MachineLabels(path, found, frozenset(places) - {"name"})


def _places(table: Table) -> dict[str, int]:
    """The position of the name, the label, valence and arousal; `DataError` without a name."""
    if table.header is None:
        roles = _BARE.get(table.width)
        if roles is None:
            raise DataError(
                f"{table.path}, line 1: {table.width} columns without a header cannot be told",
                hint=_FORM,
            )
        return {role: place for place, role in enumerate(roles)}
    names = [plain(name) for name in table.header]
    wanted = {"name": _NAMES, "label": _CLASSES, "valence": ("valence",), "arousal": ("arousal",)}
    places = {
        role: names.index(next(one for one in known if one in names))
        for role, known in wanted.items()
        if set(known).intersection(names)
    }
    if "name" not in places or len(places) < 2:
        raise DataError(
            f"{table.path}, line 1: received {', '.join(table.header)[:80]!r}", hint=_FORM
        )
    return places


def _numbers(class_names: Sequence[str], numbering: str) -> dict[str, int]:
    """The class index of every number; -1 for contempt where it is none of the classes."""
    if numbering == "raf-db":
        return {str(index + 1): index for index in range(len(class_names))}
    expressions = [basic_expression(name) for name in class_names]
    named = {str(n): expressions.index(name) for n, name in enumerate(BASIC_EXPRESSIONS)}
    return {**named, "7": -1}


def _said(
    where: str, texts: Mapping[str, str], class_names: Sequence[str], numbers: Mapping[str, int]
) -> Said:
    label = _label(where, texts.get("label", ""), class_names, numbers)
    values = [_value(where, role, texts.get(role, "")) for role in AFFECT]
    valence, arousal = (value if isnan(value) else max(-1.0, min(1.0, value)) for value in values)
    return Said(label, valence, arousal, clipped=sum(abs(value) > 1 for value in values))


def _label(where: str, text: str, class_names: Sequence[str], numbers: Mapping[str, int]) -> int:
    if is_missing(text) or text.casefold() == "contempt":
        return -1
    expression = basic_expression(text)
    for index, name in enumerate(class_names):
        if expression is not None and basic_expression(name) == expression:
            return index
    found = numbers.get(text.removesuffix(".0"))
    if found is None:
        raise DataError(
            f"{where}: expected an expression, or a number from {min(numbers)} to {max(numbers)},"
            f" received {text[:40]!r}",
            hint=f"another numbering: --machine-numbers {' or '.join(NUMBERINGS)}",
        )
    return found


def _value(where: str, role: str, text: str) -> float:
    value = number(text)
    if value is None:
        raise DataError(
            f"{where}, {role}: expected a number, or nothing where there is none, received"
            f" {text[:40]!r}"
        )
    return nan if value == -2 else value
