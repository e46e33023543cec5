"""`tell_unfinished` says, before a run begins, that an earlier one like it can be gone on with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eactf import console
from eactf.training.beginnings import FREE_KEYS, as_started, plain_values
from eactf.training.run_list import ListedRun, folders_of_runs, look_at_run, read_plainly

if TYPE_CHECKING:
    from eactf.recipe import ResolvedRecipe

__all__ = ["tell_unfinished"]


def tell_unfinished(
    resolved: ResolvedRecipe, fingerprint: Callable[[], str], folder: Path = Path("runs")
) -> None:
    """Say where an unfinished run of the same recipe on the same data lies, and how to go on.

    `fingerprint` gives that of the data now; it is asked only where a recipe is the same.
    """
    values = plain_values(resolved.recipe)
    found = list(_on_the_same_data(_alike(folder, values), fingerprint))
    if not found:
        return
    run = max(found, key=lambda run: run.epoch or 0)
    command, epochs = str(run.command), values["train.epochs"]
    command += "" if run.epochs == epochs else f" --set train.epochs={epochs}"
    more = f" and {len(found) - 1} more (eactf runs)" if len(found) > 1 else ""
    console.emit("unfinished", folder=str(run.folder), state=run.state, command=command)
    console.say(
        f"{run.folder}{more}: an unfinished run of this recipe on this data, {run.state} after"
        f" epoch {run.epoch or 0} of {run.epochs}; to go on with it instead of a new one:\n"
        f"  {command}\n",
        markup=False,
    )


def _alike(folder: Path, now: Mapping[str, Any]) -> Iterator[ListedRun]:
    """The runs in a folder that could be gone on with under the recipe whose values these are."""
    wanted = _what_steps_depend_on(now, os.getcwd())
    for path in folders_of_runs(folder):
        run, about = look_at_run(path), read_plainly(path, "run.json")
        if run.command is None or run.epochs is None or run.epochs > now["train.epochs"]:
            continue
        if _what_steps_depend_on(about["recipe"], str(about.get("started_in", ""))) == wanted:
            yield run


def _on_the_same_data(
    runs: Iterable[ListedRun], fingerprint: Callable[[], str]
) -> Iterator[ListedRun]:
    now = None
    for run in runs:
        now = fingerprint() if now is None else now
        if read_plainly(run.folder, "data.json").get("fingerprint", now) == now:
            yield run


def _what_steps_depend_on(values: Mapping[str, Any], started_in: str) -> dict[str, Any]:
    located = {**values, **as_started(values, started_in)}
    return {key: value for key, value in located.items() if key not in FREE_KEYS}
