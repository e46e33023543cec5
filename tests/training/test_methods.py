"""Every method trains through a recipe, and leaves what it knows of single samples."""

from __future__ import annotations

import csv

import keras
import numpy as np
import pytest

from eactf.errors import Interrupted, TrainingError

# Keras 3.15 reads its variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WITHOUT_GRAPHS = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning")

CASES = {
    "attention_consistency": ("method.views=4", "data.drawn.size=24"),
    "rul": ("method.embedding=8",),
    "co_teaching": ("method.forget_rate=0.3", "method.gradual=0", "schedule.kind=linear"),
    "scn": ("method.relabel_epoch=1", "method.relabel_margin=0.01"),
    "cross_entropy": ("method.generalized=0.7", "method.label_smoothing=0.1"),
    "eac": (
        "method.transform=rotate",
        "method.corruption=blur",
        "method.classify=both",
        "method.crop_padding=2",
    ),
    "dividemix": ("method.warm_up=1", "train.epochs=2", "method.unlabelled_weight=1"),
    "two_networks": ("method.warm_up=1", "train.epochs=2", "method.consistency_weight=1"),
    "ada_cm": ("method.labelled_per_class=2", "method.steps_per_epoch=2"),
}


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", CASES)
def test_a_method_trains_and_its_classifier_opens_with_keras_alone(recipe, tmp_path, name):
    from eactf.training.run import train

    settings = (f"method.name={name}", "train.epochs=1", *CASES[name])
    result = train(recipe(*settings), run_dir=tmp_path / "run", command=["eactf"]).result
    assert result["method"] == name
    classifier = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
    assert classifier.output_shape == (None, 7)
    layers = classifier._flatten_layers(include_self=False)
    homes = {type(layer).__module__.partition(".")[0] for layer in layers}
    assert homes == {"keras"}
    scores = {"scn": "importance", "rul": "uncertainty"}
    table = rows(tmp_path / "run" / "scores.csv")
    assert [row["id"] for row in table] == [
        row["id"] for row in rows(tmp_path / "run" / "labels.csv")
    ]
    # Ada-CM's labelled samples come many times in an epoch, its others never with their labels.
    assert name == "ada_cm" or {float(row["loss"]) > 0 for row in table} == {True}
    with np.load(tmp_path / "run" / "traces.npz") as traces:
        assert traces["probabilities"].shape == (len(table), 7)
    if name in scores:
        values = np.array([float(row[scores[name]]) for row in table])
        assert (values > 0).all() and values.std() > 0
    assert (tmp_path / "run" / "relabels.csv").exists() == (name == "scn")
    if name == "scn":
        changed = {row["id"] for row in rows(tmp_path / "run" / "relabels.csv")}
        assert len(changed) == result["relabelled"]["samples_changed"] > 0
    else:
        assert result["relabelled"] is None


SCN = ("method.name=scn", "train.epochs=4", *CASES["scn"])


@WITHOUT_GRAPHS
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("failure", [Interrupted, TrainingError])
def test_a_run_that_is_broken_off_leaves_its_changes_of_labels(
    recipe, tmp_path, monkeypatch, failure
):
    from eactf.training import fitting as module
    from eactf.training.run import train

    methods = []

    class Stop(module.StepGuard):
        def on_epoch_begin(self, epoch, logs=None):
            methods.append(self.model)
            if epoch == 2:
                raise failure("enough")

    monkeypatch.setattr(module, "StepGuard", Stop)
    with pytest.raises(failure, match="enough"):
        train(recipe(*SCN), run_dir=tmp_path / "run", command=["eactf"])
    written = rows(tmp_path / "run" / "relabels.csv")
    ledger = methods[0].ledger
    assert [int(row["id"]) for row in written] == ledger.ids.tolist()
    assert {int(row["epoch"]) for row in written} == set(ledger.epochs) <= {1, 2}
    assert len(ledger) > 0


@WITHOUT_GRAPHS
@pytest.mark.usefixtures("eagerly")
def test_the_changes_reported_are_those_of_the_last_epoch_not_of_the_best(
    recipe, tmp_path, monkeypatch
):
    from eactf.training import fitting as module
    from eactf.training.run import train

    class FirstIsBest(module.Keeper):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, {**(logs or {}), self.monitor: -epoch})

    monkeypatch.setattr(module, "Keeper", FirstIsBest)
    result = train(recipe(*SCN), run_dir=tmp_path / "run", command=["eactf"]).result
    assert result["best_on_validation"]["epoch"] == 1
    written = rows(tmp_path / "run" / "relabels.csv")
    assert max(int(row["epoch"]) for row in written) > 1
    assert result["relabelled"]["changes"] == len(written)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("padding", [0, 3])
def test_the_padding_of_a_recipe_reaches_its_method(recipe, tiny_classifier, name, padding):
    from eactf.training.build import build_method

    made = recipe(f"method.name={name}", f"method.crop_padding={padding}").recipe
    method = build_method(made, tiny_classifier(size=16), np.arange(32))
    assert method.augmentation.crop_padding == padding


@pytest.mark.parametrize("name", CASES)
def test_the_prior_of_a_run_is_of_its_training_labels_planted_noise_included(recipe, name):
    from eactf.data.prepare import prepare_data
    from eactf.training.session import open_session

    settings = (f"method.name={name}", "method.prior_adjustment=1.25", "noise.rate=0.5")
    made = recipe(*settings, *CASES[name]).recipe
    data = prepare_data(made)
    method = open_session(made, data).method
    assert method.prior_adjustment == 1.25
    assert method.class_prior == tuple(np.bincount(data.train.given, minlength=7))
    clean = np.bincount(data.train.clean, minlength=7)
    assert method.class_prior != tuple(clean)


def test_what_an_epoch_evens_out_already_is_not_in_the_prior(recipe):
    from eactf.data.prepare import prepare_data
    from eactf.training.build import class_counts

    made = recipe("noise.rate=0.5", "data.drawn.train=35", "data.balance=class").recipe
    assert class_counts(made, prepare_data(made)).tolist() == [5.0] * 7


def test_the_prior_of_a_balance_that_begins_later_is_that_of_all_epochs(recipe):
    from eactf.data.prepare import prepare_data
    from eactf.training.build import class_counts

    settings = ("data.balance=class", "data.balance_from=4", "train.epochs=4")
    made = recipe("noise.rate=0.5", "data.drawn.train=35", *settings).recipe
    data = prepare_data(made)
    given = np.bincount(data.train.given, minlength=7)
    np.testing.assert_allclose(class_counts(made, data), 0.75 * given + 0.25 * 5)
