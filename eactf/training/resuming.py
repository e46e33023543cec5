"""`resume` takes up a run that stopped, from its folder alone, as if it had never stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eactf import console
from eactf.cluster import Cluster
from eactf.data.prepare import PreparedData, prepare_data
from eactf.data.run_record import FILE_NAME, RunRecord, record_of
from eactf.errors import DataError, UsageError
from eactf.recipe import ResolvedRecipe, load_recipe, seconds_of
from eactf.suggestions import command_line
from eactf.training.beginnings import (
    FORM,
    FREE_KEYS,
    located,
    plain_values,
    write_run_file,
)
from eactf.training.checkpoints import Checkpoint, read_checkpoint
from eactf.training.folder import ChiefsFolder, RunFolder
from eactf.training.interrupts import Interrupts
from eactf.training.memory import refuse_if_too_large
from eactf.training.run import RunResult, carry_out
from eactf.training.run_state import RunState
from eactf.training.session import open_session
from eactf.training.summary import announce, show_result
from eactf.training.workers import chiefs_folder, join, taking_part
from eactf.wording import counted

__all__ = ["FREE_KEYS", "find_run", "resume"]


def resume(run: str | Path, *, overrides: Sequence[str] = ()) -> RunResult:
    """Take up the run in a folder, or of a name under `runs/`, and carry it to its end.

    Weights, metrics and result are those of a run that was never stopped. `overrides` (`key=value`)
    may change `FREE_KEYS`, `train.epochs` upwards. A finished run is told of and left as it is.
    Raises `UsageError` where there is no run, a living process works on it, or another key is
    changed; `DataError` where the data is not what it was; and what `train` raises.
    """
    with taking_part() as cluster:
        path = find_run(run)
        folder = RunFolder(path) if cluster is None or cluster.leads else ChiefsFolder(path)
        about = _about(folder)
        resolved = _recipe(folder, about, overrides)
        with folder.lock():
            return _taken_up(folder, resolved, about, cluster)


def find_run(run: str | Path) -> Path:
    """The folder of a run: as given, or by its name under `runs/`."""
    for path in (Path(run), Path("runs") / run):
        if (path / "recipe.yaml").is_file():
            return path
    exists = Path(run).exists() or (Path("runs") / run).exists()
    raise UsageError(
        f"{run} is no run's folder: it has no recipe.yaml" if exists else f"there is no run {run}",
        hint="the runs and how to go on with each: eactf runs",
    )


def _taken_up(
    folder: RunFolder, resolved: ResolvedRecipe, about: dict[str, Any], cluster: Cluster | None
) -> RunResult:
    checkpoint = _checkpoint(folder)
    state = RunState() if checkpoint is None else RunState.from_facts(checkpoint.facts["run"])
    epochs = resolved.recipe.train.epochs
    if state.epoch >= epochs and (folder.path / "result.json").is_file():
        result = folder.read_json("result.json")
        # Killed between the two, a run has its result and says that it is running.
        folder.write_status("finished", epoch=state.epoch, epochs=epochs)
        console.say(f"{folder.path} is finished: nothing is left to do", markup=False)
        show_result(result, folder.path)
        return RunResult(folder.path, result)
    limit = resolved.recipe.train.stop_after
    interrupts = Interrupts(None if limit is None else seconds_of(limit))
    as_begun = located(resolved, about)
    data = prepare_data(as_begun.recipe, looked_through=as_begun.looked_through)
    _refuse_other_data(folder, data)
    workers = join(cluster, as_begun.recipe, data, stands=_standing(folder, state))
    with workers.watched():
        session = open_session(as_begun.recipe, data, workers)
    refuse_if_too_large(session)
    if not workers.leads:
        chiefs_folder(workers, folder.path)
    folder.clean_up()
    if plain_values(resolved.recipe) != about["recipe"]:
        folder.write_text("recipe.yaml", resolved.dump_yaml())
        write_run_file(folder, resolved, started_in=about["started_in"])
    folder.set_result_aside()
    if state.rows:
        folder.write_epochs(state.rows)
    announce(session, resolved, folder.path)
    console.say(f"going on {_place(state, epochs)}\n")
    folder.write_status("running", epoch=state.epoch, epochs=epochs)
    stored = None if checkpoint is None else checkpoint.state
    return carry_out(session, folder, state, interrupts, stored)


def _place(state: RunState, epochs: int) -> str:
    if state.epoch >= epochs:
        return "with the judging: all epochs are trained"
    if state.step:
        return f"in epoch {state.epoch + 1}, after {counted(state.step, 'step')} of it"
    return f"after {counted(state.epoch, 'epoch')}" if state.epoch else "from the start"


def _standing(folder: RunFolder, state: RunState) -> str:
    """Where the run is, for the workers of one run to compare."""
    place = f"{counted(state.epoch, 'epoch')}, {counted(state.step, 'step')}"
    return f"{folder.path.name} after {place}, {state.seconds} seconds"


def _checkpoint(folder: RunFolder) -> Checkpoint | None:
    path = folder.checkpoint("last")
    return read_checkpoint(path) if path.is_file() else None


def _about(folder: RunFolder) -> dict[str, Any]:
    """What the run wrote of itself; `UsageError` where another version did, in another form."""
    about = folder.read_json("run.json")
    if about.get("form") == FORM:
        return about
    written = f"eactf {about['eactf']}" if "eactf" in about else "an older version of eactf"
    again = command_line("eactf", "train", "--recipe", str(folder.path / "recipe.yaml"))
    raise UsageError(
        f"{folder.path} was written by {written}, in a form that this version does not take up",
        hint=f"go on with that version, or train the recipe anew: {again}",
    )


def _recipe(folder: RunFolder, about: dict[str, Any], overrides: Sequence[str]) -> ResolvedRecipe:
    """The run's recipe; `UsageError` that names every key changed that must not be."""
    resolved = load_recipe(str(folder.path / "recipe.yaml"), overrides)
    resolved = replace(resolved, name=about["name"], looked_through=about["looked_through"])
    before, now = about["recipe"], plain_values(resolved.recipe)
    wrong = list(_changes(before, now))
    if wrong:
        raise UsageError(
            f"{folder.path} cannot be gone on with under another recipe:\n  " + "\n  ".join(wrong),
            hint=f"may be changed: {', '.join(FREE_KEYS)}; for the rest train anew",
        )
    return resolved


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in [*before, *(key for key in now if key not in before)]:
        old: Any = before.get(key)
        new: Any = now.get(key)
        if old == new or (key in FREE_KEYS and key != "train.epochs"):
            continue
        if key != "train.epochs":
            yield f"{key} = {new}, the run has {old}"
        elif int(new) < int(old):
            yield f"{key} = {new}, the run has {old}: only upwards"


def _refuse_other_data(folder: RunFolder, data: PreparedData) -> None:
    """`DataError` where images, splits or labels are not those that the run began with."""
    record, now = RunRecord.read(folder.path / FILE_NAME), record_of(data)
    if record is None or record.csv_bytes() != now.csv_bytes():
        found = record.change(data.dataset) if record is not None else "samples.csv is gone"
        raise DataError(
            f"{data.dataset.source} is not what {folder.path} was trained on:"
            f" {found or 'the same images in other splits or under other names'}",
            hint="bring the data back as it was, or train anew",
        )
    if folder.read_json("noise.json").get("sha256") != data.manifest.sha256:
        raise DataError(
            f"the training labels are not those that {folder.path} began with (its labels.csv)",
            hint="bring the labels back as they were, or train anew",
        )
