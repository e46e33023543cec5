"""Data of one's own without a recipe: planned as the wizard does by default, and told."""

from __future__ import annotations

import pytest
from PIL import Image

from eactf.data.prepare import prepare_data
from eactf.errors import DataError
from eactf.wizard.own_data import plan_for_own_data


def test_the_recipe_is_planned_from_the_data_and_every_reason_is_kept(folder, capsys):
    path = folder(splits=("train",), count=6)
    resolved = plan_for_own_data(path, ["train.epochs=3"])
    recipe = resolved.recipe
    assert resolved.name == "own-data"
    assert (recipe.data.source, recipe.data.path) == ("images", str(path))
    assert recipe.noise.kind == "none"
    assert recipe.train.epochs == 3
    assert resolved.sources["train.epochs"] == "--set, 1st"
    assert resolved.sources["data.path"] == "--data"
    assert resolved.sources["data.image_size"].startswith("planned, from the data")
    told = capsys.readouterr().out
    for word in ("classes", "plan", "because", "eactf wizard"):
        assert word in told


def test_further_labels_and_continuous_targets_are_mentioned(folder, capsys):
    path = folder(splits=("train",), count=6)
    images = sorted(path.rglob("*.png"))
    rows = [f"{image.relative_to(path)},{image.parts[-2]},yes,0.5,1" for image in images]
    rows[0] = rows[0].replace("0.5", "")
    (path / "m.csv").write_text("\n".join(["path,label,machine_label,valence,arousal", *rows]))
    plan_for_own_data(path / "m.csv")
    told = capsys.readouterr().out
    assert "  values     valence (11 of 12), arousal\n" in told
    assert "machine_label differs in 50.0%" in told


def test_the_images_looked_at_for_the_plan_are_not_looked_at_again(folder, monkeypatch):
    resolved = plan_for_own_data(folder(splits=("train",), count=6))
    assert resolved.looked_through
    monkeypatch.setattr("eactf.data.opened.look_through", lambda *_, **__: pytest.fail("again"))
    prepare_data(resolved.recipe, looked_through=resolved.looked_through)
    with pytest.raises(pytest.fail.Exception, match="again"):
        prepare_data(resolved.recipe)


def test_an_error_among_the_findings_stops_the_plan(folder):
    path = folder(splits=("train",), count=6)
    (path / "train" / "No").mkdir()
    Image.new("L", (16, 16), 7).save(path / "train" / "No" / "x.png")
    with pytest.raises(DataError, match="class-in-two-spellings"):
        plan_for_own_data(path)


def test_a_method_set_by_the_user_leaves_the_planned_ones_keys_out(folder):
    path = folder(splits=("train",), count=6)
    resolved = plan_for_own_data(path, ["method.name=cross_entropy"])
    assert resolved.recipe.method.name == "cross_entropy"


def test_data_that_no_run_can_use_is_refused_before_anything_is_planned(folder):
    with pytest.raises(DataError, match="no class with two different images"):
        plan_for_own_data(folder(splits=("train",), count=1))


def test_an_option_that_training_lacks_is_advised_with_the_packing_command(draw, tmp_path):
    rows = ["path,first,second"]
    for number in range(12):
        draw(tmp_path / f"{number}.png", number)
        rows.append(f"{number}.png,{number % 2},{number % 3}")
    path = tmp_path / "faces.csv"
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(DataError, match="no column with the labels") as caught:
        plan_for_own_data(path)
    assert f"eactf data pack {path} -o faces.h5 --label NAME" in (caught.value.hint or "")
