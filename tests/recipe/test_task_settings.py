"""The settings of methods that learn labels of several kinds."""

from __future__ import annotations

import pytest

from eactf.errors import RecipeError
from eactf.recipe import load_recipe


def problems(*settings, name="multitask-drawn"):
    with pytest.raises(RecipeError) as caught:
        load_recipe(name, settings)
    return {problem.key: f"{problem.kind}: {problem.advice}" for problem in caught.value.problems}


def test_names_and_numbers_by_name_are_kept_and_told_with_their_place(tmp_path):
    resolved = load_recipe("multitask-drawn", ["method.task_weights.affect=2"])
    method = resolved.recipe.method
    assert method.values == {"affect": ("valence", "arousal")}
    assert method.task_weights == {"affect": 2.0}
    assert method.heads == ("expression", "affect")
    assert resolved.sources["method.task_weights"] == "--set, 1st"
    assert "multitask-drawn.yaml, line" in resolved.sources["method.values"]
    (tmp_path / "again.yaml").write_text(resolved.dump_yaml())
    assert load_recipe(str(tmp_path / "again.yaml")).recipe == resolved.recipe


def test_a_recipe_with_mappings_can_be_a_key_itself():
    one, same = (load_recipe("multitask-drawn").recipe for _ in range(2))
    other = load_recipe("multitask-drawn", ["method.values={affect: [valence]}"]).recipe
    assert hash(one) == hash(same)
    assert len({one, same, other}) == 2


def test_weights_of_heads_and_scores_that_are_not_there_are_refused():
    found = problems("method.task_weights.affection=2", "method.score_weights.affect=-1")
    assert any("no head affection; there are expression, affect" in text for text in found.values())
    assert any("affect: expected a number >= 0" in text for text in found.values())


def test_two_targets_of_one_name_and_a_head_without_any_are_refused():
    assert "called expression" in str(problems("method.label_sets=[expression]"))
    assert "the head affect has no target" in str(problems("method.values={affect: []}"))


def test_a_value_of_another_kind_in_a_mapping_says_what_is_expected():
    (text,) = problems("method.values.affect=3").values()
    assert text == "wrong type: expected {name: [name, ...], ...}"


@pytest.mark.parametrize("name", ["multi_task", "joint_distribution"])
def test_these_methods_take_the_encoder_and_no_other_method_does(name):
    found = problems(f"method.name={name}", name="quickstart")
    assert "set model.backbone to vgg16" in str(found)
    assert "no pooled head, which eac needs" in str(problems("method.name=eac"))
    kept = load_recipe(
        "multitask-drawn", ["method.name=co_teaching", "model.backbone=resnet10"]
    ).recipe
    assert kept.model.backbone == "resnet10"


def test_what_an_encoder_does_not_listen_to_is_refused():
    assert "scales its images itself" in str(problems("data.normalization=dataset"))
    found = problems("train.xla=true", "method.rotation=10")
    assert "XLA cannot turn, shift or zoom images" in str(found)


def test_annotators_need_their_rates():
    settings = ["noise.kind=annotators"]
    assert "give a rate an annotator" in str(problems(*settings, name="ferplus-clean"))
    kept = load_recipe("ferplus-clean", [*settings, "noise.annotators=[0.1, 0.3]"]).recipe
    assert kept.noise.annotators == (0.1, 0.3)
