"""What the three networks have in common: their labels' names and sizes, and images' sizes."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["TAKEN", "checked_labels"]

TAKEN = ("image", "joint", "log_variance", "mean", "noise", "pixels")
"""Names of what is no label."""


def checked_labels(labels: Mapping[str, int], **sizes: int) -> dict[str, int]:
    """`labels` as a dictionary, in their order; `ValueError` for sizes below 1 and taken names."""
    wrong = [name for name in labels if name in TAKEN]
    if wrong or not labels:
        raise ValueError(
            f"labels must be names and sizes, one at least, none of them {', '.join(TAKEN)}; "
            f"received {dict(labels)!r}"
        )
    for name, size in {**sizes, **labels}.items():
        if size < 1 or size != int(size):
            raise ValueError(f"{name} must be a whole number above 0; received {size!r}")
    return {name: int(size) for name, size in labels.items()}
