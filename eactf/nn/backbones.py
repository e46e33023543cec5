"""This module builds a backbone by name: one of ours, of keras.applications or of keras-cv."""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import layers

from eactf.foreign import reason_of
from eactf.nn.resnet import RESNETS, resnet

__all__ = ["backbone_features"]

Tensor = Any

_APPLICATIONS = "keras_applications"
_KERAS_CV = "keras_cv"

# keras-cv names its residual networks only as presets, which it fetches; these are the settings
# behind the names, which it builds offline.
_KERAS_CV_RESNETS: dict[str, dict[str, Any]] = {
    f"ResNet{depth}{suffix}": {
        "backbone": f"ResNet{version}Backbone",
        "stackwise_filters": [64, 128, 256, 512],
        "stackwise_blocks": blocks,
        "stackwise_strides": [1, 2, 2, 2],
        "block_type": kind,
    }
    for depth, blocks, kind in (
        (18, [2, 2, 2, 2], "basic_block"),
        (34, [3, 4, 6, 3], "basic_block"),
        (50, [3, 4, 6, 3], "block"),
        (101, [3, 4, 23, 3], "block"),
        (152, [3, 8, 36, 3], "block"),
    )
    for suffix, version in (("", ""), ("V2", "V2"))
}


def backbone_features(
    x: Tensor,
    name: str,
    *,
    stem: str,
    width: int,
    variant: str = "torchvision",
    dtype: Any = None,
    seed: int | None = None,
    synchronized: bool = False,
) -> Tensor:
    """The last feature map `(N, h, w, C)` of the backbone called `name` on normalised images `x`.

    `stem`, `width`, `variant`, `seed` and `synchronized` apply to our residual networks. A foreign
    backbone starts from random weights (nothing is fetched), drawn from Keras' global seed. Raises
    `ValueError` for an unknown name and `ImportError` where keras-cv is not installed.
    """
    if name in RESNETS:
        return resnet(
            x,
            name,
            stem=stem,
            width=width,
            variant=variant,
            dtype=dtype,
            seed=seed,
            synchronized=synchronized,
        )
    library, _, model = name.replace("keras.applications", _APPLICATIONS).partition(":")
    if library == _APPLICATIONS and model:
        return _application(x, model, dtype)
    if library == _KERAS_CV and model:
        return _keras_cv(x, model, dtype)
    raise ValueError(
        f"unknown backbone {name!r}; expected {', '.join(RESNETS)}, {_APPLICATIONS}:NAME or "
        f"{_KERAS_CV}:NAME"
    )


def _application(x: Tensor, name: str, dtype: Any) -> Tensor:
    build = getattr(keras.applications, name, None)
    if not inspect.isfunction(build):
        raise ValueError(f"keras.applications has no model {name!r}")
    with _policy(dtype):
        settings: dict[str, Any] = {"input_shape": tuple(x.shape[1:])}
        if "include_preprocessing" in inspect.signature(build).parameters:
            # Some rescale 0..255 by themselves; the images are normalised already.
            settings["include_preprocessing"] = False
        model = build(include_top=False, weights=None, **settings)
    return model(_unscaled(x, model))


def _unscaled(x: Tensor, model: keras.Model) -> Tensor:
    """`x` so that a model which rescales pixels by itself finds it as it was given.

    The EfficientNets divide by 255 and cannot be told not to; their own mean and deviation are 0
    and 1 without weights. The images are normalised already.
    """
    for layer in model.layers:
        if isinstance(layer, layers.Rescaling):
            undo = layers.Rescaling(1 / layer.scale, -layer.offset / layer.scale, dtype="float32")
            x = undo(x)
    return x


def _keras_cv(x: Tensor, name: str, dtype: Any) -> Tensor:
    try:
        import keras_cv
    except ImportError as missing:
        raise ImportError(
            f"backbone 'keras_cv:{name}' needs keras-cv: pip install 'eactf[keras-cv]'"
        ) from missing
    settings = dict(_KERAS_CV_RESNETS.get(name, {"backbone": name}))
    build = getattr(keras_cv.models, settings.pop("backbone"), None)
    # A class that makes another one is a preset's name: keras-cv would fetch it.
    if build is None or "__new__" in vars(build):
        raise ValueError(
            f"keras_cv.models has no {name!r} that can be built without fetching; by short name: "
            f"{', '.join(_KERAS_CV_RESNETS)}"
        )
    with _policy(dtype):
        try:
            model = build(input_shape=tuple(x.shape[1:]), include_rescaling=False, **settings)
        except TypeError as reason:
            raise ValueError(
                f"keras_cv.models.{name} needs settings of its own: {reason_of(reason)}"
            ) from None
        # As a plain Keras graph: the file of the classifier must not name keras-cv's own class.
        return keras.Model(model.inputs, model.outputs[0], name=model.name)(x)


class _policy:  # noqa: N801 - reads as a statement
    """Build layers under a dtype policy, for builders that take none."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def __enter__(self) -> None:
        self.before = keras.config.dtype_policy()
        if self.dtype is not None:
            keras.config.set_dtype_policy(self.dtype)

    def __exit__(self, *_: object) -> None:
        keras.config.set_dtype_policy(self.before)
