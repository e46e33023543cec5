"""This module checks that the graph of a stored classifier names nothing but harmless layers.

Keras rebuilds whatever a graph names, by module and class, by registered name, or by a function's
name. Only what is listed here passes, each name in its own module; sizes are checked as well, and
the variables a graph asks for may not outgrow the weights that are stored.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

__all__ = ["forbidden", "forget_training", "start_from_zeros", "variables_within"]

_LAYERS = {
    "Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Concatenate",
    "Conv2D", "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU", "Flatten",
    "GaussianNoise", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "GroupNormalization",
    "Identity", "InputLayer", "LayerNormalization", "LeakyReLU", "MaxPooling2D", "Maximum",
    "Multiply", "Normalization", "PReLU", "Permute", "ReLU", "Rescaling", "Reshape",
    "SeparableConv2D", "Softmax", "SpatialDropout2D", "Subtract", "UnitNormalization",
    "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
_INITIALIZERS = {
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal",
    "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal",
    "VarianceScaling", "Zeros",
}  # fmt: skip
_ACTIVATIONS = {
    "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu", "linear",
    "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
    "softsign", "swish", "tanh",
}  # fmt: skip
_CLASSES: Mapping[str, set[str]] = {
    "keras": {"Functional", "Sequential", "Model", "DTypePolicy"},
    "keras.dtype_policies": {"DTypePolicy"},
    "keras.models": {"Functional", "Sequential", "Model"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.sequential": {"Sequential"},
    "keras.layers": _LAYERS,
    "keras.src.applications.convnext": {"LayerScale"},
    "keras.src.ops.numpy": {"Add", "Multiply", "Subtract"},
    "keras.initializers": _INITIALIZERS,
    "keras.regularizers": {"L1", "L2", "L1L2", "OrthogonalRegularizer"},
    "keras.constraints": {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"},
}
_ARRAYS = {"__numpy__", "__tensor__"}
_ARRAY_TYPES = {"float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8", "bool"}

_MOST_NODES = 100_000
_LARGEST_NUMBER = 10**6
_LARGEST_IMAGE = 2**26
_FREE_NUMBERS = {"seed", "shared_object_id"}
"""Numbers that may be large: nothing is made in their size."""


def forget_training(graph: Any) -> None:
    """Take out how a model was compiled; none of it is needed to classify, all of it is code."""
    for item in _dictionaries(graph):
        item.pop("compile_config", None)


def start_from_zeros(graph: Any) -> None:
    """Make the variables' first values zeros: drawing random ones, to be replaced by the file's
    weights, takes a third of the time of opening it."""
    zeros = {"module": "keras.initializers", "class_name": "Zeros", "config": {}}
    for item in _dictionaries(graph):
        for name, value in item.items():
            if name.endswith("_initializer") and isinstance(value, dict):
                item[name] = {**zeros, "registered_name": None}


def forbidden(graph: Any) -> str | None:
    """What in a graph is not allowed, as part of a sentence; None for a harmless classifier."""
    models = _CLASSES["keras.models"]
    if not isinstance(graph, dict) or not _among(models, graph.get("class_name")):
        name = graph.get("class_name") if isinstance(graph, dict) else type(graph).__name__
        return (
            f"it holds a {name}, not a plain functional classifier; save the classifier that "
            "the method trained (classifier.save), not the method"
        )
    registered = set(keras.saving.get_custom_objects())
    for count, item in enumerate(_dictionaries(graph)):
        fault = _name_fault(item) or _size_fault(item) or _registered(item, registered)
        if fault is not None:
            return fault
        if count >= _MOST_NODES:
            return "its graph is larger than any classifier's"
    return None


@contextlib.contextmanager
def variables_within(size: int) -> Iterator[None]:
    """Within it, making variables of more than `size` bytes together raises `ValueError`.

    Shapes are found before anything is allocated: a variable's first value is traced, not run.
    """
    made = 0
    traced = tf.Graph()

    def count(create: Any, **settings: Any) -> Any:
        nonlocal made
        value = settings["initial_value"]
        with traced.as_default():
            value = tf.convert_to_tensor(value() if callable(value) else value)
        made += math.prod(int(side) for side in value.shape) * int(value.dtype.size)
        if made > size:
            raise ValueError("its layers ask for more weights than the file holds")
        return create(**settings)

    with tf.variable_creator_scope(count):
        yield


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a graph, however deep."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _name_fault(item: Mapping[str, Any]) -> str | None:
    activation = item.get("activation")
    if isinstance(activation, str) and activation not in _ACTIVATIONS:
        return f"it names the activation {activation[:80]}, which is not a known one"
    if "class_name" not in item:
        return None
    name, module, config = item["class_name"], item.get("module"), item.get("config")
    if name == "__keras_tensor__":
        return None
    if name == "function":
        allowed = module in ("builtins", "keras.activations") and _among(_ACTIVATIONS, config)
        name = config
    elif _among(_ARRAYS, name):
        allowed = isinstance(config, dict) and _among(_ARRAY_TYPES, config.get("dtype"))
    else:
        allowed = _among(_CLASSES.get(str(module), set()), name)
    if not allowed or item.get("registered_name") not in (None, name):
        found = item.get("registered_name") or name
        return f"it names {module}.{str(found)[:80]}, which is not a known layer"
    return None


def _among(names: Collection[str], value: Any) -> bool:
    return isinstance(value, str) and value in names


def _size_fault(config: Mapping[str, Any]) -> str | None:
    shape = config.get("batch_shape")
    if isinstance(shape, list) and math.prod(_numbers(shape)) > _LARGEST_IMAGE:
        return f"it takes images of {shape} numbers"
    for key, value in config.items():
        if key not in _FREE_NUMBERS and any(
            abs(number) > _LARGEST_NUMBER for number in _numbers(value)
        ):
            return f"a layer asks for {key} = {str(value)[:80]}"
    axis = config.get("axis")
    if "mean" in config and isinstance(axis, list) and len(axis) > 1:
        # A normalisation holds its mean for every place in the image, however few were stored.
        return "it normalises every pixel by itself"
    return None


def _numbers(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part)


def _registered(item: Mapping[str, Any], names: set[str]) -> str | None:
    """Keras puts a registered object in the place of any text that is its name."""
    for value in item.values():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and text in names:
                return f"it names {text}, which is not a known layer"
    return None
