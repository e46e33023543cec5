"""This module estimates how much memory a training step needs, before the machine runs out."""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from eactf.errors import TrainingError
from eactf.training.session import Session

__all__ = ["activation_bytes", "batch_that_fits", "gib", "refuse_if_too_large"]


def activation_bytes(network: keras.Model, images: int) -> int:
    """What the layers' outputs for `images` images take: the larger part of a step's memory."""
    total = 0
    for layer in network._flatten_layers(include_self=False, recursive=True):
        output = getattr(layer, "output", None) if layer._inbound_nodes else None
        for tensor in output if isinstance(output, list) else [output]:
            if tensor is not None and all(side is not None for side in tensor.shape[1:]):
                total += math.prod(tensor.shape[1:]) * (2 if "16" in str(tensor.dtype) else 4)
    return total * images


def batch_that_fits(session: Session) -> int:
    """The recipe's batch size, or a smaller one whose activations fit into free memory.

    Only the host's memory is known before a step; on a GPU the recipe's batch is taken as it is.
    """
    wanted = session.recipe.train.batch_size
    available = _available_bytes()
    if tf.config.list_logical_devices("GPU") or available is None:
        return wanted
    needed = _step_bytes(session)
    return wanted if needed <= available else max(1, int(wanted * available / needed / 2))


def refuse_if_too_large(session: Session) -> None:
    """Raise `TrainingError` when a batch cannot fit, before the system kills the process."""
    wanted, fits = session.recipe.train.batch_size, batch_that_fits(session)
    if fits < wanted:
        raise TrainingError(
            f"a step on a batch of {wanted} needs about {gib(_step_bytes(session))} for "
            f"activations; {gib(_available_bytes() or 0)} of memory is free",
            hint=f"try --set train.batch_size={fits}, or a machine with a GPU",
        )


def gib(size: int) -> str:
    """Bytes as text."""
    return f"{size / 2**30:.1f} GiB"


def _step_bytes(session: Session) -> int:
    images = session.recipe.train.batch_size * session.method.views
    # Of two networks one is trained at a time; a method that trains both says so by its views.
    network = getattr(session.method, "networks", [session.method.classifier])[0]
    return activation_bytes(network, images)


def _available_bytes() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            facts = dict(line.split(":", 1) for line in lines)
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
