"""Which labels a semi-supervised method uses, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.division import Division
from eactf.methods.labelled_part import LabelledPart
from eactf.methods.training_rows import rows_of

LABELS = np.array([0] * 10 + [1] * 6 + [2] * 2)


def some_rows(labels=LABELS):
    return rows_of(np.zeros((len(labels), 2, 2, 1), "uint8"), labels, batch_size=4, seed=0)


def places(*, seed=0, rows=None, **ways):
    named = ("per_class", "counts", "path", "ids")
    part = LabelledPart.of(*(ways.get(name) for name in named))
    return part.places(some_rows() if rows is None else rows, 3, seed)


def test_so_many_of_each_class_are_drawn_and_all_where_there_are_fewer():
    found = places(per_class=4)
    np.testing.assert_array_equal(np.bincount(LABELS[found]), [4, 4, 2])
    assert (places(per_class=4, seed=1)[:4] != found[:4]).any()
    np.testing.assert_array_equal(np.bincount(LABELS[places(counts=(5, 0, 1))]), [5, 0, 1][:3])


def test_more_of_a_class_keep_those_that_fewer_had():
    assert set(places(per_class=2)) < set(places(per_class=4))


def test_the_draw_goes_by_id_and_not_by_order():
    order = np.random.default_rng(0).permutation(len(LABELS))
    turned = some_rows(LABELS[order])
    object.__setattr__(turned, "ids", order)
    np.testing.assert_array_equal(
        np.sort(order[places(per_class=3, rows=turned)]), places(per_class=3)
    )


def test_without_a_word_all_labels_are_used():
    np.testing.assert_array_equal(places(), np.arange(len(LABELS)))


def test_ids_name_the_labelled_samples():
    np.testing.assert_array_equal(places(ids=[7, 3]), [3, 7])
    with pytest.raises(ValueError, match=r"1 id that no training sample has: 99"):
        places(ids=[7, 99])


def test_a_runs_division_says_which_labels_both_networks_keep(tmp_path):
    kept = np.random.default_rng(0).random((len(LABELS), 2)) < 0.7
    ids = np.arange(len(LABELS))
    division = Division(3, ids, kept * 0.9, kept, np.zeros((2, 3)))
    (tmp_path / "division.csv").write_text(division.csv_text())
    expected = np.flatnonzero(kept.all(axis=1))
    assert 0 < len(expected) < kept.any(axis=1).sum()
    np.testing.assert_array_equal(places(path=str(tmp_path)), expected)
    np.testing.assert_array_equal(places(path=str(tmp_path / "division.csv")), expected)
    fewer = some_rows(LABELS[:-1])
    with pytest.raises(ValueError, match=r"of other samples than these 17 .* 1 id on one side"):
        places(path=str(tmp_path), rows=fewer)


def test_what_leaves_no_label_or_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="no training sample is labelled"):
        places(ids=[])
    with pytest.raises(ValueError, match=r"each of the 3 classes; received \[1, 2\]"):
        places(counts=(1, 2))
    with pytest.raises(ValueError, match="labelled_per_class and labelled_from each say"):
        places(per_class=1, path="runs/one")
