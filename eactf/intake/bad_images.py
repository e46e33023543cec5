"""`bad_image` says why an image cannot be used, from what Pillow raised on its file.

Pillow's own words are passed on where they tell a user something. Ours replace those that name one
of Pillow's guards, and those of Python itself, which speak of Pillow's code and not of the file.
"""

from __future__ import annotations

import errno
import os
import struct

from PIL import Image

from eactf.foreign import reason_of
from eactf.intake.listing import BadImage

__all__ = ["REASONS", "bad_image"]

REASONS = (
    "missing",
    "not a file",
    "cannot be opened",
    "empty file",
    "not an image",
    "unread kind",
    "no pixels",
    "too many pixels",
    "cut short",
    "broken",
)
"""Why an image cannot be used; every `BadImage` has one of them."""

_CUT = frozenset({"truncated", "Truncated", "truncated."})
_ENDED = ("buffer is not large enough", "not enough image data", "Reached EOF while reading header")
_NO_SIDE = ("not identified by this driver", "Missing dimensions")

_NO_NUMBER = "something else stands where its header must have a number"
_TOO_MUCH_TEXT = "more text is stored in it than is safe to read; save it again without the text"
_UNDECODED = "its pixels cannot be decoded"
_IN_OUR_WORDS = {
    "data too large": _TOO_MUCH_TEXT,
    "max_text": _TOO_MUCH_TEXT,
    "invalid literal for int()": _NO_NUMBER,
    "string to float": _NO_NUMBER,
    "token too long": _NO_NUMBER,
    "invalid token": "something else stands where one of its pixels must have a value",
    "decoder error": _UNDECODED,
}
"""What is said instead of a message that has such words, in small letters."""

_PYTHONS = (ArithmeticError, AttributeError, LookupError, NameError, TypeError, UnicodeError)
"""Failures of Pillow's code at values that it does not expect."""


def bad_image(error: Exception) -> BadImage:
    """The verdict on an image from what Pillow raised; `MemoryError` is raised as it is."""
    if isinstance(error, BadImage):
        return error
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, Image.DecompressionBombError):
        return BadImage("too many pixels", "one of its frames is far larger than the image")
    if isinstance(error, OSError) and error.errno == errno.EINVAL:
        return BadImage("broken", "its header points to a place outside the file")
    if isinstance(error, OSError) and error.errno is not None:
        return BadImage("cannot be opened", os.strerror(error.errno))
    said, cause = str(error), error.args[0] if error.args else error
    if isinstance(cause, EOFError | IndexError | struct.error):
        return BadImage("cut short", "it ends before its pixels begin")
    if said in _ENDED or _CUT.intersection(said.split()):
        return BadImage("cut short", _in_words(error))
    if said in _NO_SIDE:
        return BadImage("no pixels", "its header gives it no width or no height")
    if isinstance(error, _PYTHONS) or isinstance(cause, _PYTHONS):
        return BadImage("broken", "its header has a value that makes no sense")
    return BadImage("broken", _in_words(error))


def _in_words(error: Exception) -> str:
    """What a failure says of the file, or our words for it; never its mere kind."""
    text = str(error).lower()
    ours = next((ours for words, ours in _IN_OUR_WORDS.items() if words in text), None)
    said = reason_of(error)[:100]
    return ours or (said if said != type(error).__name__ else _UNDECODED)
