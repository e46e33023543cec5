"""This module reads the shipped tables of papers: how each cell is run, and the paper's numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from eactf.errors import UsageError
from eactf.recipe.sections import Section, as_tuple
from eactf.recipe.shipped import shipped_tables
from eactf.recipe.strict_yaml import parse, write_scalar
from eactf.suggestions import did_you_mean

__all__ = ["Budget", "PaperTable", "Place", "find_table", "list_tables"]

Budget = Literal["paper", "small"]
Settings = Mapping[str, object]
Numbers = Mapping[str, Mapping[str, Sequence[float]]]

_NONE: Mapping[str, object] = MappingProxyType({})


class Place(NamedTuple):
    """Where a cell stands in its table."""

    row: str
    column: str


class PaperTable(Section):
    """A table of a paper as a grid of recipes: rows times columns, on each of its data sets.

    A cell is the recipe `base[budget]`, or with the paper's budget the one that `on` names for its
    data set, with the settings of its column, then of its row, then what `each` says of that row in
    that column and, with the small budget, `small` of that row; later ones win. `paper` and `top5`
    are the published accuracies in percent, data set -> row -> a number a column. `pretrained` says
    whether the paper's networks were; `data` names the data sets where there are no numbers.
    `labels`, where it is not empty, is what a line is called that tells how many of the training
    labels were right as given. `settles` are figures of the log, with what the paper says their
    last epochs should come to.
    """

    title: str
    source: str
    pretrained: bool = False
    data: Annotated[tuple[str, ...], BeforeValidator(as_tuple)] = ("raf-db",)
    base: Mapping[Budget, str]
    on: Mapping[str, str] = Field(default_factory=dict)
    rows: Mapping[str, Settings]
    columns: Mapping[str, Settings]
    each: Mapping[str, Mapping[str, Sequence[object]]] = Field(default_factory=dict)
    small: Mapping[str, Settings] = Field(default_factory=dict)
    paper: Numbers = Field(default_factory=dict)
    top5: Numbers = Field(default_factory=dict)
    labels: str = ""
    settles: Mapping[str, float] = Field(default_factory=dict)

    @property
    def data_sets(self) -> tuple[str, ...]:
        """The data sets that the paper is about."""
        return tuple(self.paper) or self.data

    def places(self, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> Iterator[Place]:
        """The cells, column by column; of `rows` and `columns` alone where these are given."""
        for column in columns or self.columns:
            for row in rows or self.rows:
                yield Place(row, column)

    def settings(self, place: Place, budget: Budget) -> list[str]:
        """What a cell sets over its base, as `key=value` texts."""
        number = list(self.columns).index(place.column)
        each = {key: values[number] for key, values in self.each.get(place.row, {}).items()}
        small = self.small.get(place.row, _NONE) if budget == "small" else _NONE
        chosen = {**self.columns[place.column], **self.rows[place.row], **each, **small}
        return [f"{key}={write_scalar(value)}" for key, value in chosen.items()]

    def recipe(self, budget: Budget, data: str) -> str:
        """The recipe that cells on a data set start from."""
        return self.on.get(data, self.base[budget]) if budget == "paper" else self.base[budget]

    def published(self, data: str, place: Place) -> float | None:
        """The paper's accuracy, 0 to 1, None where it has none for `data`."""
        return self._number(self.paper, data, place)

    def published_top5(self, data: str, place: Place) -> float | None:
        """The paper's top-5 accuracy, 0 to 1, None where it has none for `data`."""
        return self._number(self.top5, data, place)

    def _number(self, numbers: Numbers, data: str, place: Place) -> float | None:
        row = numbers.get(data, {}).get(place.row)
        return None if row is None else row[list(self.columns).index(place.column)] / 100


def list_tables() -> dict[str, PaperTable]:
    """Every shipped table by name: the paper's first, then its supplement's, its curves, others."""
    texts = shipped_tables()
    order = ("table", "supplement", "figure")
    names = sorted(texts, key=lambda name: [not name.startswith(kind) for kind in order])
    return {name: _read(texts[name]) for name in names}


def find_table(name: str) -> PaperTable:
    """The table called `name`; `UsageError` with the nearest names where there is none."""
    texts = shipped_tables()
    if name not in texts:
        question = did_you_mean(name, texts, most=3)
        hint = f"{question} list them: eactf reproduce".lstrip()
        raise UsageError(f"there is no table '{name}'", hint=hint)
    return _read(texts[name])


def _read(text: str) -> PaperTable:
    return PaperTable.model_validate(parse(text, "a table").value)
