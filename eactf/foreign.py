"""`reason_of` repeats what another library says of a failure, but not its advice to lower a guard.

NumPy answers a header that is too long with "fully trust the file using allow_pickle=True", Keras
a refused layer with "pass safe_mode=False", Python a long number with a way to lift its limit. A
user who follows such a sentence opens the door that eactf keeps shut. All messages of others go
through `reason_of`, which leaves such sentences out.
"""

from __future__ import annotations

import re

__all__ = ["reason_of"]

_GUARDS = (
    *("allow_pickle", "max_header_size", "fix_imports", "trust", "pickle"),  # NumPy
    *("safe_mode", "unsafe", "custom_object", "custom class", "register_keras", "lambda"),  # Keras
    *("weights_only", "safe_globals"),  # PyTorch
    *("max_image_pixels", "max_text", "load_truncated", "safeblock"),  # Pillow
    *("set_int_max_str_digits", "field_size_limit", "recursionlimit"),  # Python
    *("file_locking", "allow_unsafe", "ignore_", "disable", "insecure", "bypass", "to allow"),
)
"""Words of which a sentence that has one may tell how to lower a guard, in small letters."""

_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_LONGEST = 300


def reason_of(error: BaseException) -> str:
    """What a failure says of itself in one line, without any advice to lower a guard.

    Where nothing is left of it, the kind of the failure is told.

    >>> reason_of(ValueError("Header too long (65,536). To load it, trust it: allow_pickle=True"))
    'Header too long (65,536).'
    >>> reason_of(ValueError("pass safe_mode=False"))
    'ValueError'
    """
    text = " ".join(str(error).split())
    kept = [part for part in _SENTENCE.split(text) if not _speaks_of_guards(part)]
    said = " ".join(kept).rstrip(";")
    return said[:_LONGEST] or type(error).__name__


def _speaks_of_guards(sentence: str) -> bool:
    small = sentence.lower()
    return any(word in small for word in _GUARDS)
