"""Running a comparison's cells: what is run, what is kept, what a failure or a stop leaves."""

from __future__ import annotations

import json

import pytest
from run_folders import of_an_older_version, write_run

from eactf.errors import DataError, Interrupted, RecipeError, TrainingError, UsageError
from eactf.recipe import load_recipe
from eactf.report.cell_process import _arguments
from eactf.report.cells import finished_run, make_cell, network_of, read_run, unfinished_run
from eactf.report.comparison import run_cells
from eactf.report.finished import finished_rows
from eactf.training.lock import RunLock


def result(accuracy):
    figures = {"accuracy": accuracy, "macro_recall": 0.5}
    sections = ("last_epoch", "mean_of_last_epochs", "best_on_validation")
    facts = {"method": "eac", "judged_on": "test", "seconds": 60.0, "epochs": 3}
    return facts | dict.fromkeys(sections, figures)


class Trainer:
    """Stands in for training: writes a result, or fails as it is told to."""

    def __init__(self, known=(), **failures):
        self.failures = failures
        self.known = known
        self.trained = []
        self.folders = []

    def __call__(self, cell, folder):
        self.trained.append(cell)
        self.folders.append(folder.name)
        folder.mkdir(parents=True, exist_ok=folder.name in self.known)
        (folder / "status.json").write_text("{}")
        failure = self.failures.pop(f"seed{cell.seed}", "")
        if isinstance(failure, BaseException):
            raise failure
        if not failure:
            (folder / "result.json").write_text(json.dumps(result(0.5 + cell.seed / 10)))
        return (4 if failure else 0), failure


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


def test_a_cell_that_left_nothing_to_take_up_is_run_again_beside_it(tmp_path):
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
    for damaged in ("[]", '{"mean_of_last_epochs": 1}'):
        (tmp_path / "result.json").write_text(damaged)
        with pytest.raises(DataError, match="not the result of a run"):
            read_run(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({**result(0.5), "last_epoch": 1}))
    with pytest.raises(DataError, match="last_epoch has no accuracy"):
        read_run(tmp_path)


def finished(folder, accuracy, *settings):
    folder.mkdir()
    resolved = load_recipe("quickstart", settings)
    (folder / "recipe.yaml").write_text(resolved.dump_yaml(), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(result(accuracy)))
    return folder


def test_finished_runs_that_differ_in_the_seed_alone_are_one_row(tmp_path):
    runs = [
        finished(tmp_path / "a", 0.5, "seed=1"),
        finished(tmp_path / "b", 0.6, "seed=2"),
        finished(tmp_path / "c", 0.7, "train.epochs=3"),
    ]
    rows = finished_rows(runs)
    assert [row.name for row in rows] == ["a, eac", "c, eac"]
    assert [len(row.results) for row in rows] == [2, 1]


def test_one_run_counted_twice_is_refused(tmp_path):
    runs = [finished(tmp_path / name, 0.5, "seed=1") for name in ("a", "b")]
    with pytest.raises(UsageError, match="are one recipe with one seed"):
        finished_rows(runs)


def test_runs_of_different_data_are_warned_of(tmp_path, capsys):
    finished_rows(
        [
            finished(tmp_path / "a", 0.5),
            finished(tmp_path / "b", 0.5, "data.drawn.difficulty=0.1"),
        ]
    )
    assert "different data" in capsys.readouterr().err


def test_a_run_without_the_best_on_test_says_so(tmp_path, capsys):
    finished_rows([finished(tmp_path / "a", 0.5)], optimistic=True)
    assert "was not run with report.best_on_test" in capsys.readouterr().err


def test_when_every_cell_fails_the_comparison_fails(tmp_path):
    trainer = Trainer(seed0="the loss is nan", seed1="the loss is nan", seed2="the loss is inf")
    with pytest.raises(TrainingError, match="every run failed; the last: the loss is inf"):
        run_cells(cells(), tmp_path, train=trainer)
    assert len(json.loads((tmp_path / "index.json").read_text())) == 3


def test_the_index_keeps_what_was_run_before_and_spares_another_programs_file(tmp_path):
    run_cells(cells(1), tmp_path, train=Trainer())
    run_cells(cells(1, overrides=["train.epochs=3"]), tmp_path, train=Trainer())
    assert len(json.loads((tmp_path / "index.json").read_text())) == 2
    (tmp_path / "index.json").write_text('{"title": "mine"}')
    with pytest.raises(UsageError, match="is not of a comparison"):
        run_cells(cells(1), tmp_path, train=Trainer())
    assert (tmp_path / "index.json").read_text() == '{"title": "mine"}'
    with pytest.raises(UsageError, match="is a file"):
        run_cells(cells(1), tmp_path / "index.json", train=Trainer())


def test_the_best_on_test_is_run_for_only_where_it_is_missing(tmp_path):
    trainer = Trainer()
    run_cells(cells(1), tmp_path, train=trainer)
    optimistic = cells(1, overrides=["report.best_on_test=true"])
    assert optimistic[0].key == cells(1)[0].key
    (outcome,) = run_cells(optimistic, tmp_path, train=trainer)
    assert len(trainer.trained) == 2
    told = {**result(0.5), "best_on_test": {"accuracy": 0.6}}
    (outcome.folder / "result.json").write_text(json.dumps(told))
    run_cells(optimistic, tmp_path, train=trainer)
    run_cells(cells(1), tmp_path, train=trainer)
    assert len(trainer.trained) == 2


def left_behind(folder, cell, name="", **facts):
    """What is left of an attempt at a cell that stopped."""
    return write_run(folder / (name or cell.key), f"seed={cell.seed}", **facts)


