"""This module gives the learning rate of each epoch."""

from __future__ import annotations

import math

from eactf.recipe import Recipe

__all__ = ["learning_rate"]


def learning_rate(recipe: Recipe, epoch: int) -> float:
    """The learning rate of an epoch, counted from 0.

    exponential: rate * gamma ** epoch. cosine: rate * (1 + cos(pi * epoch / epochs)) / 2, as
    cosine annealing to nought over all epochs. step: times `factor` after each epoch in `after`.
    constant: the rate.
    """
    first = recipe.optimizer.learning_rate
    if recipe.schedule.kind == "exponential":
        return first * recipe.schedule.gamma**epoch
    if recipe.schedule.kind == "cosine":
        return first * 0.5 * (1.0 + math.cos(math.pi * epoch / recipe.train.epochs))
    if recipe.schedule.kind == "step":
        steps = sum(epoch >= last for last in recipe.schedule.after)
        return first * recipe.schedule.factor**steps
    return first
