"""Residual networks of fewer layers, for tests of what stands around them.

Most of the time of a small training run goes into building graphs, which takes as long as the
network has layers. What a run writes, says and resumes does not depend on their number.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

__all__ = ["shallow_resnets"]


@contextmanager
def shallow_resnets(stages: int = 2) -> Iterator[None]:
    """Build every residual network of `stages` stages with one block each."""
    known = importlib.import_module("eactf.nn.resnet").RESNETS
    blocks = (1,) * stages + (0,) * (4 - stages)
    with mock.patch.dict(known, {n: replace(plan, blocks=blocks) for n, plan in known.items()}):
        yield
