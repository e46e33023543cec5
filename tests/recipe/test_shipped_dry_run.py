"""The shipped recipes: real data, real steps, nothing written.

Recipes that differ in data, noise, rates and numbers of epochs alone take the same steps: one of
them takes them, and the others' data is prepared. One is run as it is shipped but for its batch, at
224 px and in graphs. The others run the same layers on small images with few channels.
"""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from eactf.cli import cli
from eactf.data.prepare import prepare_data
from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples
from eactf.recipe import list_recipes, load_recipe

NAMES = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)
RECIPES = [name for name, _ in list_recipes()]
DRAWN = ("quickstart", "multitask-drawn")
IN_FULL = "ferplus-noise20"
OF_THE_RUN = {"warm_up", "crop_padding", "forget_rate", "gradual", "labelled_per_class"}
"""Settings of methods that change no step, or a padding alone."""
SMALLER = ("model.width=8", "data.image_size=64")


def steps_of(name):
    """What decides the layers and the steps of a recipe, as text to compare."""
    recipe = load_recipe(name).recipe
    method = recipe.method.model_dump(exclude=OF_THE_RUN)
    optimizer = recipe.optimizer.model_dump(exclude={"learning_rate", "coupled_weight_decay"})
    return str((recipe.model, method, optimizer, recipe.data.channels, recipe.data.source))


DIFFERENT = {steps_of(name): name for name in [*reversed(RECIPES), IN_FULL]}.values()


def samples(count, first):
    drawn = np.random.default_rng(first)
    labels = np.arange(count) % len(NAMES)
    of_people = (labels + (np.arange(count) % 3 == 0)) % len(NAMES)
    return Samples(
        images=drawn.integers(0, 256, (count, 48, 48, 1), dtype=np.uint8),
        ids=np.arange(first, first + count),
        given=labels,
        labels={"fer2013": of_people, "worst": of_people, "machine": of_people},
        values={name: drawn.uniform(-1, 1, count) for name in ("valence", "arousal")},
    )


@pytest.fixture(scope="module")
def ferplus(tmp_path_factory):
    """A stand-in for the packed FERPlus file: its form, not its faces."""
    path = tmp_path_factory.mktemp("packed") / "ferplus.h5"
    splits = {"train": samples(24, 0), "validation": samples(8, 100), "test": samples(8, 200)}
    write_packed(path, Dataset(NAMES, splits, "FERPlus: a stand-in"))
    return path


@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning")
@pytest.mark.parametrize("name", DIFFERENT)
def test_a_shipped_recipe_dry_runs_and_writes_nothing(name, ferplus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tf.config.run_functions_eagerly(name != IN_FULL)
    data = [] if name in DRAWN else ["--data", str(ferplus)]
    settings = ["train.batch_size=2", *(SMALLER if name != IN_FULL else ())]
    sets = [word for setting in settings for word in ("--set", setting)]
    command = ["train", "--recipe", name, *data, *sets, "--dry-run"]
    result = CliRunner().invoke(cli, [*command, "--json"])
    keras.backend.clear_session()
    tf.config.run_functions_eagerly(False)
    assert result.exit_code == 0, result.output
    events = {event["event"]: event for event in map(json.loads, result.stdout.splitlines())}
    told = events["dry_run"]
    assert told["recipe"] == name
    assert told["parameters"] > 10_000
    assert told["memory_bytes"] > 0
    assert told["estimated_seconds"] > told["train_step_seconds"] > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", RECIPES)
def test_the_data_of_a_shipped_recipe_is_prepared_as_it_says(name, ferplus):
    drawn = ["data.drawn.train=20", "data.drawn.validation=4", "data.drawn.test=4"]
    recipe = load_recipe(name, drawn if name in DRAWN else [f"data.path={ferplus}"]).recipe
    data = prepare_data(recipe)
    assert data.manifest.kind == recipe.noise.kind
    assert len(data.train) > 0


def test_a_dry_run_tells_people_what_a_run_costs(ferplus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = [
        "data.drawn.train=20",
        "data.drawn.validation=4",
        "data.drawn.test=4",
        "model.width=4",
        "train.batch_size=2",
    ]
    sets = [word for setting in settings for word in ("--set", setting)]
    result = CliRunner().invoke(cli, ["train", "--recipe", "quickstart", *sets, "--dry-run"])
    assert result.exit_code == 0, result.output
    for word in ("parameters", "memory", "a step", "the run", "nothing was written"):
        assert word in result.output
