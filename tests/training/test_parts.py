"""The parts of a training run, each by itself."""

from __future__ import annotations

import json
import math
import os
import signal
from contextlib import ExitStack

import pytest
from tiny_classifiers import make_faces

from eactf.errors import Interrupted, TrainingError, UsageError
from eactf.files import replace_atomically, write_text
from eactf.training.folder import RunFolder


def test_the_exponential_schedule_multiplies_by_gamma_each_epoch(recipe):
    from eactf.training.schedule import learning_rate

    made = recipe("schedule.kind=exponential", "schedule.gamma=0.9", "optimizer.learning_rate=0.1")
    rates = [learning_rate(made.recipe, epoch) for epoch in range(3)]
    assert rates == pytest.approx([0.1, 0.09, 0.081])


def test_the_cosine_schedule_falls_from_the_rate_to_nought(recipe):
    from eactf.training.schedule import learning_rate

    made = recipe("schedule.kind=cosine", "train.epochs=4", "optimizer.learning_rate=0.1").recipe
    expected = [0.05 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(5)]
    assert [learning_rate(made, epoch) for epoch in range(5)] == pytest.approx(expected)
    assert learning_rate(made, 4) == pytest.approx(0.0)


def test_the_step_schedule_falls_after_each_of_its_epochs(recipe):
    from eactf.training.schedule import learning_rate

    made = recipe(
        "schedule.kind=step",
        "schedule.after=[2, 3]",
        "schedule.factor=0.5",
        "optimizer.learning_rate=0.1",
    ).recipe
    rates = [learning_rate(made, epoch) for epoch in range(5)]
    assert rates == pytest.approx([0.1, 0.1, 0.05, 0.025, 0.025])


def test_the_constant_schedule_stays(recipe):
    from eactf.training.schedule import learning_rate

    made = recipe("schedule.kind=constant", "optimizer.learning_rate=0.1").recipe
    assert {learning_rate(made, epoch) for epoch in range(9)} == {0.1}


LATE = ("schedule.kind=linear", "schedule.constant_epochs=2", "schedule.beta_1=0.1")


def test_the_linear_schedule_falls_to_nought_once_its_constant_epochs_are_over(recipe):
    from eactf.training.schedule import beta_1, learning_rate

    made = recipe(*LATE, "train.epochs=6", "optimizer.learning_rate=0.1").recipe
    rates = [learning_rate(made, epoch) for epoch in range(7)]
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.075, 0.05, 0.025, 0.0])
    assert [beta_1(made, epoch) for epoch in range(4)] == [0.9, 0.9, 0.1, 0.1]
    never = recipe("schedule.kind=linear", "schedule.constant_epochs=9", "train.epochs=6").recipe
    assert len({learning_rate(never, epoch) for epoch in range(6)}) == 1
    assert {beta_1(never, epoch) for epoch in range(6)} == {0.9}


def test_a_later_beta_1_is_refused_where_there_is_none(recipe):
    with pytest.raises(UsageError, match=r"serves only optimizer.name = adam"):
        recipe(*LATE, "optimizer.name=sgd")


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_later_beta_1_reaches_the_steps_of_every_network(tiny_classifier, recipe, precision):
    import numpy as np

    import eactf
    from eactf.training.callbacks import Schedule

    made = recipe(*LATE, "optimizer.learning_rate=0.01").recipe
    dtype = None if precision == "float32" else precision
    model = eactf.CoTeaching(tiny_classifier(norm=False, dtype=dtype))
    model.compile(optimizer=eactf.optimizers.Adam(0.01))
    images, labels = make_faces(8)
    means = [
        next(v for v in one.variables if "momentum" in v.path)
        for one in (getattr(o, "inner_optimizer", o) for o in model.optimizers)
    ]
    for epoch, kept in ((1, 0.9), (2, 0.1)):
        model.fit(
            images,
            labels,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[Schedule(made)],
            batch_size=8,
            verbose=0,
        )
        before = [mean.numpy() for mean in means]
        model.train_on_batch(images, labels, sample_weight=np.zeros(8))  # a gradient of noughts
        for mean, start in zip(means, before, strict=True):
            assert np.abs(start).max() > 0
            np.testing.assert_allclose(mean.numpy(), kept * start, rtol=1e-4)


def test_run_folders_take_the_next_free_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [RunFolder.create("mine", None).path.name for _ in range(3)]
    assert names == ["mine", "mine-2", "mine-3"]


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_what_exists_is_never_taken_for_a_run_folder(tmp_path, kind):
    path = tmp_path / "run"
    if kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="exists"):
        RunFolder.create("name", path)
    assert kind != "file" or path.read_text() == "mine"


