"""A dry run tries a recipe on the real data for a few steps, tells its cost and writes nothing."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from eactf import console
from eactf.data.prepare import prepare_data
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
    train_seconds, eval_seconds = (
        seconds * wanted / batch for seconds in _step_seconds(session, batch)
    )
    eval_steps = -(-len(session.data.validation) // wanted)
    epoch_seconds = session.steps * train_seconds + eval_steps * eval_seconds
    end = datetime.now() + timedelta(seconds=epoch_seconds * resolved.recipe.train.epochs)
    facts = {
        "parameters": session.method.classifier.count_params(),
        "memory_bytes": _peak_memory(),
        "measured_batch_size": batch,
        "train_step_seconds": train_seconds,
        "eval_step_seconds": eval_seconds,
        "steps_per_epoch": session.steps,
        "estimated_seconds": epoch_seconds * resolved.recipe.train.epochs,
        "estimated_end": end.isoformat(timespec="minutes"),
    }
    console.emit("dry_run", recipe=resolved.name, **facts)
    console.say(f"  memory     {gib(facts['memory_bytes'])} at the peak")
    console.say(f"  a step     {train_seconds:.2f} s training, {eval_seconds:.2f} s evaluation")
    console.say(
        f"  the run    about {format_duration(facts['estimated_seconds'])} "
        f"({counted(session.steps, 'step')} an epoch, "
        f"{counted(resolved.recipe.train.epochs, 'epoch')}); "
        f"started now it would end {end:%a %d %b, %H:%M}"
    )
    console.say("\nrecipe and data are fine; nothing was written")
    return facts


def _step_seconds(session: Session, batch: int) -> tuple[float, float]:
    """Seconds of a training and of an evaluation step on `batch` samples."""
    train = session.recipe.train.model_copy(update={"batch_size": batch})
    smaller = replace(session, recipe=session.recipe.model_copy(update={"train": train}))
    method, training = session.method, smaller.training()
    evaluation = smaller.evaluation(session.data.validation)
    return (
        _timed(lambda: method.fit(training, steps_per_epoch=1, verbose=0)),
        _timed(lambda: method.evaluate(evaluation, steps=1, verbose=0)),
    )


def _timed(step: Callable[[], object]) -> float:
    step()
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
