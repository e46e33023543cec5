"""What a run left of its samples is found by id, and told of where it is damaged."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.errors import DataError
from eactf.training.run_traces import read_table, read_traces

ARRAYS = {
    "ids": np.array([2, 5, 9], np.int32),
    "seen": np.array([3.0, 3.0, 0.0], np.float32),
    "loss": np.array([0.5, 2.0, np.nan], np.float32),
    "margin": np.array([1.0, -1.0, np.nan], np.float32),
    "agreement": np.array([1.0, 0.0, np.nan], np.float32),
    "probabilities": np.full((3, 2), 0.5, np.float16),
}


def test_traces_come_in_the_order_of_the_samples_and_nan_for_one_that_is_not_there(tmp_path):
    np.savez(tmp_path / "traces.npz", **ARRAYS)
    found = read_traces(tmp_path).of(np.array([5, 2, 7, 100]))
    np.testing.assert_array_equal(found["loss"], [2.0, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(np.isnan(found["probabilities"][:, 0]), [0, 0, 1, 1])


def test_a_run_of_an_older_version_has_none(tmp_path):
    assert read_traces(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        {"ids": ARRAYS["ids"][::-1]},
        {"loss": ARRAYS["loss"][:2]},
        {"margin": np.array([object()] * 3)},
    ],
)
def test_damaged_traces_are_told_of(tmp_path, change):
    np.savez(tmp_path / "traces.npz", **{**ARRAYS, **change})
    with pytest.raises(DataError, match=r"traces\.npz is damaged"):
        read_traces(tmp_path)


def test_a_file_that_is_no_archive_is_told_of(tmp_path):
    (tmp_path / "traces.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DataError, match=r"traces\.npz is damaged"):
        read_traces(tmp_path)


def test_columns_of_a_table_are_found_by_id(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("id,name,importance\n5,b.png,0.25\n2,a.png,\n")
    found = read_table(path, np.array([2, 5, 9]), {"importance": "weight", "other": "more"})
    assert list(found) == ["weight"]
    np.testing.assert_array_equal(found["weight"], [np.nan, 0.25, np.nan])
    assert read_table(tmp_path / "none.csv", np.array([2]), {"importance": "weight"}) == {}
