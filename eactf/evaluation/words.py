"""This module puts accuracies and recalls in words, with counts of images and names of classes."""

from __future__ import annotations

from collections.abc import Sequence

from eactf.evaluation.interval import FEW_IMAGES, wilson_interval
from eactf.wording import counted, enumerated

__all__ = ["accuracy_of_images", "interval_of_few", "lowest_with_classes", "without_images"]


def accuracy_of_images(accuracy: float, count: int) -> str:
    """An accuracy with the images it was counted on, and its interval where they are few.

    >>> accuracy_of_images(1.0, 3)
    '100.00% of 3 images (95% interval 43.9 to 100.0%)'
    >>> accuracy_of_images(0.8125, 1600)
    '81.25% of 1,600 images'
    """
    interval = interval_of_few(accuracy, count)
    text = f"{accuracy:.2%} of {counted(count, 'image')}"
    return f"{text} (95% interval {interval})" if interval else text


def interval_of_few(accuracy: float, count: int) -> str:
    """The 95 % interval of an accuracy, empty where `FEW_IMAGES` or more were counted.

    >>> interval_of_few(0.9, 20), interval_of_few(0.9, 1000)
    ('69.9 to 97.2%', '')
    """
    if not 0 < count < FEW_IMAGES:
        return ""
    low, high = wilson_interval(accuracy, count)
    return f"{100 * low:.1f} to {100 * high:.1f}%"


def lowest_with_classes(recall: float, class_names: Sequence[str]) -> str:
    """The lowest recall with the class or classes that have it.

    >>> lowest_with_classes(0.087, ["disgust"])
    '8.70% (disgust)'
    """
    return f"{recall:.2%} ({enumerated(class_names, most=2)})" if class_names else f"{recall:.2%}"


def without_images(class_names: Sequence[str], where: str) -> str:
    """The sentence that names the classes of which nothing is known, empty where there are none.

    >>> without_images(["fear"], "validation")
    "no image of 'fear' in validation: no recall counts it"
    """
    if not class_names:
        return ""
    names = enumerated(repr(name) for name in class_names)
    return f"no image of {names} in {where}: no recall counts {_them(class_names)}"


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"
