"""A checkpoint, weights and optimizer state with a few facts, is saved here whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eactf.files import replace_atomically, write_text

__all__ = ["save_checkpoint"]


def save_checkpoint(method: Any, path: Path, facts: Mapping[str, Any]) -> None:
    """Write a method's variables (optimizer, clock and per-sample memory included) to `path`.

    `path` ends in `.weights.h5`; `facts` go to a `.json` file beside it. Keras writes straight to
    the name it is given, so that an interrupted save would destroy the checkpoint before it:
    both files are written under a temporary name and renamed.
    """
    replace_atomically(path, lambda target: method.save_weights(target))
    beside = path.with_name(path.name.removesuffix(".weights.h5") + ".json")
    write_text(beside, json.dumps(dict(facts), indent=2) + "\n")
