"""Adam and SGD with coupled decay against torch's published update rules in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from eactf import optimizers

DECAY = 0.02
RATES = [0.1, 0.1, 0.03, 0.03, 0.3, 0.01]
RNG = np.random.default_rng(0)


def torch_adam(weight, gradients, rates, decay, betas=(0.9, 0.999), epsilon=1e-8, amsgrad=False):
    mean = square = largest = np.zeros_like(weight)
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        gradient = gradient + decay * weight
        mean = betas[0] * mean + (1 - betas[0]) * gradient
        square = betas[1] * square + (1 - betas[1]) * gradient**2
        largest = np.maximum(largest, square) if amsgrad else square
        deviation = np.sqrt(largest) / np.sqrt(1 - betas[1] ** step) + epsilon
        weight = weight - rate / (1 - betas[0] ** step) * mean / deviation
    return weight


def torch_sgd(weight, gradients, rates, decay, momentum=0.0, nesterov=False):
    buffer = None
    for gradient, rate in zip(gradients, rates, strict=True):
        move = gradient = gradient + decay * weight
        if momentum:
            buffer = gradient if buffer is None else momentum * buffer + gradient
            move = gradient + momentum * buffer if nesterov else buffer
        weight = weight - rate * move
    return weight


def trajectory(optimizer, weight, gradients, rates=RATES):
    variable = keras.Variable(weight, dtype="float32")
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
    return variable.numpy()


def some_gradients(scale=1.0):
    return [RNG.normal(size=(3, 2)) * scale for _ in RATES]


@pytest.mark.parametrize("scale", [1.0, 1e-7], ids=["usual", "tiny"])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam_adds_the_decay_to_the_gradient_and_steps_as_torch_does(scale, amsgrad):
    gradients, decay = some_gradients(scale), DECAY * scale
    optimizer = optimizers.Adam(0.1, coupled_weight_decay=decay, amsgrad=amsgrad)
    expected = torch_adam(np.ones((3, 2)), gradients, RATES, decay, amsgrad=amsgrad)
    np.testing.assert_allclose(
        trajectory(optimizer, np.ones((3, 2)), gradients), expected, rtol=2e-5, atol=2e-6
    )


def test_adams_decay_is_not_keras_own_decoupled_one():
    gradients = some_gradients()
    coupled = trajectory(
        optimizers.Adam(coupled_weight_decay=0.5), np.ones((3, 2)), gradients, RATES
    )
    decoupled = trajectory(
        keras.optimizers.Adam(weight_decay=0.5), np.ones((3, 2)), gradients, RATES
    )
    assert np.abs(coupled - decoupled).max() > 0.01


@pytest.mark.parametrize("momentum, nesterov", [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_steps_as_torch_does_also_when_the_rate_changes(momentum, nesterov):
    gradients = some_gradients()
    optimizer = optimizers.SGD(
        0.1, momentum=momentum, nesterov=nesterov, coupled_weight_decay=DECAY
    )
    expected = torch_sgd(np.ones((3, 2)), gradients, RATES, DECAY, momentum, nesterov)
    np.testing.assert_allclose(
        trajectory(optimizer, np.ones((3, 2)), gradients), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("make", [optimizers.Adam, optimizers.SGD])
def test_the_decay_reaches_every_variable_biases_and_norm_scales_included(make):
    layer = keras.layers.BatchNormalization()
    layer.build((None, 4))
    dense = keras.layers.Dense(2, bias_initializer="ones")
    dense.build((None, 4))
    layer.beta.assign(np.ones(4))
    variables = [*layer.trainable_variables, *dense.trainable_variables]
    before = [variable.numpy() for variable in variables]
    gradients = [keras.ops.zeros(value.shape) for value in before]
    make(0.01, coupled_weight_decay=0.1).apply(gradients, variables)
    for variable, value in zip(variables, before, strict=True):
        assert (np.sign(variable.numpy() - value) == -np.sign(value)).all(), variable.path


@pytest.mark.parametrize("make", [optimizers.Adam, optimizers.SGD])
def test_the_decay_survives_the_configuration_and_the_registry(make):
    optimizer = make(0.3, coupled_weight_decay=0.25, clipnorm=2.0)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert type(again) is make
    assert again.get_config() == optimizer.get_config()
    assert again.coupled_weight_decay == 0.25


@pytest.mark.parametrize("make", [optimizers.Adam, optimizers.SGD])
@pytest.mark.parametrize("decay", [-1e-3, float("nan")])
def test_a_decay_below_nought_is_refused(make, decay):
    with pytest.raises(ValueError, match="coupled_weight_decay must be >= 0"):
        make(coupled_weight_decay=decay)


def test_loss_scaling_leaves_the_decayed_step_as_it_was():
    gradients = some_gradients()
    expected = torch_sgd(np.ones((3, 2)), gradients, [0.1] * 6, DECAY, 0.9)
    inner = optimizers.SGD(0.1, momentum=0.9, coupled_weight_decay=DECAY)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0)
    scaled = [gradient * 1024.0 for gradient in gradients]
    np.testing.assert_allclose(
        trajectory(optimizer, np.ones((3, 2)), scaled, [0.1] * 6), expected, rtol=1e-5, atol=1e-6
    )


def test_a_schedule_is_taken_as_the_learning_rate():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    variable = keras.Variable(np.zeros(1))
    optimizer = optimizers.SGD(schedule)
    for _ in range(3):
        optimizer.apply([keras.ops.ones(1)], [variable])
    np.testing.assert_allclose(variable.numpy(), [-0.175], rtol=1e-6)
