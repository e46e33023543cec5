"""Loading, overriding, provenance and the resolved recipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from eactf.errors import RecipeError
from eactf.recipe import (
    Recipe,
    list_recipes,
    load_recipe,
    seconds_of,
)

NAMES = [name for name, _ in list_recipes()]


def write(folder: Path, text: str) -> str:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_recipe_loads_and_comes_back_from_its_dump(name: str, tmp_path: Path) -> None:
    first = load_recipe(name)
    assert load_recipe(write(tmp_path, first.dump_yaml())).recipe == first.recipe


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_recipe_becomes_its_baseline_by_one_override(name: str) -> None:
    own = load_recipe(name)
    # What learns labels of several kinds has an encoder; its baseline is that alone.
    baseline = "multi_task" if own.recipe.model.backbone == "vgg16" else "cross_entropy"
    resolved = load_recipe(name, [f"method.name={baseline}"])
    assert resolved.recipe.method.name == baseline
    assert resolved.dropped
    if own.recipe.method.name == "eac":
        assert resolved.recipe.method.erase == own.recipe.method.erase
        assert "method.consistency_weight" in resolved.dropped


def test_the_paper_recipes_hold_the_papers_protocol() -> None:
    recipe = load_recipe("ferplus-noise30").recipe
    method = recipe.method
    assert method.name == "eac"
    assert (recipe.data.image_size, recipe.model.backbone, recipe.model.stem) == (
        224,
        "resnet18",
        "imagenet",
    )
    assert (recipe.train.epochs, recipe.train.batch_size) == (60, 256)
    assert (recipe.optimizer.learning_rate, recipe.optimizer.coupled_weight_decay) == (2e-4, 1e-4)
    assert (method.consistency_weight, method.consistency_ramp, method.pair) == (5, 0, "mirrored")
    assert (method.erase.area, method.erase.aspect) == ((0.1, 0.7), (0.1, 10.0))
    assert (recipe.noise.preset, recipe.noise.kind, recipe.noise.rate) == (
        "paper-eac",
        "symmetric",
        0.3,
    )


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("optimizer.learning_rate=1e-4", "learning_rate", 1e-4),
        ("optimizer.learning_rate=1", "learning_rate", 1.0),
        ("optimizer = {name: sgd, nesterov: true}", "nesterov", True),
        ("optimizer.name=sgd", "name", "sgd"),
    ],
)
def test_an_override_is_typed_by_the_schema(text: str, key: str, value: object) -> None:
    received = getattr(load_recipe("quickstart", [text]).recipe.optimizer, key)
    assert received == value
    assert type(received) is type(value)


def test_an_override_of_a_list_and_of_nothing() -> None:
    recipe = load_recipe(
        "ferplus-clean", ["method.erase.area=[0.1, 0.2]", "data.image_size=", "data.path=a=b.h5"]
    ).recipe
    assert recipe.method.erase.area == (0.1, 0.2)
    assert recipe.data.image_size is None
    assert recipe.data.path == "a=b.h5"


def test_the_last_of_two_overrides_wins() -> None:
    resolved = load_recipe("quickstart", ["seed=1", "seed=2"], {"train.epochs": (3, "--epochs")})
    assert (resolved.recipe.seed, resolved.sources["seed"]) == (2, "--set, 2nd")
    assert (resolved.recipe.train.epochs, resolved.sources["train.epochs"]) == (3, "--epochs")


def test_a_mapping_override_leaves_its_neighbours_alone() -> None:
    recipe = load_recipe("ferplus-noise10", ["method.erase={probability: 0.9}"]).recipe
    assert (recipe.method.erase.probability, recipe.method.erase.area) == (0.9, (0.1, 0.7))


def test_every_value_says_where_it_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "# run: me\nseed: 4\nnoise:\n  preset: paper-eac\n  rate: 0.1\n"
    resolved = load_recipe(
        write(tmp_path, text), ["noise.seed=9", "train.epochs=2"], {"data.path": ("x.h5", "--data")}
    )
    expected = {
        "seed": "mine.yaml, line 2",
        "noise.preset": "mine.yaml, line 4",
        "noise.kind": "noise.preset",
        "noise.rate": "mine.yaml, line 5",
        "noise.seed": "--set, 1st",
        "train.epochs": "--set, 2nd",
        "data.path": "--data",
        "data.source": "--data",
        "train.batch_size": "default",
    }
    assert {key: resolved.sources[key] for key in expected} == expected
    assert (resolved.name, resolved.path, resolved.header["run"]) == ("mine", "mine.yaml", "me")


def test_a_shipped_recipe_is_named_by_its_place_in_the_recipes() -> None:
    resolved = load_recipe("quickstart")
    assert resolved.path == "recipes/quickstart.yaml"
    assert resolved.sources["data.source"].startswith("recipes/quickstart.yaml, line ")


def test_the_dump_tells_provenance_on_every_line_and_reads_back(tmp_path: Path) -> None:
    resolved = load_recipe(
        "quickstart",
        ["noise.kind=matrix", "noise.matrix=[[0.9, 0.1], [0, 1]]", "method.corruptions=[A, 'no']"],
        {"data.path": ('odd "name": # \u2028\x85.h5', "--data\nseed: 7")},
    )
    text = resolved.dump_yaml()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all("  # " in line or line.endswith(":") for line in lines)
    assert load_recipe(write(tmp_path, text)).recipe == resolved.recipe


def test_data_given_by_a_flag_replaces_the_drawn_faces() -> None:
    resolved = load_recipe("quickstart", extra={"data.path": (Path("a.h5"), "--data")})
    assert (resolved.recipe.data.source, resolved.recipe.data.path) == ("packed", "a.h5")
    assert "data.drawn.train" in resolved.dropped


def test_dropped_keys_are_missed_by_who_wrote_them_not_by_who_took_a_shipped_recipe(
    tmp_path: Path,
) -> None:
    flag = {"data.path": (Path("a.h5"), "--data")}
    shipped = load_recipe("quickstart", ["method.name=cross_entropy"], flag)
    assert {"data.drawn.train", "method.consistency_weight"} <= set(shipped.dropped)
    assert shipped.missed == ()
    text = "data:\n  source: drawn-faces\n  drawn:\n    train: 70\n"
    own = load_recipe(write(tmp_path, text), extra=flag)
    assert own.missed == own.dropped == ("data.drawn.train",)


@pytest.mark.parametrize(
    ("override", "kind", "rate", "count", "preset"),
    [
        ("noise.kind=none", "none", 0.0, "bernoulli", None),
        ("noise.kind=pair", "pair", 0.2, "bernoulli", None),
        ("noise.count=exact", "symmetric", 0.2, "exact", None),
        ("noise.preset=null", "none", 0.0, "bernoulli", None),
        ("noise.rate=0.4", "symmetric", 0.4, "bernoulli", "paper-eac"),
        ("noise={kind: human, labels: fer2013}", "human", 0.0, "bernoulli", None),
    ],
)
def test_a_choice_over_a_preset_keeps_what_still_has_a_meaning(
    override: str, kind: str, rate: float, count: str, preset: str | None
) -> None:
    noise = load_recipe("ferplus-noise20", [override]).recipe.noise
    assert (noise.kind, noise.rate, noise.count, noise.preset) == (kind, rate, count, preset)


def test_a_preset_set_over_a_recipe_replaces_the_keys_it_settles() -> None:
    noise = load_recipe("quickstart", ["noise.preset=paper-eac"]).recipe.noise
    assert (noise.kind, noise.count, noise.rate) == ("symmetric", "bernoulli", 0.3)


def test_a_key_that_means_another_thing_for_the_method_set_is_left_out() -> None:
    method = load_recipe("quickstart", ["method.name=two_networks"]).recipe.method
    assert method.consistency_weight == method.consistency_ramp == 0  # EAC's 5 is not the report's
    assert method.erase.probability == 0.5  # images are treated alike
    shared = load_recipe("quickstart", ["method.name=attention_consistency"]).recipe.method
    assert shared.consistency_weight == 5
    same = load_recipe("quickstart", ["method.name=eac"])
    assert same.recipe.method.consistency_weight == 5 and not same.dropped


def test_a_key_without_effect_for_the_method_set_is_left_out(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text("method: {name: dividemix, unlabelled_weight: 25.0, warm_up: 4}")
    resolved = load_recipe(str(own), ["method.name=two_networks"])
    assert resolved.recipe.method.warm_up == 4
    assert resolved.recipe.method.unlabelled_weight == 0
    assert resolved.missed == ("method.unlabelled_weight",)


def test_only_keys_of_the_file_are_dropped_never_those_just_set() -> None:
    with pytest.raises(RecipeError, match=r"belongs to method\.name = eac"):
        load_recipe("quickstart", ["method.name=cross_entropy", "method.consistency_weight=1"])


def test_a_foreign_backbone_drops_stem_and_width() -> None:
    resolved = load_recipe("quickstart", ["model.backbone=keras_cv:ResNet18"])
    assert (resolved.recipe.model.stem, resolved.recipe.model.width) == ("imagenet", 64)
    assert resolved.dropped == ("model.stem", "model.width")


def test_a_recipe_made_in_code_is_as_strict_and_does_not_change() -> None:
    recipe = Recipe.model_validate({"noise": {"preset": "paper-eac", "rate": 0.1}, "seed": 3})
    assert (recipe.noise.kind, recipe.noise_seed) == ("symmetric", 3)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(recipe, "seed", 4)  # noqa: B010 - as a user would, past the type checker
    with pytest.raises(ValidationError, match="has no effect"):
        Recipe.model_validate({"noise": {"rate": 0.1}})


def test_recipes_need_no_tensorflow() -> None:
    code = (
        "import sys; from eactf.recipe import load_recipe; load_recipe('quickstart');"
        "print(sorted({'tensorflow', 'keras', 'torch', 'numpy'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("55m", 3300), ("90s", 90), ("1h30m", 5400), ("2h", 7200), ("1h0m5s", 3605)],
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: int) -> None:
    recipe = load_recipe("quickstart", [f"train.stop_after={text}"]).recipe
    assert recipe.train.stop_after == text
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["55", "0m", "m", "1.5h", "5m ago", "-5m", "1m1h", "''"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="a time such as 55m, 90s or 1h30m"):
        load_recipe("quickstart", [f"train.stop_after={text}"])
