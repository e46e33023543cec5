"""This module gives what the optimizer is set to in each epoch: learning rate and beta_1."""

from __future__ import annotations

import math

from eactf.recipe import Recipe

__all__ = ["beta_1", "learning_rate"]


def learning_rate(recipe: Recipe, epoch: int) -> float:
    """The learning rate of an epoch, counted from 0.

    exponential: rate * gamma ** epoch. cosine: rate * (1 + cos(pi * epoch / epochs)) / 2, as
    cosine annealing to nought over all epochs. linear: the rate for `constant_epochs`, from there
    in a line to the nought that would follow the last epoch. step: times `factor` after each epoch
    in `after`. constant: the rate.
    """
    first = recipe.optimizer.learning_rate
    if recipe.schedule.kind == "exponential":
        return first * recipe.schedule.gamma**epoch
    if recipe.schedule.kind == "cosine":
        return first * 0.5 * (1.0 + math.cos(math.pi * epoch / recipe.train.epochs))
    if recipe.schedule.kind == "step":
        steps = sum(epoch >= last for last in recipe.schedule.after)
        return first * recipe.schedule.factor**steps
    if recipe.schedule.kind == "linear":
        epochs = recipe.train.epochs
        fall = epochs - recipe.schedule.constant_epochs
        return first * min(1.0, (epochs - epoch) / max(fall, 1))
    return first


def beta_1(recipe: Recipe, epoch: int) -> float:
    """Adam's beta_1 in an epoch, counted from 0: the schedule's own once the rate falls."""
    late = recipe.schedule.beta_1
    if late is None or epoch < recipe.schedule.constant_epochs:
        return recipe.optimizer.beta_1
    return late
