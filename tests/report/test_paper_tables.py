"""The papers' tables: whole, true to the papers' numbers, and every cell of them a recipe."""

from __future__ import annotations

import pytest

from eactf.errors import UsageError
from eactf.recipe import load_recipe
from eactf.report.paper_tables import Place, find_table, list_tables

TABLES = list_tables()
PUBLISHED = {  # a row of every table, read off the paper
    ("table1", "raf-db", "EAC"): [88.02, 86.05, 84.42],
    ("table1", "ferplus", "SCN"): [84.99, 83.35, 82.20],
    ("table1", "affectnet", "RUL"): [60.54, 59.01, 56.93],
    ("table2", "raf-db", "ResNet-50 + EAC"): [90.35, 88.62, 87.35, 85.27],
    ("table3", "raf-db", "all three (EAC)"): [84.42],
    ("table4", "raf-db", "AutoAugment"): [87.84, 85.82, 82.40],
    ("table5", "tiny-imagenet", "EAC"): [70.22, 67.23, 63.51],
    ("table6", "ferplus", "EAC"): [89.64],
    ("supplement-table1", "raf-db", "Baseline"): [62.55, 56.77, 49.70],
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_names_only_its_own_rows_and_has_a_number_for_every_column(name):
    table = TABLES[name]
    for numbers in (*table.paper.values(), *table.top5.values()):
        assert set(numbers) == set(table.rows)
        assert {len(row) for row in numbers.values()} == {len(table.columns)}
    assert set(table.each) | set(table.small) <= set(table.rows)
    for settings in table.each.values():
        assert {len(values) for values in settings.values()} == {len(table.columns)}
    assert set(table.base) == {"paper", "small"}


@pytest.mark.parametrize("budget", ["paper", "small"])
@pytest.mark.parametrize("name", TABLES)
def test_every_cell_of_a_table_is_a_recipe_of_its_own(name, budget):
    table = TABLES[name]
    recipes = {
        place: load_recipe(table.base[budget], table.settings(place, budget)).recipe
        for place in table.places()
    }
    assert len(set(recipes.values())) == len(recipes) == len(table.rows) * len(table.columns)


@pytest.mark.parametrize("case", PUBLISHED, ids=" ".join)
def test_the_published_numbers_are_those_of_the_paper(case):
    name, data, row = case
    found = [TABLES[name].published(data, Place(row, column)) for column in TABLES[name].columns]
    assert found == pytest.approx([value / 100 for value in PUBLISHED[case]])


def test_the_weight_of_table_2_grows_with_the_noise():
    table = find_table("table2")
    places = list(table.places(rows=["ResNet-50 + EAC"]))
    weights = [
        load_recipe(table.base["paper"], table.settings(place, "paper")).recipe.method
        for place in places
    ]
    assert [settings.consistency_weight for settings in weights] == [5, 5, 10, 10]


def test_the_noise_of_a_column_reaches_its_recipe():
    table = find_table("table6")
    (place,) = table.places(rows=["EAC"])
    assert load_recipe(table.base["paper"], table.settings(place, "paper")).recipe.noise.rate == 0
    table = find_table("table5")
    for budget in ("paper", "small"):
        noises = [
            load_recipe(table.base[budget], table.settings(place, budget)).recipe.noise
            for place in table.places(rows=["EAC"])
        ]
        assert [(noise.kind, noise.rate) for noise in noises] == [
            ("symmetric", rate) for rate in (0.1, 0.2, 0.3)
        ]


def test_the_report_is_run_as_it_says_and_judged_in_every_epoch():
    table = find_table("report")
    assert table.data_sets == ("raf-db", "affectnet")
    for place in table.places():
        recipe = load_recipe(table.base["paper"], table.settings(place, "paper")).recipe
        assert recipe.report.every_epoch
        assert recipe.model.backbone == "resnet50"
    (place,) = table.places(["DivideMix"], ["machine"])
    for data, epochs, warm_up in (("raf-db", 80, 3), ("affectnet", 12, 1)):
        base = table.recipe("paper", data)
        recipe = load_recipe(base, table.settings(place, "paper")).recipe
        assert (recipe.train.epochs, recipe.method.warm_up) == (epochs, warm_up)
        assert recipe.method.confidence_penalty
        assert table.recipe("small", data) == "ferplus-two-networks-small"
    (place,) = table.places(["Baseline"], ["as given"])
    recipe = load_recipe(table.base["paper"], table.settings(place, "paper")).recipe
    assert (recipe.method.name, recipe.method.erase.probability) == ("cross_entropy", 0)
    assert recipe.noise.kind == "none"


def test_a_table_that_has_no_numbers_for_a_data_set_gives_none():
    place = Place("EAC", "10 %")
    assert find_table("table1").published("cifar-100", place) is None
    assert find_table("table1").published_top5("raf-db", place) is None
    assert find_table("table5").published_top5("cifar-100", place) == pytest.approx(0.9015)


def test_an_unknown_table_is_told_with_the_nearest():
    with pytest.raises(UsageError, match="there is no table 'tabel1'") as caught:
        find_table("tabel1")
    assert "did you mean table1" in str(caught.value)
