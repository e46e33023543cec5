"""A run may take its labels from what the two networks of another run agreed to keep."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.data.division_table import kept_by_all
from eactf.errors import UsageError

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
    pytest.mark.usefixtures("eagerly"),
]

ADA_CM = ("method.name=ada_cm", "train.epochs=1", "method.steps_per_epoch=1")


def test_a_run_uses_the_labels_that_another_runs_division_kept(recipe, tmp_path):
    from eactf.data.prepare import prepare_data
    from eactf.training.run import train
    from eactf.training.session import open_session

    divided = tmp_path / "divided"
    settings = ("method.name=two_networks", "method.warm_up=1", "train.epochs=1")
    train(recipe(*settings), run_dir=divided, command=["eactf"])
    taken = recipe(*ADA_CM, f"method.labelled_from={divided}")
    result = train(taken, run_dir=tmp_path / "run", command=["eactf"]).result
    assert result["method"] == "ada_cm"
    ids, kept = kept_by_all(divided)
    method = open_session(taken.recipe, prepare_data(taken.recipe)).method
    np.testing.assert_array_equal(
        np.sort(method.rows.ids[method.labelled_places]), np.sort(ids[kept])
    )
    other = recipe(*ADA_CM, f"method.labelled_from={divided}", "data.drawn.train=30")
    with pytest.raises(UsageError, match=r"ada_cm cannot train on these .* is of other samples"):
        train(other, run_dir=tmp_path / "other", command=["eactf"])
