"""A cell is one run of a comparison, a recipe with a seed; a finished one is found again here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf.data.opened import data_settings
from eactf.data.planted import refuse_planted_noise
from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.recipe import Recipe, load_recipe
from eactf.report.inputs import inputs_digest
from eactf.training.run_list import look_at_run, read_plainly

__all__ = [
    "Cell",
    "finished_run",
    "make_cell",
    "network_of",
    "next_folder",
    "read_run",
    "run_recipe",
    "unfinished_run",
]

_HOW_IT_IS_RUN = ("checkpoint_minutes", "stop_after")
"""Keys of `train` that decide when a run is saved and broken off, and nothing of its result."""

_READ = {
    "method",
    "judged_on",
    "last_epoch",
    "mean_of_last_epochs",
    "best_on_validation",
    "seconds",
    "epochs",
}
"""What is read of a result."""


@dataclass(frozen=True)
class Cell:
    """One run of a comparison.

    `row` is what the runs of all seeds share in the table, `arguments` what `eactf train` is called
    with, `key` sixteen hex digits of everything that decides the result: the resolved recipe, seed
    included, and the contents of the files it names. `network` is the same for cells whose epochs
    may be compared in seconds: data, network, batch and precision are the same. `paper` and
    `paper_top5` are the published accuracies, 0 to 1, None without one. `best_on_test` asks for
    that figure as well, `every_epoch` for those of each epoch in `judged.jsonl`. `going_on` are the
    settings under which a run that stopped is taken up.
    """

    row: str
    seed: int
    arguments: tuple[str, ...]
    key: str
    network: str
    paper: float | None = None
    paper_top5: float | None = None
    best_on_test: bool = False
    going_on: tuple[str, ...] = ()
    every_epoch: bool = False


def make_cell(
    row: str,
    recipe: str,
    seed: int,
    *,
    overrides: Sequence[str] = (),
    data: Path | None = None,
    paper: float | None = None,
    paper_top5: float | None = None,
) -> Cell:
    """The cell of `recipe` under `overrides` (`key=value`); raises what loading it does."""
    settings = [*overrides, f"seed={seed}"]
    arguments = ["--recipe", recipe]
    arguments += [] if data is None else ["--data", str(data.absolute())]
    resolved = load_recipe(recipe, settings, data_settings(data))
    refuse_planted_noise(resolved)
    for setting in settings:
        arguments += ["--set", setting]
    return Cell(
        row,
        seed,
        tuple(arguments),
        _key(resolved.recipe),
        network_of(resolved.recipe),
        paper,
        paper_top5,
        resolved.recipe.report.best_on_test,
        _going_on(resolved.recipe),
        resolved.recipe.report.every_epoch,
    )


def finished_run(cell: Cell, folder: Path) -> Path | None:
    """The cell's run under `folder`, where it was finished; whichever attempt that was."""
    attempts = sorted(folder.glob(f"{cell.key}*"))
    done = [path for path in attempts if (path / "result.json").is_file()]
    if cell.best_on_test:
        done = [path for path in done if read_run(path).get("best_on_test")]
    if cell.every_epoch:
        done = [path for path in done if (path / "judged.jsonl").is_file()]
    return next(iter(done), None)


def unfinished_run(cell: Cell, folder: Path) -> Path | None:
    """The cell's run under `folder` that stopped and can be taken up; the furthest of several."""
    attempts = map(look_at_run, sorted(folder.glob(f"{cell.key}*")))
    stopped = [run for run in attempts if run.command is not None]
    for key in ("best_on_test", "every_epoch"):
        if getattr(cell, key):
            stopped = [run for run in stopped if _was_told(run.folder, f"report.{key}")]
    furthest = max(stopped, key=lambda run: run.epoch or 0, default=None)
    return None if furthest is None else furthest.folder


def next_folder(cell: Cell, folder: Path) -> Path:
    """A free name for the cell's next attempt; what an earlier one left stays as it is."""
    attempt = 1
    while True:
        path = folder / (cell.key if attempt == 1 else f"{cell.key}-{attempt}")
        if not path.exists():
            return path
        attempt += 1


def read_run(folder: Path) -> dict[str, Any]:
    """The `result.json` of a finished run; `DataError` where there is none or it is damaged."""
    path = folder / "result.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as reason:
        state = " (it was not finished)" if (folder / "status.json").is_file() else ""
        raise DataError(
            f"{folder} holds no result of a finished run{state}: {reason_of(reason)}",
            hint="give folders that 'eactf train' has finished, or recipes to run",
        ) from reason
    if not isinstance(result, dict) or not result.keys() >= _READ:
        raise DataError(
            f"{path} is not the result of a run of eactf, or damaged",
            hint="train it again, or leave it out",
        )
    for section in ("last_epoch", "mean_of_last_epochs", "best_on_validation"):
        if not isinstance(result[section], dict) or "accuracy" not in result[section]:
            raise DataError(f"{path}: {section} has no accuracy", hint="train it again")
    return result


def run_recipe(folder: Path) -> Recipe:
    """The recipe of a run, seed included."""
    return load_recipe(str(folder / "recipe.yaml")).recipe


def network_of(recipe: Recipe) -> str:
    """What decides how long an epoch takes, the method apart, as text to compare."""
    sections = {"data": recipe.data, "model": recipe.model, "train": recipe.train}
    told = {name: section.model_dump(mode="json") for name, section in sections.items()}
    for key in ("epochs", *_HOW_IT_IS_RUN):
        del told["train"][key]
    # Of some methods an epoch is a number of steps, and no pass over the data.
    steps = getattr(recipe.method, "steps_per_epoch", None)
    return json.dumps(told if steps is None else {**told, "steps_per_epoch": steps})


def _key(recipe: Recipe) -> str:
    # Whether every epoch is judged as well changes no figure of the last ones.
    report = recipe.report.model_copy(update={"best_on_test": False, "every_epoch": False})
    told = recipe.model_copy(update={"report": report})
    text = told.model_dump_json(exclude={"train": set(_HOW_IT_IS_RUN)})
    return hashlib.sha256(text.encode() + inputs_digest(recipe)).hexdigest()[:16]


def _going_on(recipe: Recipe) -> tuple[str, ...]:
    """As the recipe has it now, whatever the run that stopped was told."""
    values = {name: getattr(recipe.train, name) for name in _HOW_IT_IS_RUN}
    return tuple(
        f"train.{name}={'null' if value is None else value}" for name, value in values.items()
    )


def _was_told(folder: Path, key: str) -> bool:
    """Whether a run has this key of `report` set; the key of its cell does not say."""
    values = read_plainly(folder, "run.json").get("recipe")
    return isinstance(values, dict) and bool(values.get(key))
