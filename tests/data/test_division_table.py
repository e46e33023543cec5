"""What a table of a division says was kept, and what is no such table."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.data.division_table import kept_by_all
from eactf.division import Division


def test_what_every_network_keeps_is_read_with_names_or_without(tmp_path):
    kept = np.array([[1, 1], [1, 0], [0, 0]], bool)
    division = Division(1, np.array([7, 5, 900]), kept * 0.5, kept, np.zeros((2, 3)))
    for names in (None, np.array(["a,b.png", "c.png", "d.png"])):
        (tmp_path / "division.csv").write_text(division.csv_text(names))
        ids, found = kept_by_all(tmp_path)
        assert ids.tolist() == [7, 5, 900]
        assert found.tolist() == [True, False, False]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"line 1: a division has the columns .*; found nothing"),
        ("id,label\n1,2\n", "found id, label"),
        ("id,clean_1,kept_1\n1,0.5,1\n2,0.5\n", r"line 3: .* found '2' and None"),
        ("id,kept_1\nx,1\n", r"line 2: id must be a whole number"),
        ("id,kept_1\n1,yes\n", r"line 2: .* found '1' and 'yes'"),
    ],
)
def test_another_table_is_refused_by_line(tmp_path, text, message):
    table = tmp_path / "some.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        kept_by_all(table)


def test_a_folder_without_a_division_and_a_file_that_is_no_text_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"division.csv cannot be read .*give the folder of a run"):
        kept_by_all(tmp_path)
    (tmp_path / "division.csv").write_bytes(b"id,kept_1\n\xff\xfe,1\n")
    with pytest.raises(ValueError, match="is no table of text"):
        kept_by_all(tmp_path)
