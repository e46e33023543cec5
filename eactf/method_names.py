"""Every training method by the name that recipes call it; to add one, add a line here.

The class stands in `eactf/methods/<name>.py`. Its settings, their ranges and their help are read
from there (`eactf/recipe/signatures.py`).
"""

from __future__ import annotations

__all__ = ["METHODS"]

METHODS = {
    "eac": "EAC",
    "cross_entropy": "CrossEntropy",
    "attention_consistency": "AttentionConsistency",
    "scn": "SCN",
    "rul": "RUL",
    "dividemix": "DivideMix",
    "two_networks": "TwoNetworks",
    "ada_cm": "AdaCM",
    "co_teaching": "CoTeaching",
    "multi_task": "MultiTask",
    "joint_distribution": "JointDistribution",
}
"""The class of each method; the first is what a recipe trains that names none."""
