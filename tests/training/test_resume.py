"""A run that was stopped anywhere is taken up as if it had not been."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from eactf.errors import DataError, Interrupted, TrainingError, UsageError

# Keras 3.15 reads its variables in a way that NumPy 2 warns of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
]

METHODS = {
    "eac": ("method.corruption=blur", "method.consistency_ramp=2"),
    "cross_entropy": ("data.balance=sqrt", "data.balance_from=2"),
    "attention_consistency": (),
    "scn": ("method.relabel_epoch=1", "method.relabel_margin=0.01"),
    "rul": ("method.embedding=8", "train.precision=mixed_float16"),
    "dividemix": (
        "method.warm_up=1",
        "method.unlabelled_weight=2",
        "method.loss_history=2",
        "report.every_epoch=true",
    ),
    "two_networks": ("method.warm_up=1", "data.balance=sqrt"),
    "ada_cm": ("method.labelled_per_class=3", "method.steps_per_epoch=3"),
    "co_teaching": (
        "method.gradual=2",
        "schedule.kind=linear",
        "schedule.constant_epochs=1",
        "schedule.beta_1=0.1",
    ),
}
STEPS = 3
SETTINGS = (
    "train.epochs=3",
    "data.drawn.train=42",
    "report.last_epochs=2",
    "report.best_on_test=true",
    "optimizer.learning_rate=0.01",
)
"""Three steps an epoch, the last of ten samples."""


class Killed(BaseException):
    """Ends a run as a kill does: nothing is saved any more."""


def settings_of(name):
    return (f"method.name={name}", *SETTINGS, *METHODS[name])


def arrays(folder, which="last"):
    from eactf.training.checkpoints import read_checkpoint

    return read_checkpoint(folder / "checkpoints" / f"{which}.npz").state


def result_of(folder):
    result = json.loads((folder / "result.json").read_text())
    return {key: value for key, value in result.items() if key != "seconds"}


def assert_same_run(folder, other):
    for which in ("last", "best"):
        one, two = arrays(folder, which), arrays(other, which)
        assert one.keys() == two.keys()
        for name, array in one.items():
            np.testing.assert_array_equal(array, two[name], err_msg=name)
    assert result_of(folder) == result_of(other)
    for name in ("metrics.jsonl", "history.csv", "recipe.yaml", "samples.csv"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    for name in ("relabels.csv", "scores.csv", "traces.npz", "division.csv", "judged.jsonl"):
        assert (folder / name).exists() == (other / name).exists()
        if (folder / name).exists():
            assert (folder / name).read_bytes() == (other / name).read_bytes(), name


def begin(resolved, folder):
    from eactf.training.run import train

    return train(resolved, run_dir=folder, command=["eactf", "train"])


def take_up(folder, *overrides):
    from eactf.training import resume

    return resume(folder, overrides=overrides)


@pytest.fixture
def stop(monkeypatch):
    """Lets a run fail with `failure` where a guard's `moment` comes for the `count`th time."""
    from eactf.training import fitting

    def arrange(moment, count, failure):
        seen = []

        class Stop(fitting.StepGuard):
            pass

        def stopping(self, place=None, logs=None):
            seen.append(None)
            if len(seen) == count:
                raise failure
            known = getattr(super(Stop, self), moment)
            return known(logs=logs) if place is None else known(place, logs=logs)

        setattr(Stop, moment, stopping)
        monkeypatch.setattr(fitting, "StepGuard", Stop)

    yield arrange
    monkeypatch.undo()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Makes the run that nobody stopped, once a method."""
    made = {}

    def run(recipe, name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("undisturbed") / name
            begin(recipe(*settings_of(name)), made[name])
        return made[name]

    return run


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", METHODS)
def test_every_method_goes_on_within_an_epoch_to_the_bit(
    recipe, tmp_path, monkeypatch, stop, undisturbed, name
):
    folder = tmp_path / "run"
    stop("on_train_batch_end", STEPS + 2, Interrupted("enough"))
    with pytest.raises(Interrupted, match="enough") as caught:
        begin(recipe(*settings_of(name)), folder)
    assert f"eactf train --resume {folder}" in caught.value.hint
    assert json.loads((folder / "status.json").read_text())["state"] == "interrupted"
    monkeypatch.undo()
    take_up(folder)
    assert_same_run(folder, undisturbed(recipe, name))
    status = json.loads((folder / "status.json").read_text())
    assert (status["state"], status["epoch"]) == ("finished", 3)


def test_several_devices_go_on_to_the_bit_too(recipe, tmp_path, monkeypatch, stop, two_devices):
    from eactf.training import session

    monkeypatch.setattr(session, "choose_strategy", lambda devices: two_devices)
    settings = (*settings_of("scn"), "train.epochs=2", "train.devices=2")
    folder, whole = tmp_path / "run", tmp_path / "whole"
    stop("on_train_batch_end", STEPS + 2, Interrupted("enough"))
    with pytest.raises(Interrupted):
        begin(recipe(*settings), folder)
    stop("on_epoch_begin", 99, Interrupted("not any more"))
    take_up(folder)
    begin(recipe(*settings), whole)
    assert_same_run(folder, whole)


MOMENTS = {
    "before the first step": ("on_epoch_begin", 1),
    "behind the last step of an epoch": ("on_train_batch_end", STEPS),
    "in validation": ("on_test_batch_end", 2),
    "while an epoch is judged": ("on_predict_batch_end", 2),
    "between two epochs": ("on_epoch_begin", 2),
    "behind the last epoch": ("on_train_end", 1),
    "while the run is judged": ("on_predict_batch_end", 4),
}


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("moment", "failure"),
    [
        *((moment, Interrupted("enough")) for moment in MOMENTS),
        ("in validation", Killed()),
        ("while an epoch is judged", Killed()),
        ("while the run is judged", Killed()),
    ],
    ids=str,
)
def test_wherever_it_stopped_the_run_goes_on(
    recipe, tmp_path, monkeypatch, stop, undisturbed, moment, failure
):
    folder = tmp_path / "run"
    stop(*MOMENTS[moment], failure)
    with pytest.raises(type(failure)):
        begin(recipe(*settings_of("scn")), folder)
    monkeypatch.undo()
    take_up(folder)
    assert_same_run(folder, undisturbed(recipe, "scn"))


IN_DIVIDING = {
    "while the labels are divided": ("on_predict_batch_end", 2),
    "in the second network's turn": ("on_train_batch_end", 9),
    "between both networks' turns": ("on_train_batch_end", 8),
    "between two epochs": ("on_epoch_begin", 2),
    "while the run is judged": ("on_train_end", 1),
}


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("moment", IN_DIVIDING)
def test_a_run_that_divides_its_labels_goes_on_wherever_it_stopped(
    recipe, tmp_path, monkeypatch, stop, undisturbed, moment
):
    folder = tmp_path / "run"
    stop(*IN_DIVIDING[moment], Interrupted("enough"))
    with pytest.raises(Interrupted):
        begin(recipe(*settings_of("dividemix")), folder)
    monkeypatch.undo()
    take_up(folder)
    assert_same_run(folder, undisturbed(recipe, "dividemix"))


@pytest.mark.usefixtures("eagerly")
def test_a_long_epoch_is_saved_within_as_well(recipe, tmp_path, monkeypatch, stop, undisturbed):
    from eactf.training.checkpoints import read_checkpoint

    folder = tmp_path / "run"
    stop("on_train_batch_end", 2, Killed())
    with pytest.raises(Killed):
        begin(recipe(*settings_of("eac"), "train.checkpoint_minutes=1e-9"), folder)
    facts = read_checkpoint(folder / "checkpoints" / "last.npz").facts
    assert (facts["run"]["epoch"], facts["run"]["step"]) == (0, 2)
    monkeypatch.undo()
    take_up(folder, "train.checkpoint_minutes=10.0")
    assert result_of(folder) == result_of(undisturbed(recipe, "eac"))


@pytest.mark.usefixtures("eagerly")
def test_a_finished_run_says_so_and_may_be_prolonged(recipe, tmp_path, capsys, undisturbed):
    folder = tmp_path / "run"
    begin(recipe(*settings_of("rul"), "train.epochs=2"), folder)
    before = (folder / "result.json").read_bytes()
    capsys.readouterr()
    take_up(folder)
    assert "is finished: nothing is left to do" in capsys.readouterr().out
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"
    assert (folder / "result.json").read_bytes() == before
    take_up(folder, "train.epochs=3")
    assert "going on after 2 epochs" in capsys.readouterr().out
    assert (folder / "result-after-2-epochs.json").read_bytes() == before
    whole = undisturbed(recipe, "rul")
    for name, array in arrays(whole).items():
        np.testing.assert_array_equal(arrays(folder)[name], array, err_msg=name)
    assert result_of(folder) == result_of(whole)
    assert "epochs: 3" in (folder / "recipe.yaml").read_text()
    take_up(folder)
    assert "is finished" in capsys.readouterr().out


@pytest.fixture
def stopped(recipe, tmp_path, stop, monkeypatch):
    """A run that was killed in its second epoch."""
    folder = tmp_path / "runs" / "mine"
    folder.parent.mkdir()
    stop("on_train_batch_end", STEPS + 1, Killed())
    with pytest.raises(Killed):
        begin(recipe(*settings_of("cross_entropy")), folder)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.usefixtures("eagerly")
def test_what_must_not_be_changed_is_refused_by_name(stopped):
    with pytest.raises(UsageError) as caught:
        take_up("mine", "optimizer.learning_rate=0.1", "train.epochs=2", "train.devices=1")
    assert "optimizer.learning_rate = 0.1, the run has 0.01" in caught.value.message
    assert "train.epochs = 2, the run has 3: only upwards" in caught.value.message
    assert "train.devices" not in caught.value.message
    assert "may be changed: train.epochs, train.devices" in caught.value.hint
    text = (stopped / "recipe.yaml").read_text()
    (stopped / "recipe.yaml").write_text(text.replace("batch_size: 16", "batch_size: 8"))
    with pytest.raises(UsageError, match=r"train\.batch_size = 8, the run has 16"):
        take_up("mine")


@pytest.mark.usefixtures("eagerly")
def test_other_labels_are_refused(stopped, monkeypatch):
    noise = json.loads((stopped / "noise.json").read_text())
    (stopped / "noise.json").write_text(json.dumps({**noise, "sha256": "0"}))
    with pytest.raises(DataError, match=r"labels are not those that .* began with"):
        take_up(stopped)


@pytest.mark.usefixtures("eagerly")
def test_other_images_are_refused_with_what_changed(stopped):
    lines = (stopped / "samples.csv").read_text().splitlines(keepends=True)
    (stopped / "samples.csv").write_text("".join(lines[:-2]))
    with pytest.raises(DataError, match="images 2 new"):
        take_up(stopped)


@pytest.mark.usefixtures("eagerly")
def test_a_run_that_is_going_on_is_refused_and_one_whose_process_died_is_not(stopped):
    code = (
        "import sys, time, pathlib; from eactf.training.lock import RunLock\n"
        "with RunLock(pathlib.Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(stopped)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UsageError, match=f"is still running: process {holder.pid} on "):
        take_up(stopped)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert (stopped / "run.lock").exists()
    (stopped / ".writing-123-last.npz").write_text("half")
    take_up(stopped)
    assert not (stopped / "run.lock").exists()
    assert not list(stopped.rglob(".writing*"))


def test_a_folder_of_another_version_is_refused_with_it(tmp_path):
    (tmp_path / "recipe.yaml").write_text("seed: 1\n")
    with pytest.raises(UsageError, match="written by an older version of eactf"):
        take_up(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"form": 99, "eactf": "9.9"}))
    with pytest.raises(UsageError, match=r"written by eactf 9\.9, in a form"):
        take_up(tmp_path)
    with pytest.raises(UsageError, match="there is no run nowhere"):
        take_up("nowhere")


@pytest.mark.usefixtures("eagerly")
def test_a_damaged_checkpoint_is_told_of(stopped):
    path = stopped / "checkpoints" / "last.npz"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(TrainingError, match="damaged"):
        take_up(stopped)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    ("name", "times", "number", "reason"),
    [
        ("last.npz", 2, errno.ENOSPC, "no space left on device"),
        ("metrics.jsonl", 2, errno.EACCES, "permission denied"),
        ("result.json", 1, errno.EROFS, "read-only file system"),
    ],
)
def test_where_nothing_can_be_written_the_last_checkpoint_stays_whole(
    recipe, tmp_path, monkeypatch, undisturbed, name, times, number, reason
):
    from eactf import files

    folder, written = tmp_path / "run", []
    real = files.move_into_place

    def full(temporary, path):
        written.append(path.name)
        if written.count(name) == times:
            raise OSError(number, os.strerror(number))
        real(temporary, path)

    monkeypatch.setattr(files, "move_into_place", full)
    with pytest.raises(TrainingError, match=f"cannot be written: {reason}") as caught:
        begin(recipe(*settings_of("scn")), folder)
    assert caught.value.exit_code == 4
    assert f"eactf train --resume {folder}" in caught.value.hint
    monkeypatch.undo()
    take_up(folder)
    assert_same_run(folder, undisturbed(recipe, "scn"))


def test_a_killed_process_is_taken_up_from_the_command_line(start, tmp_path):
    process, folder = start("train.epochs=40")
    last = folder / "checkpoints" / "last.npz"
    while not last.exists():
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert json.loads((folder / "status.json").read_text())["state"] == "running"
    done = subprocess.run(
        [sys.executable, "-m", "eactf", "train", "--resume", "quickstart", "--json"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(row)["epoch"] for row in rows]
    assert epochs == list(range(1, 41))
