"""The recipe's `noise` section: wrong labels that are put in, or label sets that have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from eactf.only import Only
from eactf.recipe.sections import Conflict, Expected, Names, Section, Seed, as_tuple

__all__ = ["PRESETS", "NoiseSettings"]

PRESETS: Mapping[str, Mapping[str, object]] = {
    "paper-eac": {"kind": "symmetric", "count": "bernoulli", "include_true": False},
}
"""Published noise procedures, as the `noise` keys that each of them settles.

`paper-eac`: each label is changed with probability `rate` to one of the other classes, as the noise
files were made that the EAC authors published (theirs were drawn without a seed: 10.11, 20.36 and
30.33 % of the labels differ).
"""

Rates = Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], BeforeValidator(as_tuple)]
Matrix = Annotated[tuple[tuple[float, ...], ...], BeforeValidator(as_tuple)]


class NoiseSettings(Section):
    """Wrong labels put into the training split, or a label set that has them already."""

    kind: Literal[
        "none", "symmetric", "pair", "matrix", "machine", "annotators", "human", "file"
    ] = Field(
        default="none",
        description="how labels go wrong; machine: as a network that learned elsewhere mislabels"
        " expressions, annotators: in several label sets at once, human: those of noise.labels,"
        " file: of noise.path",
    )
    preset: Literal["paper-eac"] | None = Field(
        default=None, description="a published procedure: sets kind, count and include_true"
    )
    rate: Annotated[float, Only("kind", "symmetric", "pair")] = Field(
        default=0.0, ge=0, lt=1, description="share of the training labels to draw anew"
    )
    count: Annotated[Literal["bernoulli", "exact"], Only("kind", "symmetric", "pair")] = Field(
        default="bernoulli", description="each label by its own draw, or exactly rate * n of them"
    )
    include_true: Annotated[bool, Only("kind", "symmetric")] = Field(
        default=False, description="whether the class drawn may be the true one"
    )
    strength: Annotated[float, Only("kind", "machine")] = Field(
        default=1.0,
        ge=0,
        le=1,
        description="how much of the machine's law: 1 has 22.7 % of RAF-DB's labels wrong, 0 none",
    )
    values: Annotated[bool, Only("kind", "machine")] = Field(
        default=True,
        description="whether the machine gives valence and arousal too, where the data has them",
    )
    annotators: Annotated[
        Rates, Only("kind", "annotators"), Expected("[rate, rate, ...], each 0 <= rate < 1")
    ] = Field(
        default=(),
        description="share of the labels that each annotator draws anew among all classes; the "
        "first's are trained on, the label sets annotator2, annotator3, ... are the others'",
    )
    seed: Seed | None = Field(
        default=None, description="seed of the noise; null: the recipe's seed"
    )
    labels: Annotated[str | None, Only("kind", "human"), Expected("name of a label set")] = Field(
        default=None, min_length=1, description="label set of the packed file to train on"
    )
    path: Annotated[str | None, Only("kind", "file", "matrix"), Expected("path of a file")] = Field(
        default=None, min_length=1, description="a label file, or a noise matrix as JSON"
    )
    base: Annotated[int | None, Only("kind", "file")] = Field(
        default=None,
        ge=0,
        le=1,
        description="number of the first class in the label file: 1 (RAF-DB), 0 (SCN); null: 0"
        " where one of its labels is 0",
    )
    classes: Annotated[Names | None, Only("kind", "file")] = Field(
        default=None,
        description="the classes in the order of the label file's numbers; null: the data's order",
    )
    most_wrong: Annotated[float, Only("kind", "file")] = Field(
        default=0.5,
        ge=0,
        le=1,
        description="share of the label file's labels that may differ from the data's before its"
        " numbers are taken to mean other classes",
    )
    matrix: Annotated[
        Matrix | None,
        Only("kind", "matrix"),
        Expected("square list of rows, each of probabilities that sum to 1"),
    ] = Field(default=None, description="row i: how often true class i is given as each class")

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, data: Any) -> Any:
        settled = PRESETS.get(str(data.get("preset")), {}) if isinstance(data, Mapping) else {}
        return {**settled, **data} if settled else data

    def conflicts(self) -> Iterator[Conflict]:
        settled = PRESETS[self.preset] if self.preset else {}
        for key, value in settled.items():
            if getattr(self, key) != value:
                advice = f"the preset {self.preset} means {key} = {_plain(value)}; drop one of them"
                yield Conflict(key, "against preset", advice)
        if self.kind == "human" and self.labels is None:
            advice = "name the label set to train on, such as noise.labels: fer2013"
            yield Conflict("labels", "missing key", advice)
        if self.kind == "file" and self.path is None:
            yield Conflict("path", "missing key", "give the label file: noise.path: noise01.txt")
        if self.kind == "annotators" and not self.annotators:
            yield Conflict("annotators", "missing key", "give a rate an annotator: [0.2, 0.3, 0.4]")
        if self.kind == "matrix":
            yield from self._matrix_conflicts()

    def _matrix_conflicts(self) -> Iterator[Conflict]:
        if (self.matrix is None) == (self.path is None):
            kind = "missing key" if self.matrix is None else "given twice"
            advice = "kind matrix takes one of noise.matrix (rows) and noise.path (a JSON file)"
            yield Conflict("matrix", kind, advice)
        for number, row in enumerate(self.matrix or (), start=1):
            fault = _row_fault(row, classes=len(self.matrix or ()))
            if fault:
                yield Conflict("matrix", "not a noise matrix", f"row {number} {fault}")


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _row_fault(row: tuple[float, ...], classes: int) -> str:
    """What keeps a row from being a distribution over the classes; empty if nothing does."""
    if len(row) != classes:
        return f"has {len(row)} numbers, the matrix has {classes} rows"
    if any(not 0 <= share <= 1 for share in row):
        return "has a number outside 0..1"
    if abs(sum(row) - 1) > 1e-6:
        return f"sums to {sum(row):.6g}, not 1"
    return ""
