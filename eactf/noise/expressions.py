"""`basic_expression` says which of the seven basic expressions a class of any data set is."""

from __future__ import annotations

__all__ = ["BASIC_EXPRESSIONS", "basic_expression"]

_SPELLINGS = {
    "neutral": ("neutral",),
    "happiness": ("happiness", "happy", "joy"),
    "sadness": ("sadness", "sad"),
    "surprise": ("surprise", "surprised"),
    "fear": ("fear", "fearful", "afraid"),
    "disgust": ("disgust", "disgusted"),
    "anger": ("anger", "angry"),
}

BASIC_EXPRESSIONS = tuple(_SPELLINGS)
"""The names of the seven, in AffectNet's order."""

_EXPRESSION_OF = {name: basic for basic, names in _SPELLINGS.items() for name in names}


def basic_expression(class_name: str) -> str | None:
    """Which of `BASIC_EXPRESSIONS` a class name means; None for any other.

    Only letters count, small or capital, so that numbered folders are understood.

    >>> basic_expression("3_Happy "), basic_expression("surprise"), basic_expression("contempt")
    ('happiness', 'surprise', None)
    """
    return _EXPRESSION_OF.get("".join(filter(str.isalpha, class_name.casefold())))
