"""What the folder of a run says of it, from its small files alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from eactf.errors import EactfError
from eactf.recipe import Recipe
from eactf.report.cells import read_run, run_recipe
from eactf.training.beginnings import as_started, plain_values
from eactf.training.run_list import look_at_run, read_plainly

__all__ = ["RunFacts", "read_facts"]


@dataclass(frozen=True)
class RunFacts:
    """A run as its folder tells of it: `label` is what the page calls it, `slug` its files.

    `result` is empty for a run that was not finished, `recipe` None where it cannot be read.
    `epochs` are the rows of the log, `judged` those of `judged.jsonl`. `missing` says in sentences
    what could not be read.
    """

    folder: Path
    label: str
    slug: str
    state: str
    recipe: Recipe | None
    result: Mapping[str, Any]
    epochs: Sequence[Mapping[str, Any]]
    judged: Sequence[Mapping[str, Any]]
    noise: Mapping[str, Any]
    data: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    tables: Mapping[str, Path] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The name of the method."""
        if self.recipe is not None:
            return str(self.recipe.method.name)
        return str(self.result.get("method", "unknown method"))

    @property
    def judged_on(self) -> str:
        """The split that the run was judged on."""
        return str(self.result.get("judged_on", "validation"))

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The classes, as the run knows them; empty where nothing says it."""
        names = self.data.get("class_names") or self.result.get("last_epoch", {}).get("recalls", ())
        return tuple(str(name) for name in names)


def read_facts(folder: Path, label: str, slug: str) -> RunFacts:
    """The facts of the run in `folder`, whatever is left of it."""
    missing: list[str] = []
    recipe = _attempt(lambda: _located(folder), missing)
    state = look_at_run(folder).state
    result: Mapping[str, Any] = {}
    if (folder / "result.json").is_file():
        result = _attempt(lambda: read_run(folder), missing) or {}
    else:
        missing.append("The run was not finished: it has no result.")
    return RunFacts(
        folder,
        label,
        slug,
        state,
        recipe,
        result,
        _lines(folder / "metrics.jsonl", missing),
        _lines(folder / "judged.jsonl", missing),
        read_plainly(folder, "noise.json"),
        read_plainly(folder, "data.json"),
        tuple(missing),
        _tables(folder),
    )


def _located(folder: Path) -> Recipe:
    """The run's recipe, with its files where they lay when it began."""
    recipe = run_recipe(folder)
    started_in = read_plainly(folder, "run.json").get("started_in")
    if not isinstance(started_in, str):
        return recipe
    for key, path in as_started(plain_values(recipe), started_in).items():
        section, name = key.split(".")
        changed = getattr(recipe, section).model_copy(update={name: path})
        recipe = recipe.model_copy(update={section: changed})
    return recipe


def _attempt(read: Any, missing: list[str]) -> Any:
    try:
        return read()
    except EactfError as reason:
        missing.append(f"{re.sub(r'[.]$', '', reason.message)}.")
        return None


def _lines(path: Path, missing: list[str]) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; a line that is none ends it."""
    rows: list[dict[str, Any]] = []
    if not path.is_file():
        return rows
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            missing.append(f"{path.name} is damaged from line {number} on.")
            break
        rows.append(row)
    return rows


def _tables(folder: Path) -> dict[str, Path]:
    """The tables of single samples that the run has, by what they are of."""
    names = {"scores": "scores.csv", "division": "division.csv", "relabels": "relabels.csv"}
    return {kind: folder / name for kind, name in names.items() if (folder / name).is_file()}