def test_all_epochs_so_far_are_in_both_logs(tmp_path):
    folder = RunFolder.create("x", tmp_path / "run")
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    folder.write_epochs(rows[:1])
    folder.write_epochs(rows)
    assert (folder.path / "history.csv").read_text().splitlines() == [
        "epoch,loss",
        "1,0.5",
        "2,0.25",
    ]
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"epoch": 2, "loss": 0.25}


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "last.weights.h5"
    path.write_text("old")

    def fail(target):
        assert target.suffixes == [".weights", ".h5"]
        target.write_text("half")
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        replace_atomically(path, fail)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.weights.h5"]


def test_a_written_text_replaces_the_old_one(tmp_path):
    path = tmp_path / "status.json"
    for text in ("one\n", "zwei ä\n"):
        write_text(path, text)
        assert path.read_bytes() == text.encode()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("accuracies", "spreads", "collapsed"),
    [
        ([0.2, 0.2, 0.2, 0.2], [1.0, 0.01, 0.01, 0.01], True),
        ([0.2, 0.2, 0.2, 0.2], [0.02, 0.008, 0.006, 0.004], True),  # flat from the start
        ([0.2, 0.21, 0.2, 0.21], [0.43, 0.47, 0.52, 0.55], True),  # a pattern that says nothing
        ([0.2, 0.6, 0.6, 0.6], [1.0, 0.01, 0.01, 0.01], False),  # it learns all the same
        ([0.2, 0.2, 0.2, 0.2], [0.4, 0.5, 0.7, 0.9], False),  # the maps grow: it is under way
        ([0.2, 0.2], [1.0, 0.01], False),  # too early to tell
        ([], [], False),  # a method without maps
    ],
)
def test_a_collapse_is_maps_that_do_not_grow_and_no_more_than_the_largest_class(
    accuracies, spreads, collapsed
):
    from eactf.training.callbacks import has_collapsed

    assert has_collapsed(accuracies, spreads, largest_share=0.2) is collapsed


@pytest.fixture
def guarded():
    """Makes a guard within its interrupts, of a run at the first step of `epoch`, from 0."""
    from eactf.training.callbacks import StepGuard
    from eactf.training.interrupts import Interrupts
    from eactf.training.run_state import RunState

    with ExitStack() as stack:

        def make(epoch=0, step=0, seconds=None):
            interrupts = stack.enter_context(Interrupts(seconds))
            return StepGuard(RunState(epoch=epoch, step=step), 4, interrupts)

        yield make


def test_an_interrupt_while_the_last_epoch_is_saved_counts_too(guarded):
    watch = guarded()
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(Interrupted):
        watch.on_train_end()


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_and_names_epoch_and_step(guarded, loss):
    watch = guarded(epoch=2, step=8)
    watch.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(TrainingError, match="epoch 3, step 8") as caught:
        watch.on_train_batch_end(7, {"loss": loss})
    assert caught.value.exit_code == 4


def test_weights_broken_by_the_last_step_show_in_validation(guarded):
    watch = guarded(step=5)
    with pytest.raises(TrainingError, match="validation loss is nan in epoch 1, step 5"):
        watch.on_test_batch_end(0, {"loss": math.nan})


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_the_first_signal_waits_for_the_step_and_a_second_one_does_not(guarded, name, code):
    number = getattr(signal, name)
    at_start = signal.signal(number, signal.SIG_DFL)  # under nohup one of them is ignored
    try:
        check_signals(guarded, number, code)
    finally:
        signal.signal(number, at_start)


def check_signals(guarded, number, code):
    before = signal.getsignal(number)
    watch = guarded(step=3)
    signal.raise_signal(number)
    with pytest.raises(Interrupted, match="epoch 1, after step 3") as caught:
        watch.on_train_batch_end(2, {"loss": 1.0})
    assert (caught.value.exit_code, caught.value.at_once) == (code, False)
    with pytest.raises(Interrupted, match="twice") as caught:
        signal.raise_signal(number)
    assert (caught.value.exit_code, caught.value.at_once) == (code, True)
    assert signal.getsignal(number) is before


def test_a_hangup_that_was_ignored_before_stays_so(guarded):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        watch = guarded()
        signal.raise_signal(signal.SIGHUP)
        watch.on_epoch_begin(0)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interrupt_between_two_epochs_ends_the_run_before_the_next(guarded):
    watch = guarded(epoch=1)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(Interrupted, match="interrupted in epoch 2, after step 0"):
        watch.on_epoch_begin(1)


def test_the_judging_is_interrupted_as_such(guarded):
    watch = guarded(epoch=4)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(Interrupted, match="interrupted while the run was judged"):
        watch.on_predict_batch_end(0)


def test_a_set_time_ends_a_run_with_time_left_to_save(guarded):
    guarded(seconds=60.0).on_train_batch_end(0)
    with pytest.raises(Interrupted, match=r"the time of train\.stop_after is over") as caught:
        guarded(seconds=9.0).on_train_batch_end(0)
    assert caught.value.exit_code == 75
