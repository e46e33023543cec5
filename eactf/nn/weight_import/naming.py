"""This module tells which tensor of a file is which variable of our residual networks.

PyTorch's residual networks name their layers conv1, bn1, layer1.0.conv1, layer1.0.downsample.0;
before that stands whatever module held the network (`module.`, `backbone.`, ...). Put into a
Sequential, the same layers go by their place: features.0, features.1, features.4.0.conv1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import keras

from eactf.nn.resnet import RESNETS, STEMS, resnet

__all__ = ["Layout", "Variable", "fitting_backbone", "layouts", "network_variables"]

_PLACES = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
"""Places in `Sequential(*resnet.children())`; 2 is the ReLU, 3 the pool."""

_SPELLINGS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

_SMALL = 4
"""A width at which a network costs nothing to build; shapes at other widths follow from it."""


@dataclass(frozen=True)
class Variable:
    """A variable of a backbone: layer and name in Keras, name in PyTorch, shape in Keras."""

    layer: str
    name: str
    torch: str
    shape: tuple[int, ...]


def network_variables(
    backbone: str, *, stem: str, width: int, channels: int
) -> tuple[Variable, ...]:
    """Every variable of one of `RESNETS`, the moving averages included, in the network's order."""
    if stem not in STEMS:
        raise ValueError(f"stem must be one of {', '.join(STEMS)}; received {stem!r}")

    def wide(variable: Variable) -> tuple[int, ...]:
        sides = [side // _SMALL * width for side in variable.shape]
        if len(sides) == 4:
            sides[:2] = variable.shape[:2]
            if variable.layer == "stem_conv":
                sides[2] = channels
        return tuple(sides)

    return tuple(
        Variable(variable.layer, variable.name, variable.torch, wide(variable))
        for variable in _small_variables(backbone, stem)
    )


@cache
def _small_variables(backbone: str, stem: str) -> tuple[Variable, ...]:
    inputs = keras.Input((32, 32, _SMALL))
    # A seed, so that Keras' global one is not drawn from.
    outputs = resnet(inputs, backbone, stem=stem, width=_SMALL, dtype="float32", seed=0)
    return tuple(
        Variable(layer.name, variable.name, _torch_name(layer.name, variable.name), variable.shape)
        for layer in keras.Model(inputs, outputs).layers
        for variable in layer.weights
    )


def _torch_name(layer: str, variable: str) -> str:
    return f"{_torch_layer(layer)}.{_SPELLINGS[variable]}"


def _torch_layer(layer: str) -> str:
    block, _, kind = layer.rpartition("_")
    if block == "stem":
        return f"{kind}1"
    stage, place, part = re.findall(r"\d+|shortcut", block)
    inner = f"downsample.{('conv', 'bn').index(kind)}" if part == "shortcut" else f"{kind}{part}"
    return f"layer{stage}.{int(place) - 1}.{inner}"


@dataclass(frozen=True)
class Layout:
    """A residual network found among a file's names: those after `prefix`, in PyTorch's spelling.

    `names` maps names as torchvision spells them to the file's own.
    """

    prefix: str
    names: Mapping[str, str]

    def within_blocks(self) -> Iterator[str]:
        """The torchvision names that belong to a stage or the stem, counters left out."""
        for name in self.names:
            inside = re.match(r"layer\d+\.|(conv|bn)1\.", name)
            if inside and not name.endswith("num_batches_tracked"):
                yield name


def layouts(names: Iterable[str]) -> list[Layout]:
    """Every residual network among the names of a file, whatever module it was held by.

    >>> [found.prefix for found in layouts(["module.conv1.weight", "module.layer1.0.conv1.weight"])]
    ['module.']
    """
    names = list(names)
    found = []
    for first, numbered in (("layer1.0.conv1.weight", False), ("4.0.conv1.weight", True)):
        for name in names:
            prefix = name.removesuffix(first)
            if prefix != name and (not prefix or prefix.endswith(".")):
                found.append(_layout(prefix, numbered, names))
    return found


def _layout(prefix: str, numbered: bool, names: list[str]) -> Layout:
    own = [name for name in names if name.startswith(prefix)]
    return Layout(prefix, {_spelled(name.removeprefix(prefix), numbered): name for name in own})


def _spelled(name: str, numbered: bool) -> str:
    first, dot, rest = name.partition(".")
    if numbered:
        first = _PLACES.get(first, first)
    return f"{first}{dot}{rest}".replace(".shortcut.", ".downsample.")


def fitting_backbone(layout: Layout) -> str | None:
    """The backbone whose names are exactly those of `layout`; None where there is none."""
    own = set(layout.within_blocks())
    for backbone in RESNETS:
        if own == {variable.torch for variable in _small_variables(backbone, "imagenet")}:
            return backbone
    return None
