"""This package reads recipes, YAML files that describe one complete experiment each.

It imports no TensorFlow.
"""

from eactf.recipe.keys import Key, describe_keys
from eactf.recipe.loading import load_recipe
from eactf.recipe.method_settings import (
    AugmentedSettings,
    Erasing,
    ErasingSettings,
    Method,
    MethodSettings,
    TaskSettings,
)
from eactf.recipe.resolved import ResolvedRecipe, leaf_values
from eactf.recipe.schema import (
    DataSettings,
    DrawnFaces,
    ModelSettings,
    NoiseSettings,
    OptimizerSettings,
    Recipe,
    ReportSettings,
    ScheduleSettings,
    TrainSettings,
    seconds_of,
)
from eactf.recipe.shipped import copy_recipe, list_recipes, read_header, read_recipe_text

__all__ = [
    "AugmentedSettings",
    "DataSettings",
    "DrawnFaces",
    "Erasing",
    "ErasingSettings",
    "Key",
    "Method",
    "MethodSettings",
    "ModelSettings",
    "NoiseSettings",
    "OptimizerSettings",
    "Recipe",
    "ReportSettings",
    "ResolvedRecipe",
    "ScheduleSettings",
    "TaskSettings",
    "TrainSettings",
    "copy_recipe",
    "describe_keys",
    "leaf_values",
    "list_recipes",
    "load_recipe",
    "read_header",
    "read_recipe_text",
    "seconds_of",
]
