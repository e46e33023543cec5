"""Where a report is written, and that nothing of somebody else's is."""

from __future__ import annotations

import csv

import pytest

from eactf.errors import UsageError
from eactf.report.page.blocks import Figure, Numbers, Section
from eactf.report.page.output import Place


def section(*names):
    numbers = Numbers(["a", "b"], [["x", None], ["y, z", 1.5]])
    figures = [Figure(name, "Title", "", "alt", "<svg/>", b"png", numbers) for name in names]
    return [Section("a", "A", blocks=figures)]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_report_is_a_page_and_a_folder_of_figures(tmp_path):
    place = Place(tmp_path / "report.html")
    place.refuse(overwrite=False)
    place.write("<html>", section("one"))
    assert files(tmp_path) == ["figures", "report.html"]
    assert files(place.figures) == ["index.csv", "one.csv", "one.png", "one.svg"]
    rows = list(csv.reader((place.figures / "one.csv").read_text().splitlines()))
    assert rows == [["a", "b"], ["x", ""], ["y, z", "1.5"]]


def test_a_page_of_another_name_has_figures_of_its_own(tmp_path):
    assert Place(tmp_path / "mine.html").figures == tmp_path / "mine-figures"


@pytest.mark.parametrize("taken", ["report.html", "figures"])
def test_what_is_there_is_not_overwritten(tmp_path, taken):
    (tmp_path / taken).mkdir()
    with pytest.raises(UsageError, match=r"exists and is not overwritten"):
        Place(tmp_path / "report.html").refuse(overwrite=False)


def test_a_later_report_replaces_the_earlier_one_and_its_figures(tmp_path):
    place = Place(tmp_path / "report.html")
    place.write("old", section("one", "two"))
    place.refuse(overwrite=True)
    place.write("new", section("two", "three"))
    assert (tmp_path / "report.html").read_text() == "new"
    stems = {path.stem for path in place.figures.iterdir()}
    assert stems == {"index", "two", "three"}


def test_a_folder_that_no_report_made_stays_as_it_is(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "thesis.png").write_bytes(b"mine")
    with pytest.raises(UsageError, match="not of a report"):
        Place(tmp_path / "report.html").refuse(overwrite=True)


def test_files_beside_the_figures_stay(tmp_path):
    place = Place(tmp_path / "report.html")
    place.write("old", section("one"))
    (place.figures / "mine.png").write_bytes(b"mine")
    index = place.figures / "index.csv"
    index.write_text(index.read_text() + "../report,evil\n")
    place.write("new", section("two"))
    assert (place.figures / "mine.png").exists()
    assert (tmp_path / "report.html").read_text() == "new"


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="folder that is not there"):
        Place(tmp_path / "none" / "report.html").refuse(overwrite=False)
