"""Processes that start as a user's do, without what this one was given or has set itself."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["fresh_environment", "on_x86"]

ROOT = Path(__file__).resolve().parents[1]


def fresh_environment(**settings: str) -> dict[str, str]:
    """This process's variables without the switch of TensorFlow's kernels, and `settings`."""
    inherited = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    return {**inherited, "PYTHONPATH": str(ROOT), **settings}


def on_x86() -> bool:
    """Whether TensorFlow's builds for this processor have a choice of kernels."""
    return platform.machine().lower() in ("x86_64", "amd64")
