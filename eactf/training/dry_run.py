"""Trying a recipe out: real data, real steps, nothing written."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import keras
import tensorflow as tf

from eactf import console
from eactf.data.prepare import prepare_data
from eactf.errors import TrainingError
from eactf.recipe import ResolvedRecipe
from eactf.training.progress import format_duration
from eactf.training.session import Session, open_session
from eactf.training.summary import announce

__all__ = ["activation_bytes", "dry_run"]


def dry_run(resolved: ResolvedRecipe) -> dict[str, Any]:
    """Check recipe and data, run one training and one evaluation step, and say what a run costs.

    The first step of each kind builds its graph and is not timed; a second one is. Prints
    parameters, memory, seconds a step and the estimated length of the run, and returns them.
    Raises what a run would raise, and `TrainingError` when the batch cannot fit into memory.
    """
    session = open_session(resolved.recipe, prepare_data(resolved.recipe))
    announce(session, resolved, folder=None)
    _refuse_if_too_large(session)
    method, recipe = session.method, session.recipe
    training = session.training()
    train_seconds = _timed(lambda batches: method.fit(batches, shuffle=False, verbose=0), training)
    evaluation = session.evaluation(session.data.validation)
    eval_seconds = _timed(lambda batches: method.evaluate(batches, verbose=0), evaluation)
    eval_steps = -(-len(session.data.validation) // recipe.train.batch_size)
    epoch_seconds = session.steps * train_seconds + eval_steps * eval_seconds
    facts = {
        "parameters": method.classifier.count_params(),
        "memory_bytes": _peak_memory(),
        "train_step_seconds": train_seconds,
        "eval_step_seconds": eval_seconds,
        "steps_per_epoch": session.steps,
        "estimated_seconds": epoch_seconds * recipe.train.epochs,
    }
    console.emit("dry_run", recipe=resolved.name, **facts)
    console.say(f"  memory     {_gib(facts['memory_bytes'])} at the peak")
    console.say(f"  a step     {train_seconds:.2f} s training, {eval_seconds:.2f} s evaluation")
    console.say(
        f"  the run    about {format_duration(facts['estimated_seconds'])} "
        f"({session.steps:,} steps an epoch, {recipe.train.epochs} epochs)"
    )
    console.say("\nrecipe and data are fine; nothing was written")
    return facts


def activation_bytes(network: keras.Model, images: int) -> int:
    """What the layers' outputs for `images` images take: the larger part of a step's memory."""
    total = 0
    for layer in network._flatten_layers(include_self=False, recursive=True):
        output = getattr(layer, "output", None) if layer._inbound_nodes else None
        for tensor in output if isinstance(output, list) else [output]:
            if tensor is not None and all(side is not None for side in tensor.shape[1:]):
                total += _size(tensor)
    return total * images


def _size(tensor: Any) -> int:
    count = 1
    for side in tensor.shape[1:]:
        count *= int(side)
    return count * (2 if "16" in str(tensor.dtype) else 4)


def _refuse_if_too_large(session: Session) -> None:
    """Say so before the machine kills the process; only the host's memory is known."""
    if tf.config.list_logical_devices("GPU"):
        return
    batch = session.recipe.train.batch_size
    views = 2 if session.method.name == "eac" else 1
    needed = activation_bytes(session.method.network, batch * views)
    available = _available_memory()
    if available is not None and needed > available:
        raise TrainingError(
            f"a batch of {batch} needs about {_gib(needed)} for activations alone; "
            f"{_gib(available)} of memory is free",
            hint=f"try --set train.batch_size={max(1, int(batch * available / needed / 2))}, or "
            "a machine with a GPU",
        )


def _available_memory() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            facts = dict(line.split(":", 1) for line in lines)
        return int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _timed(run: Any, batches: tf.data.Dataset) -> float:
    run(batches.take(1))
    begun = time.perf_counter()
    run(batches.take(1))
    return time.perf_counter() - begun


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
