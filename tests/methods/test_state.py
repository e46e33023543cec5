"""The state of a method comes back whole: variables, metrics, seeds, and what is no variable."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import eactf

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
    pytest.mark.usefixtures("eagerly"),
]


def trained(make, faces, **settings):
    """A method after a step, and one of other weights that it could be put into."""
    images, labels = faces(6)
    columns = images, labels, np.arange(6)
    data = tf.data.Dataset.from_tensor_slices(columns).batch(3)
    methods = []
    for _ in range(2):
        method = make(**settings)
        method.compile(optimizer=eactf.optimizers.Adam(1e-2), metrics=["accuracy"])
        method.fit(data, epochs=len(methods) + 1, verbose=0)
        methods.append(method)
    return methods


def assert_same_state(one, two):
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


@pytest.mark.parametrize("name", ["EAC", "SCN", "RUL", "CoTeaching", "DivideMix", "TwoNetworks"])
def test_a_state_that_is_put_back_is_the_state(tiny_classifier, faces, name):
    settings = {
        "SCN": {"ids": 6, "relabel_epoch": 1, "relabel_margin": 0.0},
        "DivideMix": {"warm_up": 1, "loss_history": 2},
        "CoTeaching": {"ids": 6, "forget_rate": 0.4, "gradual": 2},
    }.get(name, {})

    def make():
        return getattr(eactf, name)(tiny_classifier(), **settings)

    one, two = trained(make, faces)
    state = {key: array.copy() for key, array in one.state().items()}
    assert any(not np.array_equal(array, state[key]) for key, array in two.state().items())
    two.restore(state)
    assert_same_state(two.state(), state)
    if name == "SCN":
        assert two.ledger == one.ledger
    if name == "CoTeaching":
        assert 0 < one.selection.sum() < 12
        np.testing.assert_array_equal(two.selection, one.selection)
    # What one does next does not reach what was taken out of it.
    one.restore({key: np.zeros_like(array) for key, array in state.items()})
    assert_same_state(two.state(), state)


def test_seeds_of_layers_in_the_augmentation_are_in_it(tiny_classifier, faces):
    from eactf.nn.corruptions import corruption

    def make():
        blur = eactf.Views(corruption=corruption([], 3, instead="blur"))
        return eactf.EAC(tiny_classifier(), augmentation=blur)

    one, two = trained(make, faces)
    seeds = [m.augmentation.corruption.layers[0].generator.state for m in (one, two)]
    drawn, other = (seed.numpy().tolist() for seed in seeds)
    assert drawn != other
    two.restore(one.state())
    assert seeds[1].numpy().tolist() == drawn


def test_the_state_of_another_method_is_refused_and_changes_nothing(tiny_classifier, faces):
    one, _ = trained(lambda: eactf.EAC(tiny_classifier()), faces)
    other, _ = trained(lambda: eactf.EAC(tiny_classifier(filters=3)), faces)
    before = other.state()
    with pytest.raises(ValueError, match=r"another method's: model/\d+, .*, has the shape"):
        other.restore(one.state())
    short = {key: array for key, array in before.items() if not key.startswith("optimizer/0003")}
    with pytest.raises(ValueError, match="the stored state has no optimizer/0003"):
        other.restore(short)
    assert_same_state(other.state(), before)


def test_running_metrics_of_another_number_of_devices_are_summed(tiny_classifier, faces):
    one, two = trained(lambda: eactf.EAC(tiny_classifier()), faces)
    state = one.state()
    parts = {
        key: np.stack([array, array]) if key.startswith("metrics/") else array
        for key, array in state.items()
    }
    two.restore(parts)
    for key, array in two.state().items():
        wanted = 2 * state[key] if key.startswith("metrics/") else state[key]
        np.testing.assert_array_equal(array, wanted, err_msg=key)
