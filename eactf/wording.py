"""These functions put counts and short lists of names in words, alike in every message."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["counted", "enumerated", "format_duration", "time_ago"]


def counted(count: int, singular: str, plural: str = "") -> str:
    """A number with its noun; the plural is the singular with an s where it is not given.

    >>> counted(1, "epoch"), counted(1200, "image"), counted(2, "class", "classes")
    ('1 epoch', '1,200 images', '2 classes')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def enumerated(things: Iterable[str], most: int = 8) -> str:
    """Things with commas, the first few of many.

    >>> enumerated("abc"), enumerated("abcd", most=2)
    ('a, b, c', 'a, b and 2 more')
    """
    all_of_them = list(things)
    rest = len(all_of_them) - most
    return ", ".join(all_of_them[:most]) + (f" and {rest} more" if rest > 0 else "")


def time_ago(seconds: float) -> str:
    """How long ago something was, in its largest unit.

    >>> time_ago(5), time_ago(150), time_ago(7200), time_ago(86400 * 3)
    ('just now', '2 min ago', '2 h ago', '3 days ago')
    """
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h ago"
    return f"{counted(int(seconds // 86400), 'day')} ago"


def format_duration(seconds: float) -> str:
    """Seconds as people say them: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    seconds = max(round(seconds), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
