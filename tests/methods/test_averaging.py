"""Averages of variables and shrinking: what they compute, what they leave alone, two devices."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.methods.averaging import copy_variables, move_average, shrink


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def some_variables(seed):
    numbers = np.random.default_rng(seed)
    floats = [keras.Variable(numbers.normal(size=shape).astype("f4")) for shape in [(2, 3), ()]]
    return [floats[0], keras.Variable(seed, dtype="int32", trainable=False), floats[1]]


@pytest.mark.parametrize("compiled", [False, True])
def test_an_average_moves_towards_its_variable_and_integers_stay(compiled):
    averages, variables = some_variables(1), some_variables(2)
    (old, number, scalar), (new, _, other) = values(averages), values(variables)

    def move():
        move_average(averages, variables, 0.9)

    (tf.function(move) if compiled else move)()
    np.testing.assert_allclose(averages[0], 0.9 * old + 0.1 * new, rtol=1e-6)
    np.testing.assert_allclose(averages[2], 0.9 * scalar + 0.1 * other, rtol=1e-6)
    assert int(averages[1].value) == number
    np.testing.assert_array_equal(variables[0], new)


def test_copies_are_whole_and_integers_stay():
    targets, sources = some_variables(1), some_variables(2)
    copy_variables(targets, sources)
    np.testing.assert_array_equal(targets[0], sources[0])
    assert int(targets[1].value) == 1


@pytest.mark.parametrize("compiled", [False, True])
def test_shrinking_takes_a_share_of_every_float(compiled):
    variables = some_variables(1)
    old, number, scalar = values(variables)

    def step(share):
        shrink(variables, share)

    (tf.function(step) if compiled else step)(tf.constant(0.25))
    np.testing.assert_allclose(variables[0], 0.75 * old, rtol=1e-6)
    np.testing.assert_allclose(variables[2], 0.75 * scalar, rtol=1e-6)
    assert int(variables[1].value) == number


def test_batch_statistics_of_a_classifier_and_its_clone_are_averaged(tiny_classifier):
    classifier = tiny_classifier()
    clone = keras.models.clone_model(classifier)
    copy_variables(clone.variables, classifier.variables)
    moving = [v for v in classifier.variables if v.name.startswith("moving")]
    for variable in moving:
        variable.assign(variable + 10.0)
    move_average(clone.variables, classifier.variables, 0.9)
    found = [v for v in clone.variables if v.name.startswith("moving")]
    assert len(found) == len(moving) == 2
    for average, variable in zip(found, moving, strict=True):
        np.testing.assert_allclose(average, variable - 9.0, rtol=1e-5)
    shrink(classifier.variables, 0.5)
    assert float(moving[1].value[0]) == pytest.approx(5.5)  # 1 + 10


def trained(strategy, tiny_classifier):
    """Variables and averages after two steps on a batch in two halves, its mean a step's change."""
    with strategy.scope():
        classifier = tiny_classifier(norm=False)
        clone = keras.models.clone_model(classifier)
        copy_variables(clone.variables, classifier.variables)
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(classifier.trainable_variables)
    replicas = strategy.num_replicas_in_sync

    def step():
        with tf.GradientTape() as tape:
            squares = [tf.reduce_sum(v.value**2) for v in classifier.trainable_variables]
            loss = tf.add_n(squares) / replicas
        own = [v.value for v in classifier.trainable_variables]
        optimizer.apply(tape.gradient(loss, own), classifier.trainable_variables)
        move_average(clone.variables, classifier.variables, 0.9)
        shrink(classifier.variables, 0.02 * optimizer.learning_rate)

    run = tf.function(lambda: strategy.run(step))
    for _ in range(2):
        run()
    return classifier.variables, clone.variables


def test_two_devices_change_all_copies_as_one_does(two_devices, tiny_classifier):
    one = trained(tf.distribute.get_strategy(), tiny_classifier)
    two = trained(two_devices, tiny_classifier)
    for expected, found in zip(one, two, strict=True):
        for single, mirrored in zip(expected, found, strict=True):
            copies = two_devices.experimental_local_results(mirrored.value)
            assert len(copies) == 2
            for copy in copies:
                np.testing.assert_allclose(copy, single.value, atol=1e-6)


def test_each_device_averages_the_batch_statistics_it_has(two_devices):
    with two_devices.scope():
        layer = keras.layers.BatchNormalization()
        layer.build((None, 2))
        average = keras.Variable(np.zeros(2, "f4"), trainable=False)

    def step():
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        layer.moving_mean.assign(tf.fill([2], tf.cast(replica, "float32") + 1.0))
        move_average([average], [layer.moving_mean], 0.5)

    tf.function(lambda: two_devices.run(step))()
    first, second = two_devices.experimental_local_results(average.value)
    np.testing.assert_array_equal(first, [0.5, 0.5])
    np.testing.assert_array_equal(second, [1.0, 1.0])


def test_networks_that_are_not_alike_are_refused(tiny_classifier):
    one = tiny_classifier()
    with pytest.raises(ValueError, match="7 float variables cannot take the values of 4"):
        copy_variables(one.variables, tiny_classifier(norm=False).variables)
    with pytest.raises(ValueError, match=r"has the shape .*built alike"):
        move_average(one.variables, tiny_classifier(filters=3).variables, 0.9)


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ValueError, match="decay must be in"):
        move_average([], [], decay)
