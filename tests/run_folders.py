"""Folders of runs, written by hand: what training leaves of a run that stopped or was finished."""

from __future__ import annotations

import json
import time

from eactf.recipe import load_recipe
from eactf.training.beginnings import write_run_file
from eactf.training.folder import RunFolder


def write_run(path, *settings, state="interrupted", epoch=1, recipe="quickstart", **status):
    """A run of so many epochs that `status.json` calls `state`; one that is finished is whole."""
    path.mkdir(parents=True)
    folder, resolved = RunFolder(path), load_recipe(recipe, settings)
    folder.write_text("recipe.yaml", resolved.dump_yaml())
    write_run_file(folder, resolved)
    folder.write_json("data.json", {"fingerprint": "f00d"})
    if epoch:
        row = {"val_accuracy": 0.5, "val_macro_recall": 0.25}
        folder.write_epochs([{"epoch": number + 1, **row} for number in range(epoch)])
    if state == "finished":
        figures = {"accuracy": 0.75, "macro_recall": 0.7}
        facts = {"method": "eac", "judged_on": "test", "seconds": 60.0}
        sections = ("last_epoch", "mean_of_last_epochs", "best_on_validation")
        result = facts | dict.fromkeys(sections, figures)
        folder.write_json("result.json", {**result, "epochs": resolved.recipe.train.epochs})
    folder.write_status(state, **status)
    return path


def of_an_older_version(path):
    """Make a run one of eactf before runs could be taken up."""
    (path / "run.json").unlink()
    return path


def change_json(path, **fields):
    """Put other values into a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def written_before(path, seconds):
    """Have a run say that it was written so long ago."""
    change_json(path / "status.json", updated=time.time() - seconds)
    return path
