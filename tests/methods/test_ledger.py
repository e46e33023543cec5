"""The ledger of changed labels: replay, undo, and its file."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.errors import DataError
from eactf.methods.ledger import RelabelLedger

NAMES = ("happy", "sad", 'a, quoted "one"')
IDS = np.array([3, 5, 7])
GIVEN = np.array([1, 1, 0])


def ledger():
    """Sample 7 goes 0 -> 2 -> 0, sample 3 goes 1 -> 2."""
    first = RelabelLedger.empty().extended(10, [7, 3], [0, 1], [2, 2], [0.4, 0.3])
    return first.extended(12, [7], [2], [0], [0.25])


def test_replay_gives_the_labels_of_any_epoch():
    for epoch, labels in [(9, GIVEN), (10, [2, 1, 2]), (11, [2, 1, 2]), (12, [2, 1, 0])]:
        np.testing.assert_array_equal(ledger().replay(IDS, GIVEN, through_epoch=epoch), labels)
    np.testing.assert_array_equal(ledger().replay(IDS, GIVEN), [2, 1, 0])


def test_undo_gives_the_labels_back_as_they_were():
    last = ledger().replay(IDS, GIVEN)
    np.testing.assert_array_equal(ledger().undo(IDS, last), GIVEN)
    np.testing.assert_array_equal(ledger().undo(IDS, last, back_to_epoch=10), [2, 1, 2])
    np.testing.assert_array_equal(ledger().undo(IDS, last, back_to_epoch=12), last)


def test_labels_of_another_data_set_are_refused():
    with pytest.raises(DataError, match=r"sample 7 \(epoch 10\) has label 1, expected label 0"):
        ledger().replay(IDS, np.array([1, 1, 1]))
    with pytest.raises(DataError, match=r"sample 7 \(epoch 10\) is not there"):
        ledger().replay(IDS[:2], GIVEN[:2])


def test_the_arguments_are_left_alone():
    labels = GIVEN.copy()
    ledger().replay(IDS, labels)
    np.testing.assert_array_equal(labels, GIVEN)


def test_the_file_reads_back(tmp_path):
    ledger().write_csv(tmp_path / "relabels.csv", NAMES)
    text = (tmp_path / "relabels.csv").read_text(encoding="utf-8")
    assert text.splitlines()[:2] == [
        "epoch,id,from,to,evidence",
        '10,7,happy,"a, quoted ""one""",0.4',
    ]
    again = RelabelLedger.read_csv(tmp_path / "relabels.csv", NAMES)
    np.testing.assert_array_equal(again.replay(IDS, GIVEN), [2, 1, 0])
    np.testing.assert_allclose(again.evidence, ledger().evidence)
    RelabelLedger.empty().write_csv(tmp_path / "none.csv", NAMES)
    assert len(RelabelLedger.read_csv(tmp_path / "none.csv", NAMES)) == 0


@pytest.mark.parametrize(
    "line", ["10,7,happy", "x,7,happy,sad,0.4", "10,7,happy,angry,0.4", "10,7,happy,sad,much"]
)
def test_a_line_that_does_not_fit_is_named(tmp_path, line):
    (tmp_path / "relabels.csv").write_text(f"epoch,id,from,to,evidence\n{line}\n", "utf-8")
    with pytest.raises(DataError, match=r"relabels\.csv, line 2"):
        RelabelLedger.read_csv(tmp_path / "relabels.csv", NAMES)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("id,label\n", "utf-8")
    with pytest.raises(DataError, match="line 1: expected the columns epoch, id"):
        RelabelLedger.read_csv(tmp_path / "other.csv", NAMES)


def test_epochs_do_not_run_backwards():
    with pytest.raises(DataError, match="at epoch 12, received epoch 11"):
        ledger().extended(11, [5], [1], [0], [0.3])


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(DataError, match=r"one value a change each.*ids \(2,\), old \(1,\)"):
        ledger().extended(12, [5, 3], [1], [0, 0], [0.3, 0.3])
    with pytest.raises(DataError, match="one value a change each"):
        ledger().extended(12, [[5]], [[1]], [[0]], [[0.3]])


def test_a_sample_that_is_there_twice_is_refused():
    ids, labels = np.array([3, 5, 7, 3]), np.array([1, 1, 0, 1])
    for turn in (ledger().replay, ledger().undo):
        with pytest.raises(DataError, match="name each sample once; received 3 2 times"):
            turn(ids, labels)


def test_labels_that_are_not_one_an_id_are_refused():
    with pytest.raises(DataError, match=r"each of the 3 ids; received labels of shape \(2,\)"):
        ledger().replay(IDS, GIVEN[:2])


def test_ledgers_are_equal_where_all_their_entries_are():
    assert ledger() == ledger()
    assert ledger() != ledger().extended(13, [5], [1], [0], [0.3])
    assert ledger().extended(13, [5], [1], [0], [0.3]) != ledger().extended(
        13, [5], [1], [0], [0.4]
    )
    assert ledger() != "ledger"


def test_a_ledger_through_an_epoch_ends_there():
    assert ledger().through(12) == ledger()
    assert ledger().through(11) == RelabelLedger.empty().extended(
        10, [7, 3], [0, 1], [2, 2], [0.4, 0.3]
    )
    assert len(ledger().through(9)) == 0
