"""The cells of a comparison: one recipe with one seed each, found again by what it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf.errors import DataError
from eactf.recipe import Recipe, ResolvedRecipe, load_recipe

__all__ = [
    "Cell",
    "finished_run",
    "make_cell",
    "network_of",
    "next_folder",
    "read_run",
    "run_recipe",
]

_FINGERPRINTED = 2**20


@dataclass(frozen=True)
class Cell:
    """One run of a comparison.

    `row` is what the runs of all seeds share in the table, `arguments` what `eactf train` is called
    with, `key` sixteen hex digits of everything that decides the result: the resolved recipe, seed
    included, and the data file. `network` is the same for cells whose epochs may be compared in
    seconds: data, network, batch and precision are the same. `paper` and `paper_top5` are the
    published accuracies, 0 to 1, None without one.
    """

    row: str
    seed: int
    arguments: tuple[str, ...]
    key: str
    network: str
    paper: float | None = None
    paper_top5: float | None = None


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
    extra: dict[str, tuple[object, str]] = {}
    arguments = ["--recipe", recipe]
    if data is not None:
        extra = {"data.path": (str(data.absolute()), "--data")}
        arguments += ["--data", str(data.absolute())]
    resolved = load_recipe(recipe, settings, extra)
    for setting in settings:
        arguments += ["--set", setting]
    key, network = _key(resolved), network_of(resolved.recipe)
    return Cell(row, seed, tuple(arguments), key, network, paper, paper_top5)


def finished_run(cell: Cell, folder: Path) -> Path | None:
    """The cell's run under `folder`, where it was finished; whichever attempt that was."""
    attempts = sorted(folder.glob(f"{cell.key}*"))
    return next((path for path in attempts if (path / "result.json").is_file()), None)


def next_folder(cell: Cell, folder: Path) -> Path:
    """A free name for the cell's next attempt; what an interrupted one left stays as it is."""
    attempt = 1
    while True:
        path = folder / (cell.key if attempt == 1 else f"{cell.key}-{attempt}")
        if not path.exists():
            return path
        attempt += 1


def read_run(folder: Path) -> dict[str, Any]:
    """The `result.json` of a finished run; `DataError` where there is none to read."""
    path = folder / "result.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as reason:
        state = " (it was not finished)" if (folder / "status.json").is_file() else ""
        raise DataError(
            f"{folder} holds no result of a finished run{state}: {reason}",
            hint="give folders that 'eactf train' has finished, or recipes to run",
        ) from reason
    if not isinstance(result, dict) or "mean_of_last_epochs" not in result:
        raise DataError(f"{path} is not the result of a run of eactf")
    return result


def run_recipe(folder: Path) -> Recipe:
    """The recipe of a run but for its seed, which is 0."""
    return load_recipe(str(folder / "recipe.yaml"), ["seed=0"]).recipe


def network_of(recipe: Recipe) -> str:
    """What decides how long an epoch takes, the method apart, as text to compare."""
    sections = {"data": recipe.data, "model": recipe.model, "train": recipe.train}
    told = {name: section.model_dump(mode="json") for name, section in sections.items()}
    del told["train"]["epochs"]
    return json.dumps(told)


def _key(resolved: ResolvedRecipe) -> str:
    digest = hashlib.sha256(resolved.recipe.model_dump_json().encode())
    path = resolved.recipe.data.path
    if path is not None and Path(path).is_file():
        # A packed file is named by its size and its beginning: the header holds its facts.
        digest.update(str(Path(path).stat().st_size).encode())
        with Path(path).open("rb") as file:
            digest.update(file.read(_FINGERPRINTED))
    return digest.hexdigest()[:16]
