"""The published data sets are listed with what is needed to get and read them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from eactf import console
from eactf.cli.data.list import list_
from eactf.errors import DataError, UsageError
from eactf.intake.readers import catalogue
from eactf.intake.readers.card import check_counts
from eactf.packed.records import SPLITS


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_card_is_complete_and_agrees_with_itself(name):
    card = catalogue.card(name)
    assert card.name == name
    for text in (card.title, card.needs, card.get, card.licence, card.terms, card.citation):
        assert text.strip()
    assert set(card.counts) <= set(SPLITS)
    assert len(card.classes) in (0, card.class_total)
    for split, by_class in card.class_counts.items():
        assert len(by_class) == card.class_total
        assert sum(by_class) == card.counts[split]
    for option in card.options:
        assert option.help.endswith(".")
        assert not option.choices or option.default in option.choices


@pytest.mark.parametrize("name", ["raf-db", "affectnet"])
def test_what_needs_a_signed_request_is_said_never_to_be_fetched(name):
    card = catalogue.card(name)
    assert "signed request" in card.needs
    assert "Never hosted and never fetched" in card.get


@pytest.mark.parametrize("name", [name for name in catalogue.NAMES if name != "ferplus"])
def test_an_empty_folder_is_refused_with_what_it_should_hold(tmp_path, name):
    with pytest.raises(DataError, match="as published") as caught:
        catalogue.open_dataset(name, tmp_path)
    assert f"eactf data list {name.removesuffix('n')}" in (caught.value.hint or "")


def test_names_options_and_folders_that_are_none_are_refused(tmp_path):
    for name, folder, options, message in (
        ("rafdb", tmp_path, {}, "there is no data set 'rafdb'"),
        ("raf-db", tmp_path / "none", {}, "does not exist"),
        ("raf-db", tmp_path, {"noise": "x"}, "raf-db has no option noise"),
        ("raf-db", tmp_path, {"images": "all"}, "expected one of aligned, original"),
        ("ferplus", tmp_path, {}, "has no folder to open"),
    ):
        with pytest.raises(UsageError, match=message):
            catalogue.open_dataset(name, folder, options)


def test_counts_that_differ_are_told_by_split_and_by_class():
    card = catalogue.card("fashion-mnist")
    given = np.repeat(np.arange(10), 1000)
    given[0] = 1
    splits = np.full(10_000, SPLITS.index("test"), np.uint8)
    found = [finding.what for finding in check_counts(card, card.classes, splits, given)]
    assert found == [
        "train has 0 images, published: 60,000",
        "test has 999 images of T-shirt/top, published: 1,000",
        "test has 1,001 images of Trouser, published: 1,000",
    ]


def test_each_data_set_has_one_line_of_a_terminal_80_wide():
    lines = CliRunner().invoke(list_, []).output.splitlines()
    firsts = [line.split()[0] for line in lines if line.strip()]
    assert firsts == ["name", *catalogue.NAMES, "images", "one"]
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_the_command_lists_all_and_shows_one():
    everything = CliRunner().invoke(list_, []).output
    assert all(f"\n{name} " in everything for name in catalogue.NAMES)
    assert "12,271 + 3,068" in everything
    one = CliRunner().invoke(list_, ["raf-db"]).output
    assert "whdeng.cn/RAF" in one and "--noise-file" in one
    assert "next: eactf data pack raf-db FOLDER -o raf-db.h5" in one


def test_the_command_prints_the_cards_as_json():
    try:
        result = CliRunner().invoke(list_, ["--json"])
    finally:
        console.use_json(False)
    cards = [json.loads(line) for line in result.output.splitlines()]
    assert [card["name"] for card in cards] == list(catalogue.NAMES)
    assert cards[1]["counts"] == {"train": 12271, "test": 3068}


def test_an_unknown_name_is_refused_with_the_choices():
    failure = CliRunner().invoke(list_, ["nope"]).exception
    assert isinstance(failure, UsageError)
    assert "choose from: ferplus, raf-db" in str(failure)
