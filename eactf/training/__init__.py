"""This package trains: `train` a recipe, `resume` a run that was stopped. It imports TensorFlow.

Importing the package itself does not; the two functions load when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eactf.training.resuming import resume
    from eactf.training.run import train

__all__ = ["resume", "train"]

_HOMES = {"resume": "eactf.training.resuming", "train": "eactf.training.run"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'eactf.training' has no attribute {name!r}")