def test_a_cell_that_stopped_is_taken_up_in_its_folder(tmp_path, capsys):
    (cell,) = cells(1)
    left = left_behind(tmp_path, cell, state="running", epoch=2)
    trainer = Trainer(known=[cell.key])
    (outcome,) = run_cells([cell], tmp_path, train=trainer)
    assert outcome.folder == left
    assert trainer.folders == [cell.key]
    assert f"going on with {left}" in "".join(capsys.readouterr().out.splitlines())


def test_a_cell_that_is_taken_up_needs_its_folder_and_the_times_of_now(tmp_path):
    (cell,) = cells(1, overrides=["train.stop_after=5m"])
    (tmp_path / cell.key).mkdir()
    words = _arguments(cell, tmp_path / cell.key)
    assert words[:2] == ["--resume", str(tmp_path / cell.key)]
    assert words[2:] == ["--set", "train.checkpoint_minutes=10.0", "--set", "train.stop_after=5m"]
    assert "train.stop_after=null" in cells(1)[0].going_on
    assert _arguments(cell, tmp_path / "new") == [
        *cell.arguments,
        *("--run-dir", str(tmp_path / "new")),
    ]


def test_the_attempt_that_is_furthest_is_taken_up(tmp_path):
    (cell,) = cells(1)
    left_behind(tmp_path, cell, epoch=2)
    furthest = left_behind(tmp_path, cell, f"{cell.key}-2", epoch=5)
    left_behind(tmp_path, cell, f"{cell.key}-3", epoch=1)
    assert unfinished_run(cell, tmp_path) == furthest


def test_what_cannot_be_taken_up_is_run_anew(tmp_path):
    (cell,) = cells(1)
    of_an_older_version(left_behind(tmp_path, cell))
    left_behind(tmp_path, cell, f"{cell.key}-2", state="failed", repeats=True)
    running = left_behind(tmp_path, cell, f"{cell.key}-3")
    trainer = Trainer()
    with RunLock(running):
        run_cells([cell], tmp_path, train=trainer)
    assert trainer.folders == [f"{cell.key}-4"]


class Refusing(Trainer):
    """Refuses to take up a run, before anything of it is touched."""

    def __call__(self, cell, folder):
        if folder.exists():
            self.folders.append(folder.name)
            return 3, "the data is not what it was"
        return super().__call__(cell, folder)


def test_a_run_that_is_refused_is_begun_anew_and_that_is_told(tmp_path, capsys):
    (cell,) = cells(1)
    left = left_behind(tmp_path, cell)
    trainer = Refusing()
    (outcome,) = run_cells([cell], tmp_path, train=trainer)
    assert trainer.folders == [cell.key, f"{cell.key}-2"]
    assert outcome.result is not None
    said = "".join(capsys.readouterr().err.splitlines())
    assert f"{left} cannot be gone on with, a new run is begun: the data is not what" in said


def test_a_run_that_is_taken_up_and_fails_is_a_failure(tmp_path):
    (cell,) = cells(1)
    left_behind(tmp_path, cell)
    trainer = Trainer(known=[cell.key], seed0="the disk is full")
    with pytest.raises(TrainingError, match="the disk is full"):
        run_cells([cell], tmp_path, train=trainer)
    assert trainer.folders == [cell.key]


def test_a_run_without_the_best_on_test_is_not_taken_up_for_it(tmp_path):
    (cell,) = cells(1, overrides=["report.best_on_test=true"])
    left_behind(tmp_path, cell)
    assert unfinished_run(cell, tmp_path) is None
    write_run(tmp_path / f"{cell.key}-2", "report.best_on_test=true")
    assert unfinished_run(cell, tmp_path) == tmp_path / f"{cell.key}-2"


def test_a_run_without_the_figures_of_every_epoch_does_not_serve_who_asks_for_them(tmp_path):
    (cell,) = cells(1, overrides=["report.every_epoch=true"])
    left_behind(tmp_path, cell)
    assert unfinished_run(cell, tmp_path) is None
    write_run(tmp_path / f"{cell.key}-2", "report.every_epoch=true")
    assert unfinished_run(cell, tmp_path) == tmp_path / f"{cell.key}-2"
    done = tmp_path / f"{cell.key}-3"
    done.mkdir()
    (done / "result.json").write_text("{}")
    assert finished_run(cell, tmp_path) is None
    (done / "judged.jsonl").write_text("")
    assert finished_run(cell, tmp_path) == done


def test_an_epoch_of_so_many_steps_is_not_held_against_a_pass_over_the_data():
    recipe = load_recipe("quickstart").recipe
    by_steps = recipe.method.model_copy(update={"steps_per_epoch": 5})
    assert network_of(recipe.model_copy(update={"method": by_steps})) != network_of(recipe)


def test_when_it_is_saved_and_stopped_makes_no_other_cell():
    (plain,) = cells(1)
    (timed,) = cells(1, overrides=["train.stop_after=5m", "train.checkpoint_minutes=1"])
    assert (timed.key, timed.network) == (plain.key, plain.network)
    other = load_recipe("quickstart", ["train.batch_size=16"]).recipe
    assert network_of(other) != plain.network


def test_runs_that_the_time_stopped_are_no_failures(tmp_path, capsys):
    def out_of_time(cell, folder):
        return (
            75,
            "stopped in epoch 1, after step 2: the time of train.stop_after is over\n\n  --resume",
        )

    with pytest.raises(Interrupted, match="the same command goes on") as stop:
        run_cells(cells(2), tmp_path, train=out_of_time)
    assert stop.value.exit_code == 75
    assert "--resume" not in str(stop.value)
    assert "failed" not in capsys.readouterr().err
