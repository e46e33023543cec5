"""What the folders of runs say of themselves: how far each run is, and how it is gone on with.

Only small files are read, and neither TensorFlow nor a recipe is loaded: this answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.suggestions import command_line
from eactf.training.beginnings import FORM
from eactf.training.folder import RunFolder
from eactf.training.lock import holder_of

__all__ = ["ListedRun", "folders_of_runs", "is_run", "list_runs", "look_at_run", "read_plainly"]

_MARKS = ("result.json", "status.json", "recipe.yaml", "run.json")


@dataclass(frozen=True)
class ListedRun:
    """What is known of a run from its folder alone.

    `state` is one of "running", "interrupted", "killed" (no living process holds it), "failed",
    "finished", "unknown" (of an older version, which held no lock) and "damaged". The figures are
    those of the judged split, the mean of the last epochs, for a finished run, else those of the
    last epoch on validation. `updated` is in seconds since 1970. `command` takes the run up again,
    None where that has no sense or cannot be; `remark` is what else there is to say.
    """

    name: str
    folder: Path
    state: str
    epoch: int | None = None
    epochs: int | None = None
    split: str | None = None
    accuracy: float | None = None
    macro_recall: float | None = None
    updated: float | None = None
    command: str | None = None
    remark: str = ""


def is_run(path: Path) -> bool:
    """Whether `path` is the folder of a run, finished or not."""
    return path.is_dir() and any((path / name).is_file() for name in _MARKS)


def list_runs(folder: Path) -> tuple[list[ListedRun], list[str]]:
    """The runs in a folder and in its folders, the latest first; and what else lies there.

    A folder that is a run itself is the only one. The runs of a comparison go by row and seed.
    """
    if is_run(folder):
        return [look_at_run(folder)], []
    runs, others = _runs_in(folder), []
    own = {run.folder for run in runs}
    for path in _folders(folder):
        if path not in own:
            inner = _runs_in(path, f"{path.name}/")
            runs += inner
            others += [] if inner else [path.name]
    return sorted(runs, key=lambda run: -(run.updated or 0.0)), others


def folders_of_runs(folder: Path) -> list[Path]:
    """The folders in a folder that are runs, by name."""
    return [path for path in _folders(folder) if _is_readable_run(path)]


def look_at_run(folder: Path, name: str = "") -> ListedRun:
    """What a run's folder says; one that is damaged or cannot be read says that.

    `name` is what to call the run, by default as its folder is called.
    """
    name = name or folder.resolve().name
    try:
        return _look_at(folder, name)
    except (DataError, OSError) as reason:
        told = reason.message if isinstance(reason, DataError) else reason_of(reason)
        return ListedRun(name, folder, "damaged", remark=told)


def read_plainly(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a folder where there is a sound one; else empty."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _runs_in(folder: Path, before: str = "") -> list[ListedRun]:
    names = _names_of_cells(folder)
    return [
        look_at_run(path, before + names.get(path.name, path.name))
        for path in folders_of_runs(folder)
    ]


def _look_at(folder: Path, name: str) -> ListedRun:
    run = RunFolder(folder)
    status, about = run.read_json("status.json"), run.read_json("run.json")
    result, log = run.read_json("result.json"), _last_row(folder)
    epochs = _epochs(about, status, result)
    state, holder = _state(about, status, result, epochs), holder_of(folder)
    if holder is not None:
        state = "running"
    judged = _section(result, "mean_of_last_epochs") if state == "finished" else {}
    done = state == "finished"
    return ListedRun(
        name,
        folder,
        state,
        epoch=epochs if done else int(_number(log, "epoch") or _number(status, "epoch") or 0),
        epochs=epochs,
        split=str(result.get("judged_on", "")) if done else "validation" if log else None,
        accuracy=_number(judged, "accuracy") if done else _number(log, "val_accuracy"),
        macro_recall=_number(judged, "macro_recall") if done else _number(log, "val_macro_recall"),
        updated=_number(status, "updated") or folder.stat().st_mtime,
        command=_command(folder, state, about, status),
        remark=_remark(folder, state, about, status, holder),
    )


def _state(
    about: Mapping[str, Any],
    status: Mapping[str, Any],
    result: Mapping[str, Any],
    epochs: int | None,
) -> str:
    """The state on record, held against what the folder holds; no process works on the run."""
    told = str(status.get("state", "running"))
    if about.get("form") == FORM:
        if result and result.get("epochs") == epochs:
            return "finished"  # though killed before it could say so
        return told if told in ("interrupted", "failed") else "killed"
    if result:
        return "finished"
    return told if told in ("interrupted", "failed") else "unknown"


def _command(
    folder: Path, state: str, about: Mapping[str, Any], status: Mapping[str, Any]
) -> str | None:
    stopped = state in ("interrupted", "killed", "failed")
    if not stopped or about.get("form") != FORM or status.get("repeats"):
        return None
    return command_line("eactf", "train", "--resume", folder)


def _remark(
    folder: Path,
    state: str,
    about: Mapping[str, Any],
    status: Mapping[str, Any],
    holder: str | None,
) -> str:
    if holder is not None:
        return f"{holder} works on it"
    if state == "finished":
        return ""
    if not (folder / "recipe.yaml").is_file():
        raise DataError(f"{folder / 'recipe.yaml'} is gone")
    told = [str(status.get("reason", "")).partition("\n")[0]] if state == "failed" else []
    if about.get("form") != FORM:
        by = f"eactf {about['eactf']}" if "eactf" in about else "an older version of eactf"
        again = command_line("eactf", "train", "--recipe", folder / "recipe.yaml")
        told += [f"by {by}, in a form that cannot be taken up here; anew:\n  {again}"]
    elif status.get("repeats"):
        told += ["the same steps would fail again"]
    return "; ".join(part for part in told if part)


def _epochs(*told: Mapping[str, Any]) -> int | None:
    about, status, result = told
    found = _number(_section(about, "recipe"), "train.epochs")
    found = found or _number(result, "epochs") or _number(status, "epochs")
    return None if found is None else int(found)


def _names_of_cells(folder: Path) -> dict[str, str]:
    """What the runs of a comparison are called in its table, by the names of their folders."""
    entries = read_plainly(folder, "index.json").items()
    return {
        name: f"{entry['row']}, seed {entry['seed']}"
        for name, entry in entries
        if isinstance(entry, dict) and entry.keys() >= {"row", "seed"}
    }


def _last_row(folder: Path) -> dict[str, Any]:
    """The last epoch of `metrics.jsonl`."""
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        row = json.loads(next((line for line in reversed(lines) if line.strip()), "{}"))
    except ValueError as reason:
        raise DataError(f"{path} is damaged: {reason_of(reason)}") from reason
    return row if isinstance(row, dict) else {}


def _section(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _number(values: Mapping[str, Any], name: str) -> float | None:
    found = values.get(name)
    return float(found) if isinstance(found, (int, float)) else None


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; none where it cannot be read, and no hidden ones."""
    try:
        return sorted(
            path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
    except OSError:
        return []


def _is_readable_run(path: Path) -> bool:
    try:
        return is_run(path)
    except OSError:
        return False
