"""The cells of the papers' tables on a stand-in data set: a step of training, one of judging.

Cells that differ in rates and weights alone build the same networks and run the same step: one of
them is run, its residual network with one block a stage. The recipes that the tables start from are
dry-run with the other shipped ones (`tests/recipe/test_shipped_dry_run.py`).
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from shallow_networks import shallow_resnets

from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples
from eactf.recipe import load_recipe
from eactf.report.paper_tables import list_tables
from eactf.training.dry_run import dry_run

SMALLER = ("data.image_size=64", "train.batch_size=2")
SCALED = "data.image_size=96"
"""At 64 px the smaller view of the scale transform would have a map of 1 x 1."""
NARROW = ("model.width=8",)


def structures():
    """A cell for every method and network that the tables have, by name."""
    found = {}
    for name, table in list_tables().items():
        for place in table.places():
            settings = table.settings(place, "paper")
            recipe = load_recipe(table.base["paper"], settings).recipe
            weights = {"consistency_weight", "joint_weight", "erase"}
            method = recipe.method.model_dump(exclude=weights)
            key = str((recipe.model, method, recipe.optimizer))
            found.setdefault(key, (f"{name}: {place.row}", table.base["paper"], settings, recipe))
    return {case[0]: case[1:] for case in found.values()}


CASES = structures()


def samples(count, first):
    drawn = np.random.default_rng(first)
    images = drawn.integers(0, 256, (count, 48, 48, 3), dtype=np.uint8)
    labels = np.arange(count) % 7
    return Samples(
        images=images,
        ids=np.arange(first, first + count),
        given=labels,
        labels={"machine": (labels + (np.arange(count) % 4 == 0)) % 7},
        values={name: drawn.uniform(-1, 1, count) for name in ("valence", "arousal")},
    )


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "faces.h5"
    splits = {"train": samples(21, 0), "validation": samples(7, 100), "test": samples(7, 200)}
    names = tuple("abcdefg")
    write_packed(path, Dataset(names, splits, "a stand-in"))
    return path


@pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning")
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", CASES)
def test_a_cell_of_a_table_takes_a_step(name, stand_in):
    base, settings, recipe = CASES[name]
    settings = [*settings, *SMALLER, f"data.path={stand_in}"]
    settings += NARROW if recipe.model.backbone.startswith(("resnet", "vgg16")) else ()
    settings += [SCALED] if name.endswith("Scale") else []
    with shallow_resnets(stages=4):
        told = dry_run(load_recipe(base, settings))
    keras.backend.clear_session()
    assert told["train_step_seconds"] > 0
    assert told["parameters"] > 10_000
