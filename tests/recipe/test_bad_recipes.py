"""What a wrong recipe is told: key, kind, place and advice, everything at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from eactf.errors import Problem, RecipeError, UsageError
from eactf.recipe import load_recipe

# text of the recipe, key, kind, line, a part of the advice
FAULTS = [
    (
        "noise:\n  kind: symmetric\n  rate: 20",
        "noise.rate = 20",
        "out of range",
        3,
        "0 <= rate < 1",
    ),
    ("noise: {kind: pair, rate: 20}", "noise.rate = 20", "out of range", 1, "percent write 0.2"),
    ("noise: {kind: pair, rate: -0.1}", "noise.rate = -0.1", "out of range", 1, "0 <= rate < 1"),
    ("noise: {rate: 20%}", 'noise.rate = "20%"', "wrong type", 1, "for twenty percent write 0.2"),
    ("noise: {rate: '0.2'}", 'noise.rate = "0.2"', "wrong type", 1, "write 0.2 without quotes"),
    ("noise: {rate: .nan}", "noise.rate = .nan", "out of range", 1, "0 <= rate < 1"),
    ("noise: {rate: 0,2}", "noise.2", "unknown key", 1, "with a point"),
    ("noise: {kind: symetric}", "noise.kind = symetric", "unknown value", 1, "mean symmetric?"),
    ("noise:\n  kind: human", "noise.labels", "missing key", 2, "noise.labels: fer2013"),
    ("noise: {kind: file}", "noise.path", "missing key", 1, "noise01.txt"),
    ("noise: {kind: matrix}", "noise.matrix", "missing key", 1, "noise.path"),
    ("noise: {rate: 0.3}", "noise.rate = 0.3", "has no effect", 1, "symmetric or pair"),
    (
        "noise: {kind: machine, rate: 0.3}",
        "noise.rate = 0.3",
        "has no effect",
        1,
        "here kind = machine",
    ),
    (
        "noise: {kind: machine, strength: 20}",
        "noise.strength = 20",
        "out of range",
        1,
        "0 <= strength <= 1",
    ),
    ("noise: {strength: 0.5}", "noise.strength = 0.5", "has no effect", 1, "kind = machine"),
    (
        "noise: {kind: matrix, matrix: [[1, 0], [0.5, 0.4]]}",
        "noise.matrix = [[1, 0], [0.5, 0.4]]",
        "not a noise matrix",
        1,
        "row 2 sums to 0.9",
    ),
    (
        "noise:\n  preset: paper-eac\n  count: exact",
        "noise.count = exact",
        "against preset",
        3,
        "means count = bernoulli",
    ),
    ("seed: -1", "seed = -1", "out of range", 1, "0 <= seed"),
    ("seed: true", "seed = true", "wrong type", 1, "int"),
    ("seed: 1.0", "seed = 1.0", "wrong type", 1, "write 1"),
    ("seed: null", "seed = null", "wrong type", 1, "int"),
    ("train: {epochs: 1e2}", "train.epochs = 100.0", "wrong type", 1, "write 100"),
    ("train: {batch_size: 1_000}", 'train.batch_size = "1_000"', "wrong type", 1, "write 1000"),
    ("train: {xla: yes}", "train.xla = yes", "wrong type", 1, "YAML 1.2, write true"),
    ("train: {xla: 0}", "train.xla = 0", "wrong type", 1, "write false"),
    ("train: {devices: 0}", "train.devices = 0", "out of range", 1, "devices >= 1 or null"),
    (
        "method: {crop_padding: -1}",
        "method.crop_padding = -1",
        "out of range",
        1,
        "0 <= crop_padding <= 64",
    ),
    ("method: {crop_padding: 4.5}", "method.crop_padding = 4.5", "wrong type", 1, "int"),
    ("data: {channels: true}", "data.channels = true", "wrong type", 1, "1 | 3 | null"),
    ("data: {channels: 2}", "data.channels = 2", "unknown value", 1, "1 | 3 | null"),
    ("data: {path: 5}", "data.path = 5", "wrong type", 1, 'write "5"'),
    (
        "data: {source: drawn-faces, path: a.h5}",
        "data.path = a.h5",
        "has no effect",
        1,
        "source = packed",
    ),
    ("optimizer: {nesterov: true}", "optimizer.nesterov = true", "has no effect", 1, "name = sgd"),
    ("model: {backbone: resnet81}", "model.backbone = resnet81", "unknown value", 1, "resnet18"),
    (
        "model: {backbone: keras_cv:X, width: 8}",
        "model.width = 8",
        "has no effect",
        1,
        "backbone = resnet*",
    ),
    ("method: {name: ecc}", "method.name = ecc", "unknown value", 1, "did you mean eac?"),
    (
        "method:\n  name: cross_entropy\n  consistency_weight: 3",
        "method.consistency_weight",
        "unknown key",
        3,
        "belongs to method.name = eac",
    ),
    (
        "method: {erase: {area: [0.5, 0.2]}}",
        "method.erase.area = [0.5, 0.2]",
        "out of range",
        1,
        "0 < low <= high < 1",
    ),
    (
        "method: {erase: {aspect: [1, 2, 3]}}",
        "method.erase.aspect = [1, 2, 3]",
        "wrong length",
        1,
        "[low, high]",
    ),
    (
        "method: {erase: {area: [x, y]}}",
        "method.erase.area = [x, y]",
        "wrong type",
        1,
        "[low, high]",
    ),
    ("optimizer: adam", "optimizer = adam", "wrong type", 1, "mean optimizer.name = adam?"),
    ("seed: 0\nschedule:", "schedule = null", "wrong type", 2, "leave 'schedule:' out"),
    ("schedule: {kind: step}", "schedule.after", "missing key", 1, "after: [40]"),
    (
        "schedule: {kind: step, after: [0]}",
        "schedule.after = [0]",
        "out of range",
        1,
        "numbers of epochs, from 1",
    ),
    ("schedule: {after: [3]}", "schedule.after = [3]", "has no effect", 1, "kind = step"),
    ("noise.rate: 0.2", '"noise.rate"', "unknown key", 1, "dots are for --set"),
    ("seed: 1\nseed: 2", "seed = 2", "duplicate key", 2, "first set on line 1"),
    ("seed: !!int 3", "seed", "tag", 1, "drop the tag"),
    ("seed: !!python/object/apply:os.system [ls]", "seed", "tag", 1, "drop the tag"),
    ("seed: &a 3", "seed", "alias", 1, "write the value out"),
    ("<<: {seed: 1}", '"<<"', "unknown key", 1, ""),
    ("train:\n\tepochs: 1", "the text", "not YAML", 2, "a tab"),
    ("seed: 1: 2", "the text", "not YAML", 1, "a second ':'"),
    ("seed: 0\ndata: [1", "the text", "not YAML", 2, "never closed"),
    ("seed: 0\ndata: \x01", "the text", "not YAML", 2, "control characters"),
    ("- seed", "the file", "is not a mapping", None, "seed: 0"),
    ("# nothing", "the file", "is empty", None, "eactf recipes copy"),
    ("seed: 0\n---\nseed: 1", "the file", "two documents", 2, "drop '---'"),
    ("? [1]\n: 2", "the file", "not a key", 1, "a key is a word"),
    ("a: " + "[" * 50, "a", "too deep", 1, "20 levels"),
]

TYPING_ERRORS = {
    "method.consistency_wieght": "method.consistency_weight?       float >= 0, now 5.0",
    "train.epoch": "train.epochs?",
    "epochs": "train.epochs?",
    "lr": "optimizer.learning_rate?",
    "train.lr": "optimizer.learning_rate?",
    "data.noise.rate": "noise.rate?",
    "data.drawn.tarin": "data.drawn.train?",
    "optimiser": "optimizer?",
    "schedul.kind": "schedule.kind?",
    "noise.rates": "noise.rate?                      0 <= float < 1, now 0.0",
    "schedule.xyzzy": "schedule has: kind, gamma, after, factor, constant_epochs, beta_1",
}


def problems_of(folder: Path, text: str, *overrides: str) -> tuple[Problem, ...]:
    file = folder / "bad.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(file), overrides)
    assert caught.value.exit_code == 2
    return caught.value.problems


@pytest.mark.parametrize(("text", "key", "kind", "line", "advice"), FAULTS)
def test_a_fault_is_told_with_key_kind_line_and_advice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    key: str,
    kind: str,
    line: int | None,
    advice: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (problem,) = problems_of(tmp_path, text)
    assert (problem.key, problem.kind) == (key, kind)
    assert problem.where == ("bad.yaml" if line is None else f"bad.yaml, line {line}")
    assert advice in problem.advice


@pytest.mark.parametrize(("key", "answer"), TYPING_ERRORS.items())
def test_an_unknown_key_is_answered_with_the_nearest_one(key: str, answer: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("ferplus-clean", [f"{key}=1"])
    (problem,) = caught.value.problems
    assert (problem.key, problem.kind) == (key, "unknown key")
    assert answer in problem.advice


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "train: {epochs: 0}\nsed: 1\nseed: 1\nseed: 2\nnoise: {kind: pair, rate: 20}\n"
    found = problems_of(tmp_path, text, "method.name=ecc", "epochs", "model.width=1")
    assert [problem.key for problem in found] == [
        "train.epochs = 0",
        "sed",
        "seed = 2",
        "noise.rate = 20",
        "method.name = ecc",
        "epochs",
        "model.width = 1",
    ]


def test_the_message_reads_as_the_house_shows_it(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("ferplus-noise20", ["noise.rate=20", "method.consistency_wieght=1"])
    text = str(caught.value)
    assert text.startswith("recipe 'ferplus-noise20' has 2 problems\n\n  1. noise.rate = 20 ")
    assert "out of range     (--set, 1st)\n     expected 0 <= rate < 1; for twenty" in text
    assert text.endswith("list the keys:  eactf recipes show ferplus-noise20 --keys noise")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("epochs", "not key=value"),
        ("=1", "not key=value"),
        ("train..epochs=1", "not key=value"),
        ("a." * 50 + "b=1", "not key=value"),
        ("train.epochs=[1", "not YAML"),
        ("train.epochs=!x 1", "tag"),
    ],
)
def test_an_override_that_cannot_be_read_is_named_by_its_place(text: str, kind: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("quickstart", ["seed=1", text])
    (problem,) = caught.value.problems
    assert (problem.kind, problem.where) == (kind, "--set, 2nd")


def test_an_override_below_a_plain_value_is_told_where_it_was_made() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("quickstart", ["seed.x=1"])
    (problem,) = caught.value.problems
    assert (problem.key, problem.where) == ("seed = {x: 1}", "--set, 1st")


def test_an_alias_bomb_is_refused_without_being_unfolded(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"k{n}: &b{n} [*a, *a]\n" for n in range(30))
    assert {problem.kind for problem in problems_of(tmp_path, bomb)} >= {"alias"}


def test_a_flood_of_unknown_keys_is_answered_quickly_and_briefly(tmp_path: Path) -> None:
    text = "".join(f"k{number}: 1\n" for number in range(2000))
    assert len(problems_of(tmp_path, text)) == 100


def test_a_recipe_larger_than_a_megabyte_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text("# " + "x" * 1_000_001)
    with pytest.raises(UsageError, match="larger than 1 MB"):
        load_recipe(str(file))


def test_a_recipe_that_is_not_text_is_refused_with_the_line(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"seed: 0\n# M\xfcller\n")
    with pytest.raises(UsageError, match="line 2, is not UTF-8"):
        load_recipe(str(file))


def test_a_folder_is_not_a_recipe(tmp_path: Path) -> None:
    folder = tmp_path / "x.yaml"
    folder.mkdir()
    with pytest.raises(UsageError, match="is not a file"):
        load_recipe(str(folder))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("quickstrat", "did you mean quickstart"),
        ("xyzzy", "eactf recipes list"),
        ("../pyproject", "ends in .yaml"),
        ("quickstart.yaml", "--recipe quickstart"),
        ("other.yml", "eactf recipes list"),
    ],
)
def test_a_recipe_that_is_not_there_is_answered_with_the_next_step(
    name: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is no") as caught:
        load_recipe(name)
    assert hint in str(caught.value.hint)
