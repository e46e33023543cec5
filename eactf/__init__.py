"""eactf trains image classifiers on noisy labels with Keras and TensorFlow.

Importing eactf imports no TensorFlow; the names below load when they are first used. It does ask
TensorFlow for its fast CPU kernels (`eactf.kernels`), which works only before TensorFlow is
imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from eactf.kernels import prefer_onednn
from eactf.method_names import METHODS

if TYPE_CHECKING:
    from eactf import losses, margins, metrics, mixture, nn, optimizers, schedules
    from eactf.methods.ada_cm import AdaCM
    from eactf.methods.attention_consistency import AttentionConsistency
    from eactf.methods.co_teaching import CoTeaching
    from eactf.methods.cross_entropy import CrossEntropy
    from eactf.methods.dividemix import DivideMix
    from eactf.methods.eac import EAC
    from eactf.methods.joint_distribution import JointDistribution
    from eactf.methods.multi_task import MultiTask
    from eactf.methods.rul import RUL
    from eactf.methods.scn import SCN
    from eactf.methods.two_networks import TwoNetworks
    from eactf.methods.views import Erasing, Views
    from eactf.nn.classifier import build_classifier

__version__ = "0.1.0"

__all__ = [
    "EAC",
    "RUL",
    "SCN",
    "AdaCM",
    "AttentionConsistency",
    "CoTeaching",
    "CrossEntropy",
    "DivideMix",
    "Erasing",
    "JointDistribution",
    "MultiTask",
    "TwoNetworks",
    "Views",
    "build_classifier",
    "losses",
    "margins",
    "metrics",
    "mixture",
    "nn",
    "optimizers",
    "schedules",
]

_HOMES = {
    **{class_name: f"eactf.methods.{name}" for name, class_name in METHODS.items()},
    "Erasing": "eactf.methods.views",
    "Views": "eactf.methods.views",
    "build_classifier": "eactf.nn.classifier",
}
_MODULES = ("losses", "margins", "metrics", "mixture", "nn", "optimizers", "schedules")


prefer_onednn()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"eactf.{name}")
    raise AttributeError(f"module 'eactf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
