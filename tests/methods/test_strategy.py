"""Two devices take the step of one on the same global batches, ragged and empty ones included."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from shallow_networks import shallow_resnets

import eactf
from eactf.evaluation.macro_recall import MacroRecall

BATCH = 16


def batches(images, labels, ids=None):
    """Batches of 16, 15 (two halves of 8 and 7) and 1 (a device that gets nothing)."""
    columns = (images, labels) if ids is None else (images, labels, ids)
    even = tf.data.Dataset.from_tensor_slices(tuple(column[:31] for column in columns))
    single = tf.data.Dataset.from_tensor_slices(tuple(column[31:32] for column in columns))
    return even.batch(BATCH).concatenate(single.batch(BATCH))


PLANNED = (eactf.DivideMix, eactf.TwoNetworks)


def fitted(model, data):
    """What `fit` tells; methods that plan their epochs see a second one, on what is kept then."""
    if not isinstance(model, PLANNED):
        return model.fit(data, shuffle=False, verbose=0).history
    model.fit(data, batch_size=BATCH, verbose=0)
    # Kept are 16 + 1 and 15 labels: a device without labelled samples, and halves of two sizes.
    model.division.kept[:] = np.stack([np.arange(32) % 2 < 1, np.arange(32) < 17], axis=1)
    model.division.kept[30, 0] = False
    return model.fit(data, batch_size=BATCH, initial_epoch=1, epochs=2, verbose=0).history


def trained(strategy, build, data):
    """Every variable before and after an epoch, its logs, and what evaluation then says."""
    with strategy.scope():
        model = build()
        model.compile(
            optimizer=eactf.optimizers.SGD(0.05, momentum=0.9, coupled_weight_decay=1e-3),
            metrics=["accuracy", MacroRecall(classes=3)],
        )
    # Groups: what is trained, and the moving statistics.
    groups = [model.classifier.trainable_variables, model.classifier.non_trainable_variables]
    before = [[variable.numpy() for variable in group] for group in groups]
    logs = fitted(model, data)
    after = [[variable.numpy() for variable in group] for group in groups]
    moves = [
        np.concatenate([(b - a).ravel() for b, a in zip(*pair, strict=True)] or [np.zeros(0)])
        for pair in zip(after, before, strict=True)
    ]
    judged = model.evaluate(data, return_dict=True, verbose=0)
    return moves, {name: value[0] for name, value in logs.items()}, judged, model


def eac(make_classifier):
    return eactf.EAC(
        make_classifier(),
        2.0,
        pair="independent",
        consistency_ramp=1.0,
        augmentation=eactf.Views(crop_padding=1),
    )


def cross_entropy(make_classifier):
    return eactf.CrossEntropy(make_classifier(), augmentation=eactf.Views(crop_padding=2))


def scn(make_classifier):
    return eactf.SCN(
        make_classifier(), ids=np.arange(100, 132), relabel_epoch=1, relabel_margin=0.02
    )


def rul(make_classifier):
    return eactf.RUL(make_classifier(), embedding=4, head_rate=3.0)


def dividemix(make_classifier, **settings):
    seconds = {"warm_up": 1, "confidence_penalty": True, **settings}
    return eactf.DivideMix(make_classifier(), augmentation=eactf.Views(crop_padding=1), **seconds)


def dividemix_unlabelled(make_classifier):
    return dividemix(make_classifier, unlabelled_weight=25.0, guess="training")


def two_networks(make_classifier, **settings):
    return eactf.TwoNetworks(make_classifier(), consistency_weight=2.0, **settings)


def two_networks_mixmatch(make_classifier):
    return two_networks(
        make_classifier, unlabelled="mixmatch", unlabelled_weight=5.0, unlabelled_ramp=0.0
    )


def attention_consistency(make_classifier):
    return eactf.AttentionConsistency(make_classifier(), views=4)


def co_teaching(make_classifier):
    return eactf.CoTeaching(
        make_classifier(), ids=np.arange(100, 132), forget_rate=0.4, gradual=0, flip_probability=0.5
    )


def co_teaching_without_ids(make_classifier):
    return eactf.CoTeaching(make_classifier(), forget_rate=0.4, gradual=0)


CASES = {
    "eac-without-norm": (eac, False, True),
    "eac-synchronised": (eac, True, True),
    "cross-entropy-synchronised-without-ids": (cross_entropy, True, False),
    "scn": (scn, True, True),
    "rul": (rul, True, True),
    "attention-consistency": (attention_consistency, True, True),
    "dividemix": (dividemix, True, True),
    "dividemix-unlabelled": (dividemix_unlabelled, True, False),
    "two-networks": (two_networks, True, True),
    "two-networks-mixmatch": (two_networks_mixmatch, True, True),
    "co-teaching": (co_teaching, True, True),
    "co-teaching-without-ids": (co_teaching_without_ids, True, False),
}


@pytest.mark.parametrize("method, norm, ids", CASES.values(), ids=CASES)
def test_two_devices_train_and_judge_as_one(tiny_classifier, faces, two_devices, method, norm, ids):
    images, labels = faces(32)
    data = batches(images, labels, np.arange(100, 132) if ids else None)

    def build():
        return method(lambda: tiny_classifier(norm=norm, synchronized=norm))

    one = trained(tf.distribute.get_strategy(), build, data)
    two = trained(two_devices, build, data)
    assert two[3].distribute_strategy.num_replicas_in_sync == 2
    for move, other in zip(one[0], two[0], strict=True):
        assert np.linalg.norm(other - move) <= 1e-5 * np.linalg.norm(move)
    assert np.linalg.norm(one[0][0]) > 0.01
    for logs, others in zip(one[1:3], two[1:3], strict=True):
        assert logs.keys() == others.keys()
        for name, value in logs.items():
            assert others[name] == pytest.approx(value, rel=1e-5, abs=1e-7), name
    assert sorted(two[2]) == ["accuracy", "loss", "macro_recall"]
    if method is scn:
        ledgers = [trained[3].ledger for trained in (one, two)]
        assert len(ledgers[0]) > 0
        np.testing.assert_array_equal(ledgers[1].ids, ledgers[0].ids)
        np.testing.assert_array_equal(ledgers[1].new, ledgers[0].new)
    if method is co_teaching:
        kept = one[3].selection
        # 9 of 16, 9 of 15 and the single one, of both networks, and not the same.
        np.testing.assert_array_equal(kept.sum(axis=0), [19, 19])
        assert (kept[:, 0] != kept[:, 1]).any()
        np.testing.assert_array_equal(two[3].selection, kept)
    expected = one[3].predict(data, verbose=0)
    assert expected.shape == (32, 3)
    np.testing.assert_allclose(two[3].predict(data, verbose=0), expected, atol=1e-5)


def test_a_residual_network_with_synchronised_norm_trains_alike_on_two_devices(two_devices, faces):
    images, labels = faces(31, size=16)
    data = tf.data.Dataset.from_tensor_slices((images, labels, np.arange(31))).batch(BATCH)

    def build():
        classifier = eactf.build_classifier(
            "resnet10",
            image_size=16,
            channels=1,
            classes=3,
            width=4,
            stem="small",
            seed=3,
            synchronized=True,
        )
        return eactf.EAC(classifier, 2.0)

    with shallow_resnets():  # two stages have every kind of layer that four have
        one = trained(tf.distribute.get_strategy(), build, data)
        two = trained(two_devices, build, data)
    for move, other in zip(one[0], two[0], strict=True):
        assert np.linalg.norm(other - move) <= 1e-5 * np.linalg.norm(move)


def test_a_single_ragged_batch_of_soft_labels_is_enough(two_devices, tiny_classifier, faces):
    images, _ = faces(3)
    soft = np.random.default_rng(0).dirichlet(np.ones(3), 3).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((images, soft)).batch(4)
    with two_devices.scope():
        model = eactf.EAC(tiny_classifier(), erasing=eactf.Erasing(probability=0.0))
        model.compile(optimizer=eactf.optimizers.SGD(0.0), metrics=["accuracy"])
    logs = model.fit(data, shuffle=False, verbose=0).history
    logits = model.predict(data, verbose=0)
    assert logits.shape == (3, 3)
    judged = model.evaluate(data, return_dict=True, verbose=0)
    accuracy = (logits.argmax(axis=1) == soft.argmax(axis=1)).mean()
    assert judged["accuracy"] == pytest.approx(accuracy)
    assert 0.0 < logs["cross_entropy"][0] < 20.0


def test_an_empty_device_leaves_ordinary_moving_statistics_alone(
    two_devices, tiny_classifier, faces
):
    images, labels = faces(1)
    with two_devices.scope():
        model = eactf.CrossEntropy(
            tiny_classifier(), erasing=eactf.Erasing(probability=0.0), flip_probability=0.0
        )
        model.compile(optimizer=keras.optimizers.SGD(0.0))
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(2)
    model.fit(data, shuffle=False, verbose=0)
    outputs = model.classifier.layers[2](model.classifier.layers[1](images)).numpy()
    moving = {v.name: v for v in model.classifier.non_trainable_variables}["moving_mean"]
    first, second = (copy.numpy() for copy in two_devices.experimental_local_results(moving.value))
    np.testing.assert_allclose(first, 0.1 * outputs.mean(axis=(0, 1, 2)), rtol=1e-4)
    # The second device saw its blank image alone.
    assert np.abs(second).max() == 0.0 or np.abs(second - first).max() == 0.0
