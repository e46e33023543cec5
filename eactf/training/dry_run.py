"""A dry run tries a recipe on the real data for a few steps, tells its cost and writes nothing."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from eactf import console
from eactf.data.prepare import prepare_data
from eactf.methods.planned import PlannedMethod
from eactf.recipe import ResolvedRecipe
from eactf.training.memory import batch_that_fits, gib
from eactf.training.progress import format_duration
from eactf.training.session import Session, open_session
from eactf.training.summary import announce
from eactf.wording import counted

__all__ = ["dry_run"]


def dry_run(resolved: ResolvedRecipe) -> dict[str, Any]:
    """Check recipe and data, run one training and one evaluation step, and say what a run costs.

    The first step of each kind builds its graph and is not timed; a second one is. Where this
    machine cannot hold the recipe's batch, a smaller one is run and the times scaled up, and both
    are said. Prints parameters, memory, seconds a step and the estimated length of the run, and
    returns them. Raises what a run would raise before its first step.
    """
    data = prepare_data(resolved.recipe, looked_through=resolved.looked_through)
    session = open_session(resolved.recipe, data)
    announce(session, resolved, folder=None)
    wanted, batch = resolved.recipe.train.batch_size, batch_that_fits(session)
    if batch < wanted:
        console.warn(
            f"a batch of {wanted} does not fit into this machine's memory; measured with {batch} "
            f"and scaled up. To train here: --set train.batch_size={batch}"
        )
    epochs = resolved.recipe.train.epochs
    steps, train_seconds, eval_seconds = _measured(session, batch)
    train_seconds, eval_seconds = (s * wanted / batch for s in (train_seconds, eval_seconds))
    eval_steps = -(-len(session.data.validation) // wanted)
    if isinstance(session.method, PlannedMethod) and session.method.passes_between_epochs:
        eval_steps += -(-len(session.data.train) // wanted)
    seconds = epochs * (steps * train_seconds + eval_steps * eval_seconds)
    end = datetime.now() + timedelta(seconds=seconds)
    facts = {
        "parameters": session.method.classifier.count_params(),
        "memory_bytes": _peak_memory(),
        "measured_batch_size": batch,
        "train_step_seconds": train_seconds,
        "eval_step_seconds": eval_seconds,
        "steps_per_epoch": steps,
        "estimated_seconds": seconds,
        "estimated_end": end.isoformat(timespec="minutes"),
    }
    console.emit("dry_run", recipe=resolved.name, **facts)
    console.say(f"  memory     {gib(facts['memory_bytes'])} at the peak")
    console.say(f"  a step     {train_seconds:.2f} s training, {eval_seconds:.2f} s evaluation")
    console.say(
        f"  the run    about {format_duration(facts['estimated_seconds'])} "
        f"({counted(steps, 'step')} an epoch, {counted(epochs, 'epoch')}); "
        f"started now it would end {end:%a %d %b, %H:%M}"
    )
    console.say("\nrecipe and data are fine; nothing was written")
    return facts


def _measured(session: Session, batch: int) -> tuple[int, float, float]:
    """Steps of an epoch, and seconds of a training and of an evaluation step of `batch` samples."""
    train = session.recipe.train.model_copy(update={"batch_size": batch})
    smaller = replace(session, recipe=session.recipe.model_copy(update={"train": train}))
    method, evaluation = session.method, smaller.evaluation(session.data.validation)
    eval_seconds = _timed(lambda: method.evaluate(evaluation, steps=1, verbose=0))
    if isinstance(method, PlannedMethod):
        return *_planned_steps(method, session.recipe.train.epochs, batch), eval_seconds
    training = smaller.training()
    train_seconds = _timed(lambda: method.fit(training, steps_per_epoch=1, verbose=0))
    return session.steps_in(0), train_seconds, eval_seconds


def _planned_steps(method: PlannedMethod, epochs: int, batch: int) -> tuple[int, float]:
    """Steps of an epoch and seconds of a step, the mean over a run's kinds of epochs."""
    steps = seconds = 0.0
    for share, phases in method.kinds_of_epochs(epochs):
        count = sum(phase.steps for phase in phases)
        small = replace(phases[0], batch_size=min(batch, phases[0].batch_size))
        steps += share * count
        seconds += share * count * _timed(partial(method.try_step, small))
    return round(steps), seconds / steps


def _timed(step: Callable[[], object]) -> float:
    step()
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
