"""A shipped recipe's wrong labels stay away from the user's own data, unless they are asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eactf.data.opened import data_settings
from eactf.data.planted import refuse_planted_noise
from eactf.errors import UsageError
from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples
from eactf.recipe import load_recipe


@pytest.fixture
def packed(tmp_path):
    def write(source="mine", **notes):
        samples = Samples(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4), np.arange(4) % 2)
        path = tmp_path / "faces.h5"
        made = Dataset(("no", "yes"), {"train": samples}, source, notes)
        write_packed(path, made, overwrite=True)
        return path

    return write


def check(recipe, path, *settings):
    refuse_planted_noise(load_recipe(recipe, settings, data_settings(path)))


def test_ones_own_data_is_refused_with_what_to_set_instead(packed, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (packed(), tmp_path / "folder"):
        with pytest.raises(UsageError, match="makes 30% of the training labels wrong") as caught:
            check("quickstart", path)
        assert "--set noise.kind=none" in caught.value.hint
        check("quickstart", path, "noise.kind=none")
        check("quickstart", path, "noise.kind=symmetric")
        check("quickstart", path, "noise.rate=0.1")
        check("quickstart", path, "noise.kind=machine")


def test_planted_noise_without_a_rate_is_refused_as_well(packed):
    resolved = load_recipe("quickstart", ("noise.kind=machine",), data_settings(packed()))
    unasked = dict.fromkeys(resolved.sources, "the recipe")
    with pytest.raises(UsageError, match="makes some of the training labels wrong") as caught:
        refuse_planted_noise(replace(resolved, sources=unasked))
    assert "--set noise.kind=machine" in (caught.value.hint or "")


def test_a_recipe_without_planted_noise_trains_on_any_data(packed):
    check("ferplus-clean", packed())
    check("own-data", packed())


def test_published_data_and_drawn_faces_get_the_noise_of_their_recipes(packed):
    check("quickstart", None)
    check("ferplus-noise20", packed("FERPlus (majority of the votes, 8 classes)"))
    check("raf-db-noise30", packed(dataset="RAF-DB, basic expressions"))


def test_the_users_own_recipe_is_taken_at_its_word(packed, tmp_path):
    (tmp_path / "mine.yaml").write_text("noise:\n  kind: symmetric\n  rate: 0.2\n")
    check(str(tmp_path / "mine.yaml"), packed())
