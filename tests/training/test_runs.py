"""Whole runs: the same twice, broken off, and gone wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from shallow_networks import shallow_resnets

from eactf.errors import TrainingError

# Keras 3.15 reads its variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def weights(path):
    from eactf.evaluation.storage import open_classifier_file

    return open_classifier_file(path).model.get_weights()


def run(resolved, folder):
    from eactf.training.run import train

    return train(resolved, run_dir=folder, command=["eactf", "train"])


def test_the_same_recipe_and_seed_give_the_same_weights_to_the_bit(recipe, tmp_path):
    settings = ("train.epochs=1", "seed=3", "optimizer.learning_rate=0.01")
    for name in ("one", "two"):
        run(recipe(*settings), tmp_path / name)
    one, two = (weights(tmp_path / name / "model.keras") for name in ("one", "two"))
    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left, right)
    labels = [(tmp_path / name / "labels.csv").read_bytes() for name in ("one", "two")]
    assert labels[0] == labels[1]


def test_a_loss_that_is_no_number_fails_the_run_and_says_where(recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"epoch 1, step \d") as caught:
        run(recipe("optimizer.learning_rate=1e30"), tmp_path / "run")
    assert caught.value.exit_code == 4
    status = read_json(tmp_path / "run" / "status.json")
    assert status["state"] == "failed"
    assert status["exit_code"] == 4
    assert "epoch 1" in status["reason"]
    assert not (tmp_path / "run" / "result.json").exists()


@pytest.fixture(scope="module")
def many_classes(tmp_path_factory):
    """A finished run on 25 classes of noise images: its result, its folder, the test split."""
    from eactf.packed import write_packed
    from eactf.packed.records import Dataset, Samples
    from eactf.recipe import load_recipe

    place, numbers = tmp_path_factory.mktemp("many"), np.random.default_rng(5)
    splits, first = {}, 0
    for name, count in (("train", 50), ("validation", 25), ("test", 60)):
        images = numbers.integers(0, 256, (count, 16, 16, 1), dtype=np.uint8)
        ids = np.arange(first, first + count)
        splits[name] = Samples(images=images, ids=ids, given=np.arange(count) % 25)
        first += count
    names = tuple(f"class {number}" for number in range(25))
    write_packed(place / "many.h5", Dataset(names, splits, "noise of a test"))
    settings = ("train.epochs=2", "train.batch_size=25", "model.width=4")
    settings += ("method.name=cross_entropy", "optimizer.learning_rate=0.01")
    settings += ("report.last_epochs=1", "report.best_on_test=true")
    settings += ("data.source=packed", f"data.path={place / 'many.h5'}")
    with shallow_resnets(), warnings.catch_warnings():
        # A fixture of a module runs outside the filter that its tests have.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        told = run(load_recipe("quickstart", settings), place / "run")
    return told.result, place / "run", splits["test"]


def test_of_many_classes_every_section_of_the_result_has_top5(many_classes):
    result, folder, _ = many_classes
    sections = ("last_epoch", "mean_of_last_epochs", "best_on_validation", "best_on_test")
    for name in sections:
        assert result[name]["accuracy"] <= result[name]["top5_accuracy"] <= 1, name
    assert result["mean_of_last_epochs"]["top5_accuracy"] == result["last_epoch"]["top5_accuracy"]
    assert read_json(folder / "result.json") == result


def test_the_top5_of_the_last_epoch_is_that_of_the_saved_classifier(many_classes):
    from eactf.evaluation.storage import open_classifier_file

    result, folder, test = many_classes
    model = open_classifier_file(folder / "model.keras").model
    logits = model.predict(test.images.astype("float32"), verbose=0)
    best = np.argsort(logits, axis=1)[:, -5:]
    right = [label in five for label, five in zip(test.given, best, strict=True)]
    assert result["last_epoch"]["top5_accuracy"] == pytest.approx(np.mean(right))


def test_the_summary_shows_top5_where_there_is_one(many_classes, capsys, monkeypatch):
    from rich.console import Console

    from eactf import console
    from eactf.training.summary import show_result

    monkeypatch.setattr(console, "out", lambda: Console(file=sys.stdout, width=200))

    result, folder, _ = many_classes
    show_result(result, folder)
    head, last, _, _, best_on_test = capsys.readouterr().out.strip().splitlines()[:5]
    columns = ["accuracy", "95% interval", "top-5", "macro recall", "lowest recall"]
    assert re.split(r"  +", head.strip()) == ["on test, 60 images", *columns]
    for line, section in ((last, "last_epoch"), (best_on_test, "best_on_test")):
        cells, figures = re.split(r"  +", line.strip()), result[section]
        assert cells[1] == f"{figures['accuracy']:.2%}"
        assert cells[2].startswith(f"{100 * figures['accuracy_interval'][0]:.1f} to ")
        assert cells[3:5] == [
            f"{figures[name]:.2%}" for name in ("top5_accuracy", "balanced_accuracy")
        ]
        assert cells[5].startswith(f"{figures['lowest_recall']:.2%} (class ")


def test_the_summary_of_few_classes_has_no_column_for_top5(many_classes, capsys):
    from eactf.training.summary import show_result

    result, folder, _ = many_classes
    few = {
        name: {key: v for key, v in part.items() if key != "top5_accuracy"}
        if isinstance(part, dict)
        else part
        for name, part in result.items()
    }
    show_result(few, folder)
    lines = capsys.readouterr().out.strip().splitlines()
    assert "top-5" not in lines[0]
    assert "macro recall" in lines[0]


def test_of_a_thousand_images_no_interval_is_shown_and_of_one_epoch_no_plural(many_classes, capsys):
    from eactf.training.summary import show_result

    result, folder, _ = many_classes
    last = {**result["last_epoch"], "count": 1000, "classes_without_images": ["class 3"]}
    show_result({**result, "last_epoch": last}, folder)
    told = capsys.readouterr().out
    assert "on test, 1,000 images" in told
    assert "interval" not in told
    assert "mean of the last 1 epoch " in told
    assert "no image of 'class 3' in test: no recall counts it" in told


def wait_for(condition, process, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


def test_an_interrupt_finishes_the_step_saves_and_exits_with_130(start):
    process, folder = start("train.epochs=5000")
    log = folder / "metrics.jsonl"
    wait_for(lambda: log.is_file() and log.stat().st_size > 0, process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted in epoch" in told
    assert "Traceback" not in told
    status = read_json(folder / "status.json")
    assert status["state"] == "interrupted"
    assert status["exit_code"] == 130
    assert f"eactf train --resume runs/{folder.name}" in told
    assert (folder / "checkpoints" / "last.npz").stat().st_size > 1000
    assert not (folder / "run.lock").exists()
    assert len(weights(folder / "model.keras")) > 10
    assert not list(folder.rglob(".writing*"))


def test_an_interrupt_at_the_start_leaves_no_half_run(start):
    # Drawing this many faces takes far longer than the test waits.
    process, folder = start("data.drawn.train=200000", "data.drawn.size=64")
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    try:
        _, told = process.communicate(timeout=25)
    except subprocess.TimeoutExpired:
        # It came while TensorFlow was being imported, which may swallow it. A user tries again.
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert not folder.parent.exists()


def test_a_failure_before_the_first_step_is_recorded_in_the_status(recipe, tmp_path, monkeypatch):
    from eactf.training import run as module

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(module, "announce", fail)
    with pytest.raises(OSError, match="no space"):
        run(recipe(), tmp_path / "run")
    assert read_json(tmp_path / "run" / "status.json")["state"] == "failed"
