"""The images of a run are found again, with the labels that it was trained on."""

from __future__ import annotations

import numpy as np
import pytest
from run_folders import write_run

from eactf.data.prepare import prepare_data
from eactf.data.run_record import record_of
from eactf.errors import DataError, UsageError
from eactf.packed import write_packed
from eactf.packed.records import Dataset
from eactf.recipe import load_recipe
from eactf.report.page.facts import read_facts
from eactf.report.page.images import run_images

SMALL = (
    "data.drawn.train=40",
    "data.drawn.validation=14",
    "data.drawn.test=21",
    "data.drawn.size=16",
)


def run_of(folder, *settings):
    """A run's folder with its record and labels, and the data as the run had it."""
    write_run(folder, *settings)
    data = prepare_data(load_recipe("quickstart", settings).recipe)
    (folder / "samples.csv").write_bytes(record_of(data).csv_bytes())
    data.manifest.write_csv(folder / "labels.csv")
    return read_facts(folder, "mine", "mine"), data


def test_labels_are_those_that_the_run_was_given(tmp_path):
    facts, data = run_of(tmp_path / "run", *SMALL)
    found = run_images(facts)
    assert np.array_equal(found.train.ids, data.train.ids)
    assert np.array_equal(found.train.given, data.train.given)
    assert np.array_equal(found.train.clean, data.train.clean)
    assert (found.train.given != found.train.clean).sum() == 12
    assert np.array_equal(found.judged.ids, data.test.ids)
    assert (found.split, found.remarks) == ("test", ())


@pytest.mark.parametrize("gone", [["samples.csv"], ["samples.csv", "labels.csv"]])
def test_a_run_without_a_record_has_its_splits_made_anew(tmp_path, gone):
    facts, data = run_of(tmp_path / "run", *SMALL)
    for name in gone:
        (facts.folder / name).unlink()
    found = run_images(facts)
    assert np.array_equal(found.train.given, data.train.given)
    assert np.array_equal(found.judged.ids, data.test.ids)


def test_a_run_without_a_table_of_labels_takes_those_of_the_data(tmp_path):
    facts, data = run_of(tmp_path / "run", *SMALL, "noise.kind=none")
    (facts.folder / "labels.csv").unlink()
    assert np.array_equal(run_images(facts).train.given, data.train.given)


def test_images_that_are_gone_are_left_out_and_told(tmp_path):
    _, drawn = run_of(tmp_path / "drawn", *SMALL)
    file, settings = tmp_path / "faces.h5", ("noise.kind=symmetric", "noise.rate=0.3")
    splits = drawn.dataset.splits
    write_packed(file, Dataset(drawn.class_names, splits, "faces"))
    settings = (*settings, f"data.path={file}", "data.source=packed")
    facts, data = run_of(tmp_path / "run", *settings)
    file.unlink()
    fewer = {**splits, "train": splits["train"].take(np.arange(30))}
    write_packed(file, Dataset(drawn.class_names, fewer, "faces"))
    found = run_images(facts)
    assert len(found.train) == 30
    assert "10 gone or changed" in found.remarks[0]
    given = dict(zip(data.train.ids.tolist(), data.train.given.tolist(), strict=True))
    assert [given[number] for number in found.train.ids.tolist()] == found.train.given.tolist()


def test_data_that_is_gone_is_told(tmp_path):
    missing = tmp_path / "faces.h5"
    folder = write_run(tmp_path / "run", f"data.path={missing}", "data.source=packed")
    with pytest.raises((DataError, UsageError), match=r"faces\.h5"):
        run_images(read_facts(folder, "mine", "mine"))


def test_a_run_without_a_recipe_says_nothing_of_its_data(tmp_path):
    folder = write_run(tmp_path / "run")
    (folder / "recipe.yaml").unlink()
    with pytest.raises(DataError, match="no recipe"):
        run_images(read_facts(folder, "mine", "mine"))
