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
