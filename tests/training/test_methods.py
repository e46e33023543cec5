"""Every method trains through a recipe, and leaves what it knows of single samples."""

from __future__ import annotations

import csv

import keras
import numpy as np
import pytest

# Keras 3.15 reads its variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CASES = {
    "attention_consistency": ("method.views=4",),
    "rul": ("method.embedding=8",),
    "scn": ("method.relabel_epoch=1", "method.relabel_margin=0.01"),
    "cross_entropy": ("method.generalized=0.7", "method.label_smoothing=0.1"),
    "eac": (
        "method.transform=rotate",
        "method.corruption=blur",
        "method.classify=both",
        "method.crop_padding=2",
    ),
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
    homes = {type(layer).__module__.partition(".")[0] for layer in classifier.layers}
    assert homes == {"keras"}
    scores = {"scn": "importance", "rul": "uncertainty"}
    assert (tmp_path / "run" / "samples.csv").exists() == (name in scores)
    if name in scores:
        table = rows(tmp_path / "run" / "samples.csv")
        assert [row["id"] for row in table] == [
            row["id"] for row in rows(tmp_path / "run" / "labels.csv")
        ]
        values = np.array([float(row[scores[name]]) for row in table])
        assert (values > 0).all() and values.std() > 0
    assert (tmp_path / "run" / "relabels.csv").exists() == (name == "scn")
    if name == "scn":
        changed = {row["id"] for row in rows(tmp_path / "run" / "relabels.csv")}
        assert len(changed) == result["relabelled"]["samples_changed"] > 0
    else:
        assert result["relabelled"] is None


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("padding", [0, 3])
def test_the_padding_of_a_recipe_reaches_its_method(recipe, tiny_classifier, name, padding):
    from eactf.training.build import build_method

    made = recipe(f"method.name={name}", f"method.crop_padding={padding}").recipe
    method = build_method(made, tiny_classifier(size=16), np.arange(32))
    assert method.crop_padding == padding
