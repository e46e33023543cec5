"""Running a comparison's cells: what is run, what is kept, what a failure or a stop leaves."""

from __future__ import annotations

import json

import pytest

from eactf.errors import DataError, EactfError, Interrupted, RecipeError
from eactf.report.cells import finished_run, make_cell, read_run, run_recipe
from eactf.report.comparison import run_cells


def result(accuracy):
    return {"method": "eac", "mean_of_last_epochs": {"accuracy": accuracy, "macro_recall": 0.5}}


class Trainer:
    """Stands in for training: writes a result, or fails as it is told to."""

    def __init__(self, **failures):
        self.failures = failures
        self.trained = []

    def __call__(self, cell, folder):
        self.trained.append(cell)
        folder.mkdir(parents=True)
        (folder / "status.json").write_text("{}")
        failure = self.failures.pop(f"seed{cell.seed}", "")
        if isinstance(failure, BaseException):
            raise failure
        if not failure:
            (folder / "result.json").write_text(json.dumps(result(0.5 + cell.seed / 10)))
        return failure


def cells(count=3, **settings):
    return [make_cell("mine", "quickstart", seed, **settings) for seed in range(count)]


def test_every_cell_is_run_once_and_not_again(tmp_path):
    trainer = Trainer()
    first = run_cells(cells(), tmp_path, train=trainer)
    again = run_cells(cells(), tmp_path, train=trainer)
    assert [cell.seed for cell in trainer.trained] == [0, 1, 2]
    accuracies = [outcome.result["mean_of_last_epochs"]["accuracy"] for outcome in again]
    assert accuracies == [0.5, 0.6, 0.7]
    assert [outcome.folder for outcome in again] == [outcome.folder for outcome in first]


def test_another_setting_is_another_cell(tmp_path):
    trainer = Trainer()
    run_cells(cells(1), tmp_path, train=trainer)
    run_cells(cells(1, overrides=["train.epochs=3"]), tmp_path, train=trainer)
    assert len(trainer.trained) == 2
    assert len({cell.key for cell in trainer.trained}) == 2


def test_other_data_is_another_cell(tmp_path):
    keys = set()
    for content in (b"one", b"two", b"longer"):
        (tmp_path / "data.h5").write_bytes(content)
        keys.add(make_cell("mine", "ferplus-clean", 0, data=tmp_path / "data.h5").key)
    assert len(keys) == 3


def test_an_interrupted_cell_is_run_again_beside_what_it_left(tmp_path):
    trainer = Trainer(seed1=Interrupted("interrupted"))
    with pytest.raises(Interrupted):
        run_cells(cells(), tmp_path, train=trainer)
    outcomes = run_cells(cells(), tmp_path, train=trainer)
    assert [cell.seed for cell in trainer.trained] == [0, 1, 1, 2]
    left = tmp_path / outcomes[1].cell.key
    assert left.exists() and not (left / "result.json").exists()
    assert outcomes[1].folder == tmp_path / f"{outcomes[1].cell.key}-2"
    assert finished_run(outcomes[1].cell, tmp_path) == outcomes[1].folder


def test_a_failed_cell_is_told_and_the_others_go_on(tmp_path, capsys):
    outcomes = run_cells(cells(), tmp_path, train=Trainer(seed0="the loss is nan in epoch 2"))
    assert [outcome.result is None for outcome in outcomes] == [True, False, False]
    assert outcomes[0].failure == "the loss is nan in epoch 2"
    assert "mine, seed 0 failed: the loss is nan" in capsys.readouterr().err
    index = json.loads((tmp_path / "index.json").read_text())
    assert index[outcomes[0].folder.name]["failure"] == "the loss is nan in epoch 2"
    assert index[outcomes[2].folder.name]["seed"] == 2


def test_a_mistake_in_a_recipe_is_found_before_anything_runs():
    with pytest.raises(RecipeError, match="consistency_wieght"):
        cells(overrides=["method.consistency_wieght=3"])


def test_a_folder_without_a_finished_run_is_named(tmp_path):
    with pytest.raises(DataError, match="holds no result of a finished run"):
        read_run(tmp_path)
    (tmp_path / "status.json").write_text("{}")
    with pytest.raises(DataError, match="it was not finished"):
        read_run(tmp_path)
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(DataError, match="not the result of a run"):
        read_run(tmp_path)


def test_runs_that_differ_in_the_seed_alone_have_one_recipe(tmp_path):
    from eactf.recipe import load_recipe

    texts = []
    for name, settings in {"a": ["seed=1"], "b": ["seed=2"], "c": ["train.epochs=3"]}.items():
        (tmp_path / name).mkdir()
        resolved = load_recipe("quickstart", settings)
        (tmp_path / name / "recipe.yaml").write_text(resolved.dump_yaml(), encoding="utf-8")
        texts.append(run_recipe(tmp_path / name))
    assert texts[0] == texts[1] != texts[2]


def test_a_cell_in_a_process_of_its_own_says_why_it_failed(tmp_path):
    overrides = ["model.backbone=keras_applications:NoSuchNet"]
    with pytest.raises(EactfError, match=r"mine, seed 0: model\.backbone"):
        run_cells(cells(1, overrides=overrides), tmp_path)
