"""What a recipe keeps where another method is chosen over it."""

from __future__ import annotations

from pathlib import Path

from eactf.recipe import load_recipe


def test_a_key_that_the_chosen_method_adds_to_itself_is_not_taken_over_from_another() -> None:
    chosen = load_recipe("quickstart", ["method.name=two_networks"]).recipe.method
    assert chosen.consistency_weight == 0.0
    told = ["method.name=two_networks", "method.consistency_weight=2"]
    assert load_recipe("quickstart", told).recipe.method.consistency_weight == 2.0


def test_a_recipe_that_names_the_same_method_again_keeps_its_keys(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("method: {name: two_networks, consistency_weight: 3}\n")
    again = load_recipe(str(own), ["method.name=two_networks"]).recipe.method
    assert again.consistency_weight == 3.0


def test_a_name_that_two_methods_use_for_different_things_is_not_taken_over_either_way() -> None:
    own = "ferplus-dividemix"
    assert load_recipe(own).recipe.method.unlabelled_weight == 0
    chosen = load_recipe(own, ["method.name=ada_cm"]).recipe.method
    assert (chosen.unlabelled_weight, chosen.temperature) == (1.0, 0.07)
    assert chosen.crop_padding == 16  # images are treated alike
    told = ["method.name=rul", "method.dropout=0.1"]
    assert load_recipe("ferplus-ada-cm", told).recipe.method.dropout == 0.1


def test_a_value_written_for_ada_cm_does_not_reach_a_method_that_means_otherwise(
    tmp_path: Path,
) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("method: {name: ada_cm, temperature: 0.1, dropout: 0.3}")
    assert load_recipe(str(own), ["method.name=dividemix"]).recipe.method.temperature == 0.5
    assert load_recipe(str(own), ["method.name=rul"]).recipe.method.dropout == 0.4
    assert load_recipe(str(own), ["method.name=ada_cm"]).recipe.method.temperature == 0.1
