"""This module lays a paper's table over the user's own data: its runs, and the filled table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eactf.data.opened import holds_images
from eactf.errors import DataError, UsageError
from eactf.intake.readers.catalogue import all_cards, published_name
from eactf.packed import open_packed
from eactf.packed.records import Dataset
from eactf.recipe import load_recipe
from eactf.report.cells import Cell, make_cell
from eactf.report.paper_tables import Budget, PaperTable, Place
from eactf.report.rows import Row
from eactf.report.table import ComparisonTable
from eactf.suggestions import command_line

__all__ = ["DRAWN_FACES", "TableData", "Work", "chosen_names", "grid", "recognise", "table_cells"]

DRAWN_FACES = "drawn-faces"


@dataclass(frozen=True)
class TableData:
    """A data set to fill a table with: its name, and its packed file (None: drawn faces)."""

    name: str
    path: Path | None


@dataclass(frozen=True)
class Work:
    """What is to be run of a table: its rows and columns (none named: all), and how."""

    table: PaperTable
    budget: Budget = "paper"
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    seeds: int = 1
    overrides: tuple[str, ...] = ()
    weights: Path | None = None

    def places(self) -> Iterator[Place]:
        """The cells of the table that are to be run."""
        return self.table.places(self.rows, self.columns)


def recognise(text: str) -> TableData:
    """The data that `--data` names: `drawn-faces`, `NAME=FILE`, or a packed FILE.

    A file says itself which published data set it holds where it was packed by name; any other is
    called after the file. Raises `UsageError` for a name that no data set has, `DataError` for a
    file that is not packed data.
    """
    if text == DRAWN_FACES:
        return TableData(DRAWN_FACES, None)
    name, sign, path = text.partition("=")
    if not sign or Path(text).is_file():
        return TableData(_own_name(Path(text)), Path(text))
    cards = {card.name: card for card in all_cards()}
    if name not in cards:
        raise UsageError(
            f"--data {text}: there is no data set '{name}'",
            hint=f"expected FILE or NAME=FILE, NAME one of {', '.join(cards)}",
        )
    found, published = len(_opened(Path(path)).class_names), cards[name].class_total
    # AffectNet and FERPlus are used with 7 of their 8 classes too.
    if not 0 <= published - found <= 1:
        raise DataError(
            f"{path} has {found} classes, {cards[name].title} has {published}",
            hint=f"to run the table on data of your own: {command_line('--data', path)}",
        )
    return TableData(name, Path(path))


def _opened(path: Path) -> Dataset:
    if holds_images(path):
        raise UsageError(
            f"{path} is not packed data",
            hint=f"pack it first: {command_line('eactf', 'data', 'pack', path, '-o', 'data.h5')}",
        )
    return open_packed(path)


def _own_name(path: Path) -> str:
    return published_name(_opened(path)) or path.stem


def chosen_names(option: str, given: Sequence[str], known: Mapping[str, object]) -> tuple[str, ...]:
    """The rows or columns that an option names; blanks and capitals do not matter.

    Raises `UsageError` where the table has none such.
    """
    plain = {_plain(name): name for name in known}
    unknown = [name for name in given if _plain(name) not in plain]
    if unknown:
        raise UsageError(
            f"{option} {unknown[0]!r}: the table has no such name",
            hint=f"it has: {', '.join(known)}",
        )
    return tuple(dict.fromkeys(plain[_plain(name)] for name in given))


def _plain(name: str) -> str:
    return "".join(name.split()).casefold()


def table_cells(work: Work, data: TableData) -> list[Cell]:
    """The cells of a table on `data`, all seeds of a place together.

    Raises what loading a recipe does, and `UsageError` where the user sets what makes the cells of
    the table differ: the paper's numbers would stand beside another experiment.
    """
    _refuse_settled(work)
    cells = []
    for place in work.places():
        recipe = work.table.recipe(work.budget, data.name)
        settings = [*work.table.settings(place, work.budget), *_weights(work, place)]
        if data.path is None:
            settings.append(f"data.source={DRAWN_FACES}")
        elif not any(setting.startswith("noise.") for setting in settings):
            # The table is what asks for its noise, whoever's data it is put on.
            settings.append(f"noise.kind={load_recipe(recipe, settings).recipe.noise.kind}")
        cells += [
            make_cell(
                _row(data, place),
                recipe,
                seed,
                overrides=[*settings, *work.overrides],
                data=data.path,
                paper=work.table.published(data.name, place),
                paper_top5=work.table.published_top5(data.name, place),
            )
            for seed in range(work.seeds)
        ]
    return cells


def _refuse_settled(work: Work) -> None:
    settled = {
        setting.partition("=")[0]
        for place in work.table.places()
        for setting in work.table.settings(place, work.budget)
    }
    for override in work.overrides:
        key = override.partition("=")[0].strip()
        if key in settled:
            raise UsageError(
                f"--set {override}: the table itself settles {key}",
                hint="choose with --row and --column; another experiment: eactf compare",
            )


def _weights(work: Work, place: Place) -> list[str]:
    """The imported backbone where a cell's network can take one: ours, not a foreign one."""
    if work.weights is None:
        return []
    resolved = load_recipe(
        work.table.base[work.budget], work.table.settings(place, work.budget)
    ).recipe
    if not resolved.model.backbone.startswith("resnet"):
        return []
    return [f'model.weights="{work.weights.absolute()}"', "data.normalization=weights"]


def _row(data: TableData, place: Place) -> str:
    return f"{data.name}, {place.column}, {place.row}"


def grid(work: Work, data: TableData, table: ComparisonTable) -> tuple[list[str], list[list[str]]]:
    """The table as the paper prints it: headings and cells, ours beside the paper's numbers."""
    found = {row.name: row for row in table.rows}
    columns = list(dict.fromkeys(place.column for place in work.places()))
    names = list(dict.fromkeys(place.row for place in work.places()))
    with_paper = data.name in work.table.paper
    heads = [""]
    for column in columns:
        heads += [column, "paper"] if with_paper else [column]
    lines = []
    for name in names:
        line = [name]
        for column in columns:
            row = found[_row(data, Place(name, column))]
            line.append("-" if row.mean_of_last is None else row.mean_of_last.percent())
            if with_paper:
                line.append("-" if row.paper is None else f"{100 * row.paper:.2f}")
        lines.append(line)
    if work.table.labels:
        lines.insert(0, _labels_line(work, data, found, columns, with_paper))
    return heads, lines


def _labels_line(
    work: Work,
    data: TableData,
    found: Mapping[str, Row],
    columns: Sequence[str],
    with_paper: bool,
) -> list[str]:
    """How many of the training labels were right as given, where the runs of a column tell."""
    line = [work.table.labels]
    for column in columns:
        rows = [found[_row(data, place)] for place in work.places() if place.column == column]
        right = next((row.labels_right for row in rows if row.labels_right is not None), None)
        line += ["-" if right is None else right.percent(), *(["-"] if with_paper else [])]
    return line
