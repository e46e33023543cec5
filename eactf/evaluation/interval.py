"""This module says how far an accuracy counted on few images may be from the true one."""

from __future__ import annotations

__all__ = ["FEW_IMAGES", "wilson_interval"]

FEW_IMAGES = 1_000
"""On fewer images than that an accuracy is told with its interval, which is then wider than three
points at an accuracy of one half."""

_Z = 1.959964
"""Between minus this and this lie 95 % of a standard normal distribution."""


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a `share`, 0 to 1, that was counted on `count` images, at least 1.

    Wilson's score interval (E. B. Wilson, Probable inference, the law of succession, and
    statistical inference, JASA 22, 1927): the shares of all such images at which what was counted
    is not a surprise. It lies within 0 to 1 and holds for few images and for shares of 0 and 1,
    unlike share +- 1.96 standard errors. Raises `ValueError` for arguments out of range.

    >>> [round(end, 3) for end in wilson_interval(1.0, 3)]
    [0.439, 1.0]
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(f"a share of 0 to 1 of at least 1 image; received {share} of {count}")
    squared = _Z**2 / count
    middle = (share + squared / 2) / (1 + squared)
    half = (squared * share * (1 - share) + squared**2 / 4) ** 0.5 / (1 + squared)
    return max(middle - half, 0.0), min(middle + half, 1.0)
