"""Listing keys and recipes, headers and copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from eactf.errors import UsageError
from eactf.method_names import METHODS
from eactf.recipe import (
    copy_recipe,
    describe_keys,
    list_recipes,
    load_recipe,
    read_header,
    read_recipe_text,
)

SHIPPED = {
    "quickstart",
    "ferplus-clean",
    "ferplus-noise10",
    "ferplus-noise20",
    "ferplus-noise30",
    "ferplus-human",
    "ferplus-noise30-small",
    "ferplus-human-small",
}


def test_every_key_of_a_recipe_is_described_with_type_default_and_help() -> None:
    rows = describe_keys()
    described = {row.key for row in rows}
    for name in SHIPPED:
        assert set(load_recipe(name).sources) <= described
    assert all(row.type and row.default and row.help for row in rows)
    assert len(described) == len(rows)


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("noise.rate", "0 <= float < 1", "0.0"),
        ("noise.strength", "0 <= float <= 1", "1.0"),
        ("noise.seed", "0 <= int <= 2147483647 or null", "null"),
        ("train.epochs", "int >= 1", "60"),
        ("train.xla", "true | false", "false"),
        ("data.channels", "1 | 3 | null", "null"),
        ("schedule.gamma", "0 < float <= 1", "0.9"),
        (
            "method.name",
            " | ".join(METHODS),
            "eac",
        ),
        ("method.crop_padding", "0 <= int <= 64", "0"),
        ("method.erase.area", "[low, high], 0 < low <= high < 1", "[0.02, 0.25]"),
    ],
)
def test_a_row_shows_type_range_and_default(key: str, kind: str, default: str) -> None:
    (row,) = describe_keys(key)
    assert (row.type, row.default) == (kind, default)


def test_a_key_of_one_method_or_one_choice_says_so() -> None:
    assert describe_keys("method.pair")[0].help.endswith("(name: eac)")
    assert describe_keys("noise.rate")[0].help.endswith("(kind: symmetric or pair)")
    assert describe_keys("noise.strength")[0].help.endswith("(kind: machine)")
    assert "name:" not in describe_keys("method.corruptions")[0].help
    assert "name:" not in describe_keys("method.crop_padding")[0].help


def test_a_section_lists_its_keys_only() -> None:
    keys = ["kind", "gamma", "after", "factor", "constant_epochs", "beta_1"]
    assert [row.key for row in describe_keys("schedule")] == [f"schedule.{key}" for key in keys]


def test_a_section_that_is_not_there_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        describe_keys("nois")
    assert "did you mean noise?" in str(caught.value)


def test_the_shipped_recipes_are_listed_quickstart_first() -> None:
    names = [name for name, _ in list_recipes()]
    assert names[0] == "quickstart"
    assert set(names) >= SHIPPED


@pytest.mark.parametrize("name", [name for name, _ in list_recipes()])
def test_every_shipped_recipe_says_run_takes_expect_and_cite(name: str) -> None:
    header = dict(list_recipes())[name]
    own_data = name == "own-data"  # trained without naming a recipe at all
    assert header["run"].startswith("eactf train" if own_data else f"eactf train --recipe {name}")
    assert all(header[topic] for topic in ("about", "takes", "expect", "cite"))


@pytest.mark.parametrize(
    "data", ["ferplus", "raf-db", "affectnet7", "affectnet8", "cifar10n-worst"]
)
@pytest.mark.parametrize("method", ["dividemix", "two_networks", "co_teaching"])
def test_methods_of_two_networks_have_a_recipe_on_every_data_set(data: str, method: str) -> None:
    name = f"{data}-{method.replace('_', '-')}"
    assert load_recipe(name).recipe.method.name == method
    if data in ("ferplus", "cifar10n-worst"):
        small = load_recipe(f"{name}-small").recipe
        sibling = load_recipe(f"{data.replace('plus', 'plus-human')}-small").recipe
        assert (small.data, small.noise, small.model) == (
            sibling.data,
            sibling.noise,
            sibling.model,
        )
        assert small.train.epochs == sibling.train.epochs


def test_a_header_joins_the_lines_of_a_topic_and_ends_at_the_first_key() -> None:
    text = "# Faces.\n#\n# More.\n# run: a\n#   b\n#\n# note\n# cite: c\nseed: 0\n# takes: no\n"
    assert read_header(text) == {
        "about": "Faces.",
        "run": "a b",
        "takes": "",
        "expect": "",
        "cite": "c",
    }


def test_a_copy_is_the_file_as_it_stands_and_loads(tmp_path: Path) -> None:
    copied = copy_recipe("quickstart", tmp_path)
    assert copied == tmp_path / "quickstart.yaml"
    assert copied.read_text(encoding="utf-8") == read_recipe_text("quickstart")
    assert load_recipe(str(copied)).recipe == load_recipe("quickstart").recipe


def test_a_copy_goes_into_this_folder_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert copy_recipe("ferplus-clean") == Path("ferplus-clean.yaml")
    assert (tmp_path / "ferplus-clean.yaml").exists()


def test_a_copy_never_overwrites(tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    target.write_text("mine")
    with pytest.raises(UsageError, match="is not overwritten"):
        copy_recipe("quickstart", target)
    assert target.read_text() == "mine"


def test_a_copy_to_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        copy_recipe("quickstart", tmp_path / "missing" / "x.yaml")
